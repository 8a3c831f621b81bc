"""``agent-fund data check``: what is suspicious in data sets and files, as a table and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from agent_fund.cli.data_import import require_file
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.terminal import console, grid, one_line, shown_path, write_json
from agent_fund.domain.errors import DomainError
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.gaps import iso
from agent_fund.market.manifest import FundingEntry
from agent_fund.market.names import FUNDING, DatasetName, parse_name
from agent_fund.market.quality import (
    RULES,
    Quality,
    check_bars,
    check_funding,
    funding_in_order,
    in_order,
    short,
)
from agent_fund.market.sources import files
from agent_fund.market.steps import step_ms

COMPARED = (("index", "index price"), ("perp", "last price"))


def check_data(
    names: Sequence[str],
    kind: str,
    step: str | None,
    out: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> int:
    """Check data sets, and files that hold ``kind``; OK if all are clean, else DATA_FINDINGS."""
    if out is not None and out.suffix.lower() != ".html":
        raise DomainError("--out", str(out), "name an HTML file, such as check.html")
    checked = [
        _file(Path(name), kind, step)
        if name.lower().endswith(files.SUFFIXES)
        else _stored(name, folder)
        for name in names
    ]
    found = any(quality.findings for quality in checked)
    code = ExitCode.DATA_FINDINGS if found else ExitCode.OK
    if out is not None:
        from agent_fund.report.data_check import write_data_check

        write_data_check(out, checked)
    if as_json:
        told = [_told(quality) for quality in checked]
        page = {} if out is None else {"page": str(out.resolve())}
        write_json({"checked": told, **page, "exit": int(code)})
        return code
    for quality in checked:
        _show(quality)
    _show_rules(checked)
    if out is not None:
        console().print(f"Page  {shown_path(out)}", soft_wrap=True)
    return code


def _stored(name: str, folder: Path) -> Quality:
    catalog = Catalog(folder)
    entry = catalog.entries().get(name) or catalog.entry(name)
    if isinstance(entry, FundingEntry):
        return check_funding(name, catalog.read_funding(name))
    bars = catalog.read_bars(name)
    parts = parse_name(name)
    mark = None
    if parts is not None and parts.series in ("perp", "mark"):
        mark = _mark(catalog, parts)
    return check_bars(name, bars, entry.max_step_ms, mark=mark)


def _mark(catalog: Catalog, parts: DatasetName) -> tuple[BarColumns, str, BarColumns] | None:
    """The mark price of the perpetual, and what to compare it with, as far as both are there."""
    there = catalog.names()
    named = {
        series: str(DatasetName(parts.exchange, parts.pair, series, parts.step))
        for series in ("mark", "index", "perp")
    }
    for series, words in COMPARED:
        if named["mark"] in there and named[series] in there:
            mark, other = (catalog.read_bars(named[which]) for which in ("mark", series))
            return mark, words, other
    return None


def _file(path: Path, kind: str, step: str | None) -> Quality:
    require_file(path)
    if kind == FUNDING:
        payments, found = funding_in_order(files.read_funding(path))
        return check_funding(path.name, payments, before=found)
    if step is None:
        raise DomainError("--step", None, f"say how long the bars of {path.name} are: --step 1h")
    bars, found = in_order(files.read(path, step=step))
    return check_bars(path.name, bars, step_ms(step), before=found)


def _told(quality: Quality) -> dict[str, object]:
    return {
        "name": quality.name,
        "kind": quality.kind,
        "rows": quality.rows,
        "first": iso(quality.first),
        "last": iso(quality.last),
        "facts": dict(quality.facts),
        "findings": [
            {
                "rule": finding.rule,
                "means": RULES[finding.rule],
                "count": finding.count,
                "text": finding.text,
                "times": [iso(time) for time in finding.times],
            }
            for finding in quality.findings
        ],
    }


def _show(quality: Quality) -> None:
    screen = console()
    rows = f"{quality.rows:,} {'bars' if quality.kind == 'bars' else 'payments'}"
    ends = f"{short(quality.first)} to {short(quality.last)} UTC"
    screen.print(Text.assemble((one_line(quality.name), "bold"), f", {rows}, {ends}"))
    for name, text in quality.facts:
        screen.print(f"  {name}: {text}", soft_wrap=True)
    if not quality.findings:
        screen.print(Text("  clean: no finding", "green"))
        screen.print()
        return
    table = grid("finding", ">count", "where, how much")
    for finding in quality.findings:
        table.add_row(finding.rule, f"{finding.count:,}", finding.text)
    screen.print(table)


def _show_rules(checked: Sequence[Quality]) -> None:
    """The rules that found anything, in words."""
    found = {finding.rule for quality in checked for finding in quality.findings}
    for rule, words in RULES.items():
        if rule in found:
            console().print(Text.assemble((rule, "bold"), f": {words}."))
    if found:
        console().print()
