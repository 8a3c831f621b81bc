"""The summary of a run: what happened, whether the guarantee held, and which assumptions did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from agent_fund.audit.canonical import JSON
from agent_fund.backtest.assemble import Parts
from agent_fund.backtest.metrics import decimal_text, performance
from agent_fund.domain.money import from_units
from agent_fund.fund.fund import Tick
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.finding import share
from agent_fund.guard.stress import percent

HELD, ASSUMPTION, DEFECT = "held", "assumption failed", "defect"


def guarantee(monitor: Monitor) -> str:
    """``held``; or ``assumption failed`` or ``defect`` for the first breach of the limit."""
    if not monitor.breaches:
        return HELD
    return ASSUMPTION if monitor.breaches[0].failures else DEFECT


def summarize(
    parts: Parts,
    run: str,
    root: bytes,
    size: int,
    ticks: Sequence[Tick],
    frame: pd.DataFrame,
    monitor: Monitor,
    records: Sequence[Mapping[str, Any]],
) -> dict[str, JSON]:
    """Canonical JSON values; the same run gives the same bytes.

    Args:
        frame: one row a bar (see ``history.frame_of``).
        records: the log's records, in order.
    """
    scale = parts.currency.scale
    acts = Counter(r["act"] for r in records if r["kind"] == "guard")
    outcomes = Counter(r["outcome"] for r in records if r.get("act") == "decide")
    reasons = Counter(
        f["guardrail"] for r in records if r.get("act") == "decide" for f in r["broken"]
    )
    fees = sum(int(r["fee"]) for r in records if r["kind"] == "fill")
    stress = parts.mandate.stress
    summary: dict[str, JSON] = {
        "name": parts.runfile.name,
        "run": run,
        "log": {"root": root.hex(), "size": size},
        "window": {
            "first": frame.index[0].isoformat(),
            "last": frame.index[-1].isoformat(),
            "bars": len(ticks),
        },
        "fund": {
            "currency": parts.currency.symbol,
            "nav": str(from_units(ticks[-1].nav, scale)),
            "mark": str(from_units(ticks[-1].mark, scale)),
            "mode": ticks[-1].mode.value,
            "fees": str(from_units(fees, scale)),
            **performance(frame["nav"]),
        },
        "mandate": {
            "name": parts.mandate.name,
            "digest": parts.mandate.digest,
            "limits": {g.kind: share(g.limit) for g in parts.mandate.guardrails},
            "box": {
                name: [percent(low), percent(high)]
                for name, (low, high) in zip(
                    [*stress.instruments, *(f.name for f in stress.factors)],
                    stress.box,
                    strict=True,
                )
            },
            "horizon": stress.horizon,
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
        "modes": {str(k): int(v) for k, v in sorted(frame["mode"].value_counts().items())},
        "exposure": {
            "mean": decimal_text(float(frame["exposure"].mean())),
            "cap_now": decimal_text(float(frame["cap"].mean())),
            "cap_at_peak": decimal_text(float(frame["cap_at_peak"].mean())),
            "share_of_cap": decimal_text(
                float(frame["exposure"].mean() / frame["cap_at_peak"].mean())
            ),
        },
        "stale_opens": {s: decimal_text(float(v)) for s, v in parts.stale_opens.items()},
    }
    if "unguarded_nav" in frame:
        twin = performance(frame["unguarded_nav"])
        cost = float(frame["unguarded_nav"].iloc[-1] - frame["nav"].iloc[-1])
        summary["unguarded"] = {**twin, "guard_cost": f"{cost:.2f}"}
    return summary
