"""``agent-fund data fetch``: series by series, with progress; one that fails stops no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.failures import failure_of
from agent_fund.cli.interruption import StoppedError
from agent_fund.cli.progress import stages
from agent_fund.cli.terminal import console, grid, printable, write_json
from agent_fund.domain.errors import DomainError
from agent_fund.market.catalog import Catalog
from agent_fund.market.errors import ExchangeError, MarketError
from agent_fund.market.gaps import iso
from agent_fund.market.manifest import Entry

FAR = 253_402_300_799_999


def fetch_data(
    exchange: str,
    symbols: Sequence[str],
    kinds: Sequence[str],
    timeframe: str,
    period: tuple[str, str | None],
    folder: Path,
    licence: str | None,
    *,
    anew: bool,
    as_json: bool,
) -> int:
    """Fetch every series; the exit code is that of the first which failed, else OK."""
    since = moment("--since", period[0])
    until = FAR if period[1] is None else moment("--until", period[1])
    if until <= since:
        raise DomainError("--until", period[1], f"it must be later than --since, {iso(since)}")
    failures: list[Any] = []
    fetched: list[Any] = []
    with stages(console(stderr=True)) as report:
        from agent_fund.market.sources import exchange as exchanges
        from agent_fund.market.sources.fetch import fetch

        asked = exchanges.Exchange(exchanges.connect(exchange))
        now = asked.now()
        if since >= now:
            raise DomainError("--since", period[0], f"it is in the future: now is {iso(now)}")
        wanted = [series for symbol in symbols for series in asked.series(symbol, kinds, timeframe)]
        if kinds and all(series.kind == "spot" for series in wanted):
            fix = f"spot markets have none: name a perpetual, e.g. {symbols[0]}:USDT"
            raise DomainError("series", " ".join(f"--{kind}" for kind in kinds), fix)
        terms = licence or f"none of its own; the terms of use of {exchange} hold"
        for series in dict.fromkeys(wanted):
            try:
                done = fetch(
                    Catalog(folder),
                    asked,
                    series,
                    since=since,
                    until=until,
                    licence=terms,
                    anew=anew,
                    progress=report,
                )
            except (ExchangeError, MarketError) as error:
                failures.append((series.name, failure_of(error)))
            except KeyboardInterrupt as stopped:
                told_of = f"stopped; run it again to go on; whole so far: {_names(fetched)}"
                raise StoppedError(told_of) from stopped
            else:
                fetched.append(done)
    code = failures[0][1].code if failures else ExitCode.OK
    if as_json:
        told = [
            {"name": done.name, "change": done.change.value, "added": done.added}
            | {"entry": done.entry.model_dump(mode="json")}
            for done in fetched
        ]
        failed = [{"name": name} | failure.to_json() for name, failure in failures]
        write_json({"datasets": told, "failed": failed, "exit": int(code)})
        return code
    if fetched:
        console().print(_table(fetched))
    for name, failure in failures:
        text = Text.assemble(("failed: ", "bold red"), printable(f"{name}: {failure.message}"))
        console(stderr=True).print(text, soft_wrap=True)
    return code


def moment(option: str, text: str) -> int:
    """A day, or a time with or without a zone, as ms since the epoch; UTC unless it says another.

    Raises:
        DomainError: for anything else, or a time before 1970.
    """
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError as error:
        fix = "write a day, 2020-01-31, or a time, 2020-01-31T12:00Z"
        raise DomainError(option, text, fix) from error
    value = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    since = (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    if since < 0:
        raise DomainError(option, text, "write a time from 1970 on")
    return since


def _table(fetched: Sequence[Any]) -> Any:
    table = grid("data set", "", ">rows", ">new", "first", "last", ">gaps")
    for done in fetched:
        entry = done.entry
        bars = isinstance(entry, Entry)
        rows = entry.bars if bars else entry.payments
        ends = (
            (entry.first_close, entry.last_close) if bars else (entry.first_time, entry.last_time)
        )
        first, last = (iso(time)[:16].replace("T", " ") for time in ends)
        gaps = f"{len(entry.gaps):,}"
        table.add_row(
            done.name, done.change.value, f"{rows:,}", f"{done.added:,}", first, last, gaps
        )
    return table


def _names(fetched: Sequence[Any]) -> str:
    return ", ".join(done.name for done in fetched) or "no data set"
