"""``agent-fund mandate explain``: each guardrail as a sentence and a formula, and what it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent_fund.audit.atomic import replace_file
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.mandate_file import read_mandate
from agent_fund.cli.terminal import console, one_line, shown_path
from agent_fund.guard.explain.explained import SIGNS
from agent_fund.guard.explain.wording import PROVED
from agent_fund.report.mandate_page import markdown, page
from agent_fund.report.mandate_stress import Rows
from agent_fund.report.mandate_words import Item, MandateWords, mandate_words

Format = Literal["terminal", "markdown", "html", "json"]


def explain_mandate(path: Path, form: Format, out: Path | None) -> int:
    """Say what the mandate at ``path`` asks for, on stdout or in the file ``out``."""
    words = mandate_words(read_mandate(path).mandate)
    if form == "terminal":
        if out is None:
            show(console(), words)
            return ExitCode.OK
        with out.open("w", encoding="utf-8") as file:
            show(Console(file=file, width=100, markup=False, highlight=False, emoji=False), words)
    else:
        text = {"markdown": markdown, "html": page, "json": _json}[form](words)
        if out is None:
            typer.echo(text, nl=False)
            return ExitCode.OK
        replace_file(out, text.encode())
    console(stderr=True).print(f"Wrote {shown_path(out)}", soft_wrap=True)
    return ExitCode.OK


def _json(words: MandateWords) -> str:
    return json.dumps(words.to_json(), indent=2) + "\n"


def show(screen: Console, words: MandateWords) -> None:
    """All of it as a person reads it."""
    head = Text.assemble(("Mandate ", ""), (one_line(words.name), "bold"))
    head.append(", resolved" if words.resolved else ", as written", "dim")
    screen.print(head)
    if words.guarantee:
        screen.print()
        screen.print(words.guarantee)
    for item in words.items:
        screen.print()
        _show_item(screen, item)
    screen.print()
    screen.print(Text.assemble(("Signs ", "bold"), SIGNS))
    if words.guarantee:
        screen.print()
        _show_rows(screen, "The assumptions", words.assumptions)
    screen.print()
    _show_rows(screen, "Stress set", words.stress)
    screen.print()
    _show_rows(screen, "Costs and conduct", words.terms)
    screen.print()
    screen.print(Text("sha256 ", "bold") + Text(words.digest), soft_wrap=True)
    screen.print(Text(f"of {words.status}", "dim"))


def _show_item(screen: Console, item: Item) -> None:
    said = item.explained
    head = Table.grid(expand=True, padding=(0, 2, 0, 0))
    head.add_column(overflow="fold")
    head.add_column(
        justify="right", overflow="fold", style="cyan" if PROVED in said.when else "dim"
    )
    name = Text(item.name, "bold")
    name.append(f"  {one_line(item.limit)}" if item.limit else "", "not bold")
    head.add_row(name, said.when)
    screen.print(head)
    screen.print(Padding(Text(said.sentence), (0, 0, 0, 2)))
    screen.print(Padding(Text(said.unicode, "green"), (0, 0, 0, 4)))
    notes = []
    if item.rule:
        notes.append(f"rule: {one_line(item.rule)}")
    if item.why:
        notes.append(f"why: {one_line(item.why)}")
    if said.assumes:
        notes.append(f"assumes {' '.join(said.assumes)}")
    if notes:
        screen.print(Padding(Text("; ".join(notes), "dim"), (0, 0, 0, 2)))


def _show_rows(screen: Console, title: str, rows: Rows) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", style="dim", max_width=30)
    table.add_column(overflow="fold")
    for what, text in rows:
        table.add_row(one_line(what), one_line(text))
    screen.print(Text(title, "bold"))
    screen.print(Padding(table, (0, 0, 0, 2)))
