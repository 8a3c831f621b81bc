"""What was asked and what became of it: decisions, abstentions and the guard's acts in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.domain.instrument import Instrument
from agent_fund.guard.finding import Finding
from agent_fund.report.run import Run

ACTS = {
    "look": "held book certified anew",
    "reduce": "guard reduces",
    "exit": "guard exits",
    "kill": "trading stopped",
    "done": "halted",
    "resume": "trading resumed",
    "flow": "money in or out",
    "flow_queued": "money in or out waits",
}


@dataclass(frozen=True)
class Decision:
    """One proposal and its verdict.

    Attributes:
        theta: the share of the proposal that was sent: 1 admitted, 0 refused.
        asked, sent: the legs in words.
        reason: the agent's own words; untrusted text.
        why: the guard's words for each guardrail that the proposal would have broken.
    """

    bar: int
    outcome: str
    theta: float
    asked: str
    sent: str
    reason: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Act:
    """One act of the guard itself, with its reason in the guard's words."""

    bar: int
    act: str
    legs: str
    why: str


@dataclass(frozen=True)
class Abstention:
    """A decision for which the agent had no answer; ``reason`` is untrusted text."""

    bar: int
    reason: str


def decisions(run: Run) -> list[Decision]:
    """Every verdict, in order."""
    found = []
    for record in run.records:
        if record.get("act") == "decide":
            proposal = run.records[record["proposal"]]
            found.append(
                Decision(
                    record["bar"],
                    record["outcome"],
                    float(Fraction(record["theta"])),
                    legs_text(run, proposal["legs"]),
                    legs_text(run, record["legs"]),
                    proposal["reason"],
                    tuple(Finding(**finding).text for finding in record["broken"]),
                )
            )
    return found


def abstentions(run: Run) -> list[Abstention]:
    """Every decision without an answer, in order."""
    return [Abstention(r["bar"], r["reason"]) for r in run.records if r["kind"] == "abort"]


def acts(run: Run) -> list[Act]:
    """What the guard did besides judging proposals, in order."""
    return [
        Act(r["bar"], r["act"], legs_text(run, r.get("legs", ())), _why(run, r))
        for r in run.records
        if r["kind"] == "guard" and r["act"] != "decide"
    ]


def legs_text(run: Run, legs: Sequence[Mapping[str, Any]]) -> str:
    """Legs as people read them: ``buy 410.09 SP500 at 1,214.10 or better``."""
    instruments = {i.symbol: i for i in run.parts.instruments}
    return "; ".join(_leg(instruments[leg["instrument"]], leg) for leg in legs)


def _leg(instrument: Instrument, leg: Mapping[str, Any]) -> str:
    quantity = instrument.base.amount(int(leg["quantity"]))
    limit = instrument.price_decimal(int(leg["limit"]))
    return f"{leg['side']} {quantity:,f} {instrument.symbol} at {limit:,f} or better"


def _why(run: Run, record: Mapping[str, Any]) -> str:
    if record["act"] in ("flow", "flow_queued"):
        amount = run.parts.currency.amount(int(record["amount"]))
        return f"{record['name']}: {amount:,f} {run.currency}"
    why = record.get("why") or {}
    if "text" in why:
        return str(why["text"])
    return Finding(**why).text if why else ""
