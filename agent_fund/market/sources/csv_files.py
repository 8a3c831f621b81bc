"""A user's own CSV file (RFC 4180, UTF-8), taken as it is or refused; every decimal exactly.

The first row names the columns, which are those of ``parquet_files``. Times are ISO 8601 with a
zone, such as 2020-01-01T00:00:00Z, or whole milliseconds since the epoch.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.columns import PRICES
from agent_fund.market.errors import MarketError
from agent_fund.market.sources.decimals import at, text_scale, text_units
from agent_fund.market.sources.parquet_files import DUE, JITTER_MS, STARTS
from agent_fund.market.sources.raw_bars import RawBars, RawFunding
from agent_fund.market.steps import step_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def read(
    path: Path,
    price_scale: int | None = None,
    volume_scale: int | None = None,
    step: str | None = None,
    rounding: bool = False,
) -> RawBars:
    """The rows of ``path``; arguments and errors as ``parquet_files.read`` has them."""
    texts = _columns(path)
    start = next((name for name in STARTS if name in texts), None)
    if start is None or any(name not in texts for name in (*PRICES, "volume")):
        wanted = "open_time (or date), open, high, low, close, volume"
        raise MarketError(f"{path}, columns", list(texts), f"it needs {wanted}")
    place = str(path)
    columns = {"open_time": _times(texts[start], place, start)}
    if "close_time" in texts:
        columns["close_time"] = _times(texts["close_time"], place, "close_time")
    elif step is None:
        fix = 'it needs close_time, or the length of a bar: declare step = "1h" or the like'
        raise MarketError(f"{path}, columns", list(texts), fix)
    else:
        length = step_ms(step)
        columns["close_time"] = [time + length for time in columns["open_time"]]
    if price_scale is None:
        price_scale = max(text_scale(texts[name], place, name) for name in PRICES)
    if volume_scale is None:
        volume_scale = text_scale(texts["volume"], place, "volume")
    for name in (*PRICES, "volume"):
        scale = volume_scale if name == "volume" else price_scale
        columns[name] = text_units(texts[name], place, name, scale, rounding)
    return RawBars(place, price_scale, volume_scale, columns)


def read_funding(path: Path, *, rounding: bool = False) -> RawFunding:
    """The funding rates of ``path``; as ``parquet_files.read_funding``."""
    texts = _columns(path)
    due = next((name for name in DUE if name in texts), None)
    if due is None or "rate" not in texts:
        raise MarketError(f"{path}, columns", list(texts), "it needs time (or date), rate")
    times = [time - time % JITTER_MS for time in _times(texts[due], str(path), due)]
    return RawFunding(
        str(path), times, text_units(texts["rate"], str(path), "rate", RATE_SCALE, rounding)
    )


def _columns(path: Path) -> dict[str, list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        fix = "give a CSV file in UTF-8 with a header row"
        raise MarketError(str(path), str(error), fix) from error
    names = [name.strip() for name in header]
    if len(set(names)) != len(names):
        raise MarketError(f"{path}, header", names, "every column needs a name of its own")
    for row, cells in enumerate(rows):
        if len(cells) != len(names):
            fix = f"the header names {len(names)} columns"
            raise MarketError(f"{path}, row {row}", cells, fix)
    return {name: [cells[place] for cells in rows] for place, name in enumerate(names)}


def _times(texts: list[str], place: str, name: str) -> list[int]:
    return [_time(text.strip(), at(place, row, name)) for row, text in enumerate(texts)]


def _time(text: str, place: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        fix = "write 2020-01-01T00:00:00Z or milliseconds since the epoch"
        raise MarketError(place, text, fix) from error
    if moment.tzinfo is None:
        raise MarketError(place, text, "times need a zone: write Z for UTC behind it")
    since = moment - EPOCH
    if since % MS:
        raise MarketError(place, text, "times in whole milliseconds are expected")
    return since // MS
