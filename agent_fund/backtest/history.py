"""The book's history: one row a bar, exact decimals, as Parquet and as a frame for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.audit.atomic import replace_file
from agent_fund.audit.verify import HISTORY
from agent_fund.backtest.parts import Parts
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import from_units
from agent_fund.fund.terms import Tick
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds


@dataclass(frozen=True)
class Cap:
    """The largest exposure that the mandate admits, as a share of NAV.

    Attributes:
        now: at this NAV and mark. ``peak``: at no drawdown.
    """

    now: float
    peak: float


def cap_of(limit: float, bounds: Bounds, gross: int, nav: int, mark: int) -> Cap:
    """The cap in the direction of a book of ``gross`` exposure with proved ``bounds``.

    With loss l, gain g and costs c a unit of exposure, Safe solves to
    ``min(limit / (l + c + (1 - limit) g), (1 - (1 - limit) mark / nav) / (l + c))``.
    """
    if not bounds.loss and not bounds.costs:
        return Cap(float("inf"), float("inf"))  # a set in which nothing can be lost
    loss = bounds.loss / SCALE / gross
    gain = bounds.gain / SCALE / gross
    cost = bounds.costs / gross
    peak = limit / (loss + cost + (1 - limit) * gain)
    room = (1 - (1 - limit) * mark / nav) / (loss + cost)
    return Cap(max(0.0, min(peak, room)), peak)


def gross_of(parts: Parts, tick: Tick) -> int:
    """Sum of absolute positions at the bar's close, in base units of the currency."""
    return sum(
        abs(i.notional(q, p))
        for i, q, p in zip(parts.instruments, tick.positions, tick.closes, strict=True)
    )


def frame_of(
    parts: Parts, ticks: Sequence[Tick], spare: Bounds, unguarded: Sequence[Tick] | None
) -> pd.DataFrame:
    """One row a bar, floats, for metrics and plots; index is close_time in UTC.

    Columns ``exposure.SYMBOL`` are shares of NAV, ``position.SYMBOL`` quantities, ``price.SYMBOL``
    what a position is valued at. Where there are perpetuals, ``equity.PLACE`` and
    ``maintenance.PLACE`` are amounts at the close, ``funding`` and ``liquidated`` those of the bar,
    and ``unguarded_funding`` and ``unguarded_liquidated`` the twin's.

    Args:
        spare: bounds of a book of one NAV in equal weights at the start, for a run that never
            holds any. Otherwise a bar without positions has the cap of the strategy's direction
            when it last held some, or is first going to.
    """
    limit = float(parts.mandate.drawdown.limit)
    gross_limit = parts.mandate.guardrail("gross_leverage")
    most = float("inf") if gross_limit is None else float(gross_limit.limit)
    unit = float(10**parts.currency.scale)
    rows = []
    grosses = [gross_of(parts, tick) for tick in ticks]
    held = [
        (tick.bounds, gross)
        for tick, gross in zip(ticks, grosses, strict=True)
        if gross > 0 and tick.bounds.loss > 0
    ]
    direction = held[0] if held else (spare, parts.cash)
    for tick, gross in zip(ticks, grosses, strict=True):
        if gross > 0 and tick.bounds.loss > 0:
            direction = (tick.bounds, gross)
        cap = cap_of(limit, *direction, tick.nav, tick.mark)
        rows.append(
            {
                "nav_open": tick.nav_open / unit,
                "nav": tick.nav / unit,
                "mark": tick.mark / unit,
                "floor": (1 - limit) * tick.mark / unit,
                "cash": tick.cash / unit,
                "exposure": gross / tick.nav,
                "cap": min(cap.now, most),
                "cap_at_peak": min(cap.peak, most),
                "mode": tick.mode.value,
            }
            | {
                f"exposure.{i.symbol}": i.notional(q, p) / tick.nav
                for i, q, p in zip(parts.instruments, tick.positions, tick.closes, strict=True)
            }
        )
    times = pd.to_datetime([t.close_time for t in ticks], unit="ms", utc=True)
    frame = pd.DataFrame(rows, index=pd.DatetimeIndex(times, name="close_time"))
    for number, i in enumerate(parts.instruments):
        base, price = float(10**i.base.scale), float(10**i.price_scale)
        frame[f"position.{i.symbol}"] = [t.positions[number] / base for t in ticks]
        frame[f"price.{i.symbol}"] = [t.closes[number] / price for t in ticks]
    if unguarded is not None:
        frame["unguarded_nav"] = [t.nav / unit for t in unguarded]
    if not ticks[0].places:
        return frame
    for number, place in enumerate(places_of(parts.instruments)):
        frame[f"equity.{place}"] = [t.places[number] / unit for t in ticks]
        frame[f"maintenance.{place}"] = [t.maintenance[number] / unit for t in ticks]
    for prefix, bars in (("", ticks), ("unguarded_", unguarded or ())):
        if bars:
            frame[f"{prefix}funding"] = [t.funding / unit for t in bars]
            frame[f"{prefix}liquidated"] = [t.liquidated for t in bars]
    return frame


def places_of(instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """The places where the fund's cash stands, in the order of ``Tick.places``."""
    return tuple(dict.fromkeys(i.account for i in instruments))


def write_history(
    folder: Path, parts: Parts, ticks: Sequence[Tick], unguarded: Sequence[Tick] | None
) -> None:
    """``history.parquet``: what the log implies bar by bar, in exact decimals.

    Where there are perpetuals, ``equity.PLACE`` and ``maintenance.PLACE`` at each close and the
    ``funding`` of each bar stand after the positions.
    """
    scale = parts.currency.scale
    money = pa.decimal128(38, scale)

    def column(values: Sequence[int]) -> pa.Array:
        return pa.array([from_units(v, scale) for v in values], type=money)

    columns: dict[str, pa.Array] = {
        "bar": pa.array([t.bar for t in ticks], type=pa.int64()),
        "close_time": pa.array([t.close_time for t in ticks], type=pa.timestamp("ms", tz="UTC")),
        "nav_open": column([t.nav_open for t in ticks]),
        "nav": column([t.nav for t in ticks]),
        "mark": column([t.mark for t in ticks]),
        "cash": column([t.cash for t in ticks]),
        "mode": pa.array([t.mode.value for t in ticks], type=pa.string()),
    }
    for index, instrument in enumerate(parts.instruments):
        places = instrument.base.scale
        columns[f"position.{instrument.symbol}"] = pa.array(
            [from_units(t.positions[index], places) for t in ticks], type=pa.decimal128(38, places)
        )
    if ticks[0].places:
        for name, standing in (
            ("equity", [t.places for t in ticks]),
            ("maintenance", [t.maintenance for t in ticks]),
        ):
            for number, place in enumerate(places_of(parts.instruments)):
                columns[f"{name}.{place}"] = column([amounts[number] for amounts in standing])
        columns["funding"] = column([t.funding for t in ticks])
    if unguarded is not None:
        columns["unguarded_nav"] = column([t.nav for t in unguarded])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    replace_file(folder / HISTORY, sink.getvalue().to_pybytes())
