"""What was asked and what became of it: decisions, abstentions and the guard's acts in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.audit.track_record import by_people
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.finding import Finding
from agent_fund.report.run import Run

ACTS = {
    "look": "held book certified anew",
    "reduce": "guard reduces",
    "exit": "guard exits",
    "kill": "trading stopped",
    "hold": "agent held",
    "resume": "resumed",
    "settle": "an order settled by a person",
    "adjust": "books adjusted by a person",
    "done": "halted",
    "flow": "money in or out",
    "flow_queued": "money in or out waits",
}


@dataclass(frozen=True)
class Decision:
    """One proposal and its verdict.

    Attributes:
        theta: the share of the proposal that was sent: 1 admitted, 0 refused.
        proposal, record: what was asked for and what was sent, as in the log.
        reason: the agent's own words; untrusted text.
        why: the guard's words for each guardrail that the proposal would have broken.
        broken: the names of those guardrails.
    """

    bar: int
    outcome: str
    theta: float
    reason: str
    why: tuple[str, ...]
    broken: tuple[str, ...]
    run: Run
    proposal: Mapping[str, Any]
    record: Mapping[str, Any]

    @property
    def asked(self) -> str:
        """The legs asked for, and the cash to be moved, in words."""
        return _trade(self.run, self.proposal)

    @property
    def sent(self) -> str:
        """What was sent of it, in words."""
        return _trade(self.run, self.record)


@dataclass(frozen=True)
class Act:
    """What was done besides judging proposals, with its reason.

    Attributes:
        by_people: whether people did it, and not the guard, or the run, by itself.
    """

    bar: int
    act: str
    legs: str
    why: str
    by_people: bool


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
                    proposal["reason"],
                    tuple(Finding(**finding).text for finding in record["broken"]),
                    tuple(finding["guardrail"] for finding in record["broken"]),
                    run,
                    proposal,
                    record,
                )
            )
    return found


def abstentions(run: Run) -> list[Abstention]:
    """Every decision without an answer, in order."""
    return [Abstention(r["bar"], r["reason"]) for r in run.records if r["kind"] == "abort"]


def acts(run: Run) -> list[Act]:
    """What the guard did besides judging proposals, and people did, in order."""
    return [
        Act(r["bar"], r["act"], legs_text(run, r.get("legs", ())), _why(run, r), by_people(r))
        for r in run.records
        if r["kind"] == "guard" and r["act"] != "decide"
    ]


def legs_text(run: Run, legs: Sequence[Mapping[str, Any]]) -> str:
    """Legs as people read them: ``buy 410.09 SP500 at 1,214.10 or better``."""
    instruments = {i.symbol: i for i in run.parts.instruments}
    return "; ".join(_leg(instruments[leg["instrument"]], leg) for leg in legs)


def _trade(run: Run, record: Mapping[str, Any]) -> str:
    """Legs, and the cash that is moved with them."""
    moved = [
        f"move {run.parts.currency.amount(int(t['amount'])):,.2f} {run.currency} "
        f"from {t['source']} to {t['target']}"
        for t in record.get("transfers", ())
    ]
    return "; ".join(filter(None, [legs_text(run, record["legs"]), *moved]))


def _leg(instrument: Instrument, leg: Mapping[str, Any]) -> str:
    size = instrument.base.amount(int(leg["quantity"]))
    limit = instrument.price_decimal(int(leg["limit"]))
    lot = _digits(instrument.base.scale, instrument.lot)
    tick = _digits(instrument.price_scale, instrument.tick)
    return f"{leg['side']} {size:,.{lot}f} {instrument.symbol} at {limit:,.{tick}f} or better"


def _digits(scale: int, step: int) -> int:
    """Decimals of multiples of ``step`` base units: the zeros that all of them end in left out."""
    zeros = len(str(step)) - len(str(step).rstrip("0"))
    return max(0, scale - zeros)


def _why(run: Run, record: Mapping[str, Any]) -> str:
    if record["act"] in ("flow", "flow_queued"):
        amount = run.parts.currency.amount(int(record["amount"]))
        return f"{record['name']}: {amount:,f} {run.currency}"
    why = record.get("why") or {}
    if "text" in why:
        return str(why["text"])
    return Finding(**why).text if why else ""
