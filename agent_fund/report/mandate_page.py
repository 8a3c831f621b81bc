"""A mandate as Markdown, with its formulas in LaTeX, and as a page that needs no network."""

from __future__ import annotations

import json
import re

from agent_fund.guard.explain.explained import SIGNS
from agent_fund.guard.kernel.codec import dumps
from agent_fund.report.document import page_style, policy_of, templates
from agent_fund.report.mandate_stress import Rows
from agent_fund.report.mandate_words import Item, MandateWords

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def page(words: MandateWords) -> str:
    """The whole page as HTML; formulas in Unicode, their LaTeX a click away."""
    return (
        templates()
        .get_template("mandate_page.html.j2")
        .render(
            policy=policy_of(()),
            style=page_style(),
            words=words,
            signs=SIGNS,
            canonical=json.dumps(words.canonical, indent=2, sort_keys=True),
        )
    )


def markdown(words: MandateWords) -> str:
    """The same as Markdown."""
    parts = [f"# Mandate {_plain(words.name)}", f"`sha256 {words.digest}`: {_plain(words.status)}."]
    if words.guarantee:
        parts += ["## What is guaranteed", _plain(words.guarantee), "It rests on:"]
        parts.append("\n".join(f"- **{code}** {_plain(text)}" for code, text in words.assumptions))
    parts.append("## Guardrails")
    parts += [_item(item) for item in words.items]
    parts += ["## Signs", SIGNS]
    parts += ["## Stress set", _table(words.stress), "## Costs and conduct", _table(words.terms)]
    parts += ["## Canonical JSON", f"```json\n{dumps(words.canonical).decode()}\n```"]
    return "\n\n".join(parts) + "\n"


def _item(item: Item) -> str:
    limit = f": {_plain(item.limit)}" if item.limit else ""
    said = item.explained
    lines = [f"- {said.when}"]
    if said.assumes:
        lines.append(f"- assumes {', '.join(said.assumes)}")
    if item.rule:
        lines.append(f"- rule: {_plain(item.rule)}")
    if item.why:
        lines.append(f"- why: {_plain(item.why)}")
    return "\n\n".join(
        (
            f"### {_plain(item.name)}{limit}",
            _plain(said.sentence),
            f"$$\n{said.latex}\n$$",
            f"In text: {_plain(said.unicode)}",
            "\n".join(lines),
        )
    )


def _table(rows: Rows) -> str:
    said = [f"| {_plain(what)} | {_plain(text)} |" for what, text in rows]
    return "\n".join(["| | |", "| --- | --- |", *said])


def _plain(text: str) -> str:
    """``text`` on one line, as text: nothing in it is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
