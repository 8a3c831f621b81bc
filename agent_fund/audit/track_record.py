"""The track record that a log implies; the summary states it, and the verifier compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil
from typing import Any, Protocol

from agent_fund.audit.canonical import JSON
from agent_fund.domain.money import from_units
from agent_fund.fund.control_command import BROKEN, HAD_ITS_BARS, ITSELF
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.machine import Mode
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import percent

HELD, ASSUMPTION, DEFECT = "held", "assumption failed", "defect"


@dataclass(frozen=True)
class Marked:
    """One bar as the log implies it."""

    bar: int
    close_time: int
    nav_open: int
    nav: int
    mark: int
    cash: int
    positions: tuple[int, ...]
    mode: Mode
    places: tuple[int, ...] = ()
    maintenance: tuple[int, ...] = ()
    funding: int = 0


class Bar(Protocol):
    """What a bar left: NAV and high-water mark in base units, and the mode."""

    @property
    def close_time(self) -> int:
        """Its close, ms since the epoch, UTC."""

    @property
    def nav_open(self) -> int:
        """NAV at the open, after its fills."""

    @property
    def nav(self) -> int:
        """NAV after everything that the bar brought."""

    @property
    def mark(self) -> int:
        """High-water mark then."""

    @property
    def mode(self) -> Mode:
        """Mode then."""


def guarantee(monitor: Monitor) -> str:
    """HELD; or ASSUMPTION or DEFECT for the first breach of the limit."""
    breaches = monitor.breaches
    if not breaches:
        return HELD
    return ASSUMPTION if breaches[0].failures else DEFECT


def failed_bars(failures: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """The bars in which each assumption failed, in order; only those that did.

    Args:
        failures: assumption and bar of each, in any order.
    """
    bars: dict[str, set[int]] = {}
    for assumption, bar in failures:
        bars.setdefault(assumption, set()).add(bar)
    return {code: sorted(found) for code, found in sorted(bars.items())}


def by_people(record: Mapping[str, Any]) -> bool:
    """Whether a record of a guard's act states what a person did, and not the fund by itself."""
    act = record["act"]
    if act in ("hold", "kill"):
        text = record["why"]["text"]
        return text not in (BROKEN, HAD_ITS_BARS) and not text.startswith(f"{ITSELF}: ")
    return act in ("resume", "settle", "adjust", "flow", "flow_queued")


def deepest(bars: Sequence[Bar]) -> Fraction:
    """The deepest fall of NAV below its high-water mark, at opens and closes."""
    worst, mark = Fraction(0), 0
    for bar in bars:
        mark = max(mark, bar.nav_open)
        worst = max(worst, 1 - Fraction(bar.nav_open, mark), 1 - Fraction(bar.nav, bar.mark))
        mark = bar.mark
    return worst


def track_record(
    records: Sequence[Mapping[str, Any]],
    bars: Sequence[Bar],
    monitor: Monitor,
    mandate: ResolvedMandate,
    capital: int,
    scale: int,
) -> dict[str, JSON]:
    """The figures that follow from the log alone, as canonical JSON values.

    Args:
        records: all of the log, the genesis record first. ``bars``: at least one.
        capital: NAV before the first bar; ``scale``: decimals of the currency.
    """
    genesis, first, last = records[0], bars[0], bars[-1]
    guard = [r for r in records if r["kind"] == "guard"]
    acts = Counter(r["act"] for r in guard)
    people = Counter(r["act"] for r in guard if by_people(r))
    outcomes = Counter(r["outcome"] for r in records if r.get("act") == "decide")
    reasons = Counter(
        f["guardrail"] for r in records if r.get("act") == "decide" for f in r["broken"]
    )
    fees = sum(int(r["fee"]) for r in records if r["kind"] == "fill")
    funding = sum(int(r["amount"]) for r in records if r["kind"] == "funding")
    return {
        "name": genesis["fund"],
        "window": {
            "first": _iso(first.close_time),
            "last": _iso(last.close_time),
            "bars": len(bars),
        },
        "mandate": _facts(mandate),
        "modes": dict(sorted(Counter(bar.mode.value for bar in bars).items())),
        "fund": {
            "currency": genesis["currency"]["symbol"],
            "nav": _amount(last.nav, scale),
            "mark": _amount(last.mark, scale),
            "mode": last.mode.value,
            "fees": _amount(fees, scale),
            "funding": _amount(funding, scale),
            "max_drawdown": share_up(-deepest(bars)),
            "total_return": share_text(Fraction(last.nav, capital) - 1),
        },
        "guarantee": guarantee(monitor),
        "coverage": {
            "inside": monitor.inside,
            "outside": len({f.bar for f in monitor.failures if f.assumption == "A1"}),
        },
        "failures": [
            {"assumption": f.assumption, "bar": f.bar, "text": f.text} for f in monitor.failures
        ],
        "breaches": [
            {
                "bar": b.bar,
                "when": b.when,
                "limit": b.limit,
                "nav": _amount(b.nav, scale),
                "mark": _amount(b.mark, scale),
                "failed": sorted({f.assumption for f in b.failures}),
            }
            for b in monitor.breaches
        ],
        "decisions": {
            "intents": sum(r["kind"] == "intent" for r in records),
            "abstained": sum(r["kind"] == "abort" for r in records),
            "held": sum(
                r["kind"] == "proposal" and not r["legs"] and not r["transfers"] for r in records
            ),
            **{outcome: outcomes[outcome] for outcome in ("admitted", "repaired", "refused")},
        },
        "reasons": dict(sorted(reasons.items())),
        "acts": dict(sorted(acts.items())),
        "acts_of_people": dict(sorted(people.items())),
        "corrections": [
            _correction(r, genesis) for r in records if r.get("act") in ("settle", "adjust")
        ],
    }


def _correction(record: Mapping[str, Any], genesis: Mapping[str, Any]) -> dict[str, JSON]:
    """What a person corrected, why, and what it moved NAV by."""
    said: dict[str, JSON] = {"bar": record["bar"], "act": record["act"]}
    said |= {"why": record["why"]["text"]}
    if record["act"] == "settle":
        return said | {"order": record["order"]}
    currency = genesis["currency"]
    scales = {i["symbol"]: i["asset_scale"] for i in genesis["instruments"]}
    scales[currency["symbol"]] = currency["scale"]
    amounts: dict[str, JSON] = {
        symbol: _amount(int(units), scales[symbol]) for symbol, units in record["units"].items()
    }
    moved = _amount(int(record["value"]), currency["scale"])
    return said | {"place": record["place"], "amounts": amounts, "nav": moved}


def share_text(value: Fraction) -> str:
    """A share with six decimals, rounded half to even, as a decimal string."""
    return _amount(round(value * 10**6), 6)


def share_up(value: Fraction) -> str:
    """As ``share_text``, rounded away from zero: a fall never reads as within a limit it broke."""
    units = ceil(abs(value) * 10**6)
    return _amount(-units if value < 0 else units, 6)


def _amount(units: int, scale: int) -> str:
    """All decimals, and never an exponent."""
    return f"{from_units(units, scale):f}"


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).isoformat()


def _facts(mandate: ResolvedMandate) -> dict[str, JSON]:
    """What the mandate says, as people read it."""
    stress = mandate.stress
    names = [*stress.instruments, *(f.name for f in stress.factors)]
    return {
        "name": mandate.name,
        "digest": mandate.digest,
        "limits": {g.key: g.stated for g in mandate.guardrails},
        "box": {
            name: [percent(low), percent(high)]
            for name, (low, high) in zip(names, stress.box, strict=True)
        },
        "horizon": stress.horizon,
    }
