"""The track record that a log implies; the summary states it, and the verifier compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol

from agent_fund.audit.canonical import JSON
from agent_fund.domain.money import from_units
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.machine import Mode

HELD, ASSUMPTION, DEFECT = "held", "assumption failed", "defect"


class Bar(Protocol):
    """What a bar left: NAV and high-water mark in base units, and the mode."""

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
    capital: int,
    scale: int,
) -> dict[str, JSON]:
    """The figures that follow from the log alone, as canonical JSON values.

    Args:
        capital: NAV before the first bar; ``scale``: decimals of the currency.
    """
    last = bars[-1]
    acts = Counter(r["act"] for r in records if r["kind"] == "guard")
    outcomes = Counter(r["outcome"] for r in records if r.get("act") == "decide")
    reasons = Counter(
        f["guardrail"] for r in records if r.get("act") == "decide" for f in r["broken"]
    )
    fees = sum(int(r["fee"]) for r in records if r["kind"] == "fill")
    return {
        "fund": {
            "nav": str(from_units(last.nav, scale)),
            "mark": str(from_units(last.mark, scale)),
            "mode": last.mode.value,
            "fees": str(from_units(fees, scale)),
            "max_drawdown": share_text(-deepest(bars)),
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
                "nav": str(from_units(b.nav, scale)),
                "mark": str(from_units(b.mark, scale)),
                "failed": sorted({f.assumption for f in b.failures}),
            }
            for b in monitor.breaches
        ],
        "decisions": {
            "intents": sum(r["kind"] == "intent" for r in records),
            "abstained": sum(r["kind"] == "abort" for r in records),
            "held": sum(r["kind"] == "proposal" and not r["legs"] for r in records),
            **{outcome: outcomes[outcome] for outcome in ("admitted", "repaired", "refused")},
        },
        "reasons": dict(sorted(reasons.items())),
        "acts": dict(sorted(acts.items())),
    }


def share_text(value: Fraction) -> str:
    """A share with six decimals, rounded half to even, as a decimal string."""
    return str((Decimal(round(value * 10**6)) / 10**6).quantize(Decimal("0.000001")))
