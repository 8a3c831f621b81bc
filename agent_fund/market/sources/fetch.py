"""Fetches a series from an exchange into the catalog: whole, exact, or not at all.

The catalog changes once, when every page is there. What an interrupted fetch brought is kept
beside it and used by the next. A data set that is there already is extended from its last row,
which the exchange must give again as it was. Bars that are not closed yet are never taken.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from agent_fund.domain.money import from_units
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import PRICES, TIMES, BarColumns, from_names
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.gaps import iso
from agent_fund.market.manifest import Entry, FundingEntry
from agent_fund.market.names import FUNDING
from agent_fund.market.sources.decimals import text_scale, text_units
from agent_fund.market.sources.exchange import JITTER_MS, Exchange, Series
from agent_fund.market.sources.pages import Pages, Row
from agent_fund.market.steps import step_ms

EXACT = "Every number as the exchange wrote it."
FUNDING_NOTES = (
    "Times rounded down to the second; rates rounded half-even to 12 decimals, where they had more."
)

Progress = Callable[[str, int, int], None]


class Change(enum.Enum):
    """What a fetch did to a data set."""

    NEW = "new"
    EXTENDED = "extended"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Fetched:
    """A data set that is whole.

    Attributes:
        added: how many bars or payments are new.
    """

    name: str
    change: Change
    entry: Entry | FundingEntry
    added: int


def fetch(
    catalog: Catalog,
    exchange: Exchange,
    series: Series,
    *,
    since: int,
    until: int,
    licence: str,
    anew: bool = False,
    progress: Progress,
) -> Fetched:
    """Bring the data set of ``series`` in ``catalog`` up to ``until``.

    Args:
        since: the first time that is wanted of a new data set, ms since the epoch, UTC.
        until: the last close, or payment, that is wanted; later than now means now.
        anew: fetch it from ``since`` on, in place of what the catalog has.
        progress: told (name, done, total), in bars or funding intervals, page by page.

    Raises:
        ExchangeError: if the exchange fails; the pages so far are kept.
        MarketError: if what it gave cannot be a data set, or contradicts the one that is there.
    """
    name = series.name
    there = None if anew or name not in catalog.names() else catalog.entries()[name]
    length = JITTER_MS if series.kind == FUNDING else step_ms(series.step)
    last = min(until, exchange.now()) - (0 if series.kind == FUNDING else length)
    if there is None:
        start, base = since, ""
    else:
        start, base = _last_time(catalog, name, there, since), there.sha256
    if there is not None and last <= start:
        return Fetched(name, Change.UNCHANGED, there, 0)
    if last < start:
        raise MarketError(name, f"from {iso(start)} to {iso(until)}", "no bar is closed by then")
    request = {"exchange": series.exchange, "symbol": series.symbol, "series": series.kind}
    request |= {"step": series.step, "base": base}
    pages = Pages(catalog.folder, name, {**request, "start": start}, start)
    _complete(pages, exchange, series, last, length, progress)
    rows = [row for row in pages.rows if _time(row) <= last]
    if not rows:
        pages.remove()
        fix = f"{exchange.id} has none of {series.symbol} there: choose a later --until"
        raise MarketError(name, f"from {iso(start)} to {iso(until)}", fix)
    terms = {"source": _source(series), "licence": licence}
    asked_from = since if there is None or there.asked_from is None else there.asked_from
    entry: Entry | FundingEntry
    if series.kind == FUNDING:
        funding = _funding(name, rows)
        if there is not None:
            funding = _joined_funding(catalog.read_funding(name), funding)
        entry = catalog.write_funding(
            name, funding, notes=FUNDING_NOTES, asked_from=asked_from, **terms
        )
        size, before = entry.payments, there.payments if isinstance(there, FundingEntry) else 0
    else:
        bars = _bars(name, rows, length)
        if there is not None:
            bars = _joined_bars(catalog.read_bars(name), bars)
        entry = catalog.write(
            name,
            bars,
            step=series.step,
            max_step_ms=length,
            notes=_notes(series),
            asked_from=asked_from,
            **terms,
        )
        size, before = entry.bars, there.bars if isinstance(there, Entry) else 0
    pages.remove()
    change = Change.NEW if there is None else Change.EXTENDED
    change = Change.UNCHANGED if there is not None and size == before else change
    return Fetched(name, change, entry, size - before)


def _complete(
    pages: Pages,
    exchange: Exchange,
    series: Series,
    last: int,
    length: int,
    progress: Progress,
) -> None:
    """Fetch what is missing of ``pages``, up to the row of time ``last``."""
    start = pages.cursor if not pages.rows else _time(pages.rows[0])
    unit = 8 * 3_600_000 if series.kind == FUNDING else length
    total = max(1, (last - start) // unit + 1)

    def report() -> None:
        progress(series.name, min(total, max(0, pages.cursor - start) // unit), total)

    report()
    while pages.cursor <= last:
        rows = _page(exchange, series, pages.cursor, length)
        closed = [row for row in rows if _time(row) <= last]
        if closed:
            following = _time(closed[-1]) + length
        elif rows:
            following = last + length  # the next row is later than what is wanted
        else:
            following = min(pages.cursor + exchange.window_ms(series), last + length)
        pages.add(closed, following)
        report()
    progress(series.name, total, total)


def _page(exchange: Exchange, series: Series, cursor: int, length: int) -> list[Row]:
    """A page; one without rows or with a hole is asked for twice, as it may be a mistake."""
    rows = exchange.page(series, cursor)
    if rows and (series.kind == FUNDING or _time(rows[-1]) == cursor + (len(rows) - 1) * length):
        return rows
    answers = [answer for answer in (rows, exchange.page(series, cursor)) if answer]
    return min(answers, key=lambda answer: (answer[0][0], -len(answer)), default=[])


def _last_time(catalog: Catalog, name: str, there: Entry | FundingEntry, since: int) -> int:
    """The time of the data set's last row, from which it is extended."""
    if there.asked_from is None:
        fix = "it was not fetched from an exchange: fetch into another --catalog, or with --anew"
        raise MarketError("data set to extend", name, fix)
    if since < there.asked_from:
        fix = f"{name} was fetched from {iso(there.asked_from)} on: fetch all of it with --anew"
        raise MarketError("--since", iso(since), fix)
    if isinstance(there, FundingEntry):
        return there.last_time
    return catalog.read_bars(name).open_times[-1]


def _bars(name: str, rows: list[Row], length: int) -> BarColumns:
    columns: dict[str, list[int]] = {"open_time": [_time(row) for row in rows]}
    columns["close_time"] = [time + length for time in columns["open_time"]]
    texts = {
        column: [str(row[place]) for row in rows]
        for place, column in enumerate((*PRICES, "volume"), start=1)
    }
    price_scale = max(text_scale(texts[column], name, column) for column in PRICES)
    volume_scale = text_scale(texts["volume"], name, "volume")
    for column, values in texts.items():
        scale = volume_scale if column == "volume" else price_scale
        columns[column] = text_units(values, name, column, scale, rounding=False)
    return from_names(name, price_scale, volume_scale, columns)


def _funding(name: str, rows: list[Row]) -> FundingColumns:
    rates = text_units([str(row[1]) for row in rows], name, "rate", RATE_SCALE, rounding=True)
    return FundingColumns(name, [_time(row) for row in rows], rates)


def _joined_bars(old: BarColumns, new: BarColumns) -> BarColumns:
    scales = (
        max(old.price_scale, new.price_scale),
        max(old.volume_scale, new.volume_scale),
    )
    first, second = old.rescaled(*scales).by_name(), new.rescaled(*scales).by_name()
    for column, values in first.items():
        price, volume = scales
        scale = 0 if column in TIMES else volume if column == "volume" else price
        _require_same(new.source, column, values[-1], second[column][0], scale)
    columns = {column: values + second[column][1:] for column, values in first.items()}
    return from_names(new.source, *scales, columns)


def _joined_funding(old: FundingColumns, new: FundingColumns) -> FundingColumns:
    _require_same(new.source, "time", old.times[-1], new.times[0], 0)
    _require_same(new.source, "rate", old.rates[-1], new.rates[0], RATE_SCALE)
    return FundingColumns(new.source, old.times + new.times[1:], old.rates + new.rates[1:])


def _require_same(name: str, column: str, old: int, new: int, scale: int) -> None:
    """The last row that the catalog has must be the first that the exchange gives now."""
    if old != new:
        fix = (
            f"the catalog's last row has {from_units(old, scale)} there, and the exchange must "
            "give that row again: one of them was corrected; fetch all of it with --anew"
        )
        place = f"{name}, row that both have, column {column}"
        raise MarketError(place, str(from_units(new, scale)), fix)


def _time(row: Row) -> int:
    return int(row[0])


def _source(series: Series) -> str:
    return f"{series.exchange}, {series.kind} of {series.symbol}, through ccxt"


def _notes(series: Series) -> str:
    if series.kind in ("mark", "index"):
        return f"{EXACT} Volumes are 0: these are no trades."
    if series.contract != "1":
        size = f"One contract is {series.contract} {series.base}"
        return f"{EXACT} {size}: volumes may be in contracts."
    return EXACT
