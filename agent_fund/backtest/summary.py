"""The summary of a run: what happened, whether the guarantee held, and which assumptions did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pandas as pd

from agent_fund.audit.canonical import JSON
from agent_fund.audit.track_record import deepest, share_text, share_up, track_record
from agent_fund.backtest.coverage import coverage
from agent_fund.backtest.history import places_of
from agent_fund.backtest.metrics import decimal_text, ratios
from agent_fund.backtest.parts import Parts
from agent_fund.domain.money import from_units
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Tick


def summarize(
    parts: Parts,
    run: str,
    root: bytes,
    size: int,
    ticks: Sequence[Tick],
    frame: pd.DataFrame,
    monitor: Monitor,
    records: Sequence[Mapping[str, Any]],
    unguarded: Sequence[Tick] | None,
) -> dict[str, JSON]:
    """Canonical JSON values; the same run gives the same bytes.

    Args:
        frame: one row a bar (see ``history.frame_of``).
        records: the log's records, in order.
        unguarded: the twin's bars, if it ran.
    """
    scale = parts.currency.scale
    record = track_record(records, ticks, monitor, parts.mandate, parts.cash, scale)
    figures = record.pop("fund")
    if not isinstance(figures, dict):
        raise TypeError("a track record has the fund's figures")
    summary: dict[str, JSON] = {
        **record,
        "run": run,
        "log": {"root": root.hex(), "size": size},
        "fund": {**figures, **ratios(frame["nav"])},
        "exposure": {
            "mean": decimal_text(float(frame["exposure"].mean())),
            "cap_now": decimal_text(float(frame["cap"].mean())),
            "cap_at_peak": decimal_text(float(frame["cap_at_peak"].mean())),
            "share_of_cap": decimal_text(
                float(frame["exposure"].mean() / frame["cap_at_peak"].mean())
            ),
        },
        "stale_opens": {s: decimal_text(float(v)) for s, v in parts.stale_opens.items()},
        "box_coverage": coverage(parts),
    }
    if ticks[0].places:
        summary["perpetuals"] = _perpetuals(parts, ticks, records)
    if unguarded is not None:
        final = unguarded[-1].nav
        twin: dict[str, JSON] = {
            "nav": str(from_units(final, scale)),
            "total_return": share_text(Fraction(final, parts.cash) - 1),
            "max_drawdown": share_up(-deepest(unguarded)),
            **ratios(frame["unguarded_nav"]),
        }
        cost = float(frame["unguarded_nav"].iloc[-1] - frame["nav"].iloc[-1])
        if unguarded[0].places:
            twin["funding"] = _amount(sum(t.funding for t in unguarded), scale)
            twin["liquidations"] = sum(t.liquidated for t in unguarded)
        summary["unguarded"] = {**twin, "guard_cost": f"{cost:.2f}"}
    return summary


def _perpetuals(
    parts: Parts, ticks: Sequence[Tick], records: Sequence[Mapping[str, Any]]
) -> dict[str, JSON]:
    """Funding by its sign, the worst margin use by account at closes, and liquidations.

    Margin use is maintenance as a share of equity: at 100 % the venue liquidates. It is ``"n/a"``
    of an account that needs margin and has no equity.
    """
    amounts = [int(r["amount"]) for r in records if r["kind"] == "funding"]
    scale = parts.currency.scale
    margined = {i.account for i in parts.instruments if i.margin is not None}
    return {
        "funding_received": _amount(sum(a for a in amounts if a > 0), scale),
        "funding_paid": _amount(-sum(a for a in amounts if a < 0), scale),
        "margin_use": {
            place: _worst([(t.maintenance[number], t.places[number]) for t in ticks])
            for number, place in enumerate(places_of(parts.instruments))
            if place in margined
        },
        "liquidations": sum(r["kind"] in ("liquidation", "forced") for r in records),
    }


def _worst(bars: Sequence[tuple[int, int]]) -> str:
    """The largest ratio of maintenance to equity."""
    needed = [(need, equity) for need, equity in bars if need]
    if any(equity <= 0 for _, equity in needed):
        return "n/a"
    return share_text(max((Fraction(n, e) for n, e in needed), default=Fraction(0)))


def _amount(units: int, scale: int) -> str:
    return f"{from_units(units, scale):f}"
