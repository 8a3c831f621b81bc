"""Records: what each arrow of the loop leaves in the log, field by field.

The order is the promise: an intent is durable before the model is called, a guard record before
its orders, the orders before anything is sent. Integers that may pass 2^53 are decimal strings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.audit.canonical import JSON
from agent_fund.audit.recorder import Recorder
from agent_fund.domain.book import Book
from agent_fund.domain.order import Fill, Order, Proposal
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Arrival, Transit
from agent_fund.fund.flows import Flow
from agent_fund.guard.finding import Finding
from agent_fund.guard.machine import Mode
from agent_fund.guard.proof import band_json, book_json, legs_json, subject, transfers_json
from agent_fund.guard.verdict import Certified, Situation, Verdict
from agent_fund.market.gaps import Gap

MAX_REASON = 500


class Journal:
    """Writes the fund's records through one recorder."""

    def __init__(self, recorder: Recorder, mandate_digest: str) -> None:
        self.recorder = recorder
        self._mandate = mandate_digest

    def gap(self, gap: Gap) -> None:
        """A stretch of data that the run file said to skip."""
        self.recorder.append(
            {
                "kind": "gap",
                "after": gap.after,
                "before": gap.before,
                "missing": list(gap.missing),
            }
        )

    def proposal(self, bar: int, intent: int, proposal: Proposal) -> int:
        """What the agent asks for; closes its intent."""
        return self.recorder.append(
            {
                "kind": "proposal",
                "bar": bar,
                "intent": intent,
                "legs": [dict(leg) for leg in legs_json(proposal)],
                "ordered": proposal.ordered,
                "transfers": [dict(transfer) for transfer in transfers_json(proposal)],
                "reason": _words(proposal.reason),
            }
        )

    def abort(self, bar: int, intent: int | None, reason: str) -> int:
        """The agent has no answer: it abstains, and why; closes its intent if it made one."""
        return self.recorder.append(
            {
                "kind": "abort",
                "bar": bar,
                "intent": -1 if intent is None else intent,
                "reason": _words(reason),
            }
        )

    def decide(self, verdict: Verdict, made: int, situation: Situation) -> int:
        """The guard's verdict on the proposal recorded at index ``made``."""
        record = self._situation("decide", situation)
        record |= {
            "proposal": made,
            "outcome": verdict.outcome.value,
            "theta": str(verdict.theta),
            "findings": [dict(f.to_json()) for f in verdict.findings],
            "broken": [dict(f.to_json()) for f in verdict.broken],
        }
        record |= self._certified(verdict.certified, verdict.proposal, situation)
        return self.recorder.append(record)

    def look(self, certified: Certified, situation: Situation) -> int:
        """The held book certified anew."""
        record = self._situation("look", situation)
        record |= self._certified(certified, Proposal(), situation)
        return self.recorder.append(record)

    def way_out(
        self,
        act: str,
        situation: Situation,
        fraction: Fraction,
        proposal: Proposal,
        why: Finding | None,
    ) -> int:
        """The guard's own orders: ``reduce`` or ``exit``, under the last accepted bounds.

        Args:
            fraction: of every position that is to be closed, before one bar's capacity.
        """
        record = self._situation(act, situation)
        record |= {
            "why": dict(why.to_json()) if why is not None else {},
            "fraction": str(fraction),
            "legs": [dict(leg) for leg in legs_json(proposal)],
        }
        return self.recorder.append(record)

    def mode(self, act: str, situation: Situation, why: str, **about: JSON) -> int:
        """``kill``, ``done``, ``hold``, ``settle`` or ``adjust``, and who or what asked for it."""
        record = self._situation(act, situation)
        record["why"] = {"text": _words(why)}
        return self.recorder.append(record | about)

    def resume(self, certified: Certified, situation: Situation, why: str) -> int:
        """The agent may trade again: who said so, and the certificate of the book held."""
        record = self._situation("resume", situation)
        record["why"] = {"text": _words(why)}
        record |= self._certified(certified, Proposal(), situation)
        return self.recorder.append(record)

    def flow(
        self, flow: Flow, before: Situation, after: Situation, certified: Certified | None
    ) -> int:
        """Money in or out with the certificate of the book after it, or that it must wait."""
        act = "flow" if certified is not None else "flow_queued"
        record = self._situation(act, before)
        record |= {"due": flow.due, "amount": str(flow.amount), "name": flow.name}
        if certified is not None:
            record |= self._certified(certified, Proposal(), after)
        return self.recorder.append(record)

    def order(self, order: Order, guard: int, leg: int) -> int:
        """An order that may now be sent."""
        return self.recorder.append(
            {
                "kind": "order",
                "guard": guard,
                "leg": leg,
                "id": order.order_id,
                "instrument": order.instrument.symbol,
                "side": order.side.value,
                "quantity": str(order.quantity),
                "limit": str(order.limit),
                "purpose": order.purpose.value,
                "expires": order.expires,
                "waits_for": order.waits_for or "",
            }
        )

    def fill(self, fill: Fill) -> int:
        """An execution report of a trade."""
        return self.recorder.append(
            {
                "kind": "fill",
                "bar": fill.bar,
                "exec": fill.exec_id,
                "order": fill.order_id,
                "quantity": str(fill.quantity),
                "price": str(fill.price),
                "fee": str(fill.fee),
            }
        )

    def transfer(self, transit: Transit, guard: int) -> int:
        """Money that leaves one place for another."""
        transfer = transit.transfer
        return self.recorder.append(
            {
                "kind": "transfer",
                "guard": guard,
                "id": transit.transfer_id,
                "source": transfer.source,
                "target": transfer.target,
                "amount": str(transfer.amount),
                "cost": str(transfer.cost),
                "due": transit.due,
            }
        )

    def arrival(self, arrival: Arrival, bar: int) -> int:
        """Money that has come to its place, or back."""
        return self.recorder.append(
            {
                "kind": "arrival",
                "bar": bar,
                "id": arrival.transit.transfer_id,
                "received": str(arrival.received),
                "returned": arrival.returned,
            }
        )

    def funding(self, event: Funding) -> int:
        """Funding paid or received at a bar's open."""
        return self.recorder.append(
            {
                "kind": "funding",
                "bar": event.bar,
                "instrument": event.instrument.symbol,
                "quantity": str(event.quantity),
                "mark": str(event.mark),
                "rate": str(event.rate),
                "amount": str(event.amount),
            }
        )

    def liquidation(self, event: Liquidation) -> int:
        """A position that its venue closed, by the rule or by a trade that it told."""
        if event.exec_id:
            return self.recorder.append(
                {
                    "kind": "forced",
                    "bar": event.bar,
                    "when": event.when,
                    "exec": event.exec_id,
                    "instrument": event.instrument.symbol,
                    "quantity": str(event.quantity),
                    "price": str(event.mark),
                    "fee": str(event.fee),
                }
            )
        return self.recorder.append(
            {
                "kind": "liquidation",
                "bar": event.bar,
                "when": event.when,
                "instrument": event.instrument.symbol,
                "quantity": str(event.quantity),
                "mark": str(event.mark),
                "fee": str(event.fee),
                "cover": str(event.cover),
            }
        )

    def status(self, order: Order, bar: int) -> int:
        """An order that ended, or that the venue doubts."""
        return self.recorder.append(
            {"kind": "status", "bar": bar, "order": order.order_id, "status": order.status.value}
        )

    def close(self, bars: int, nav: int, mark: int, mode: Mode, breaches: Sequence[int]) -> int:
        """The end of the run."""
        return self.recorder.append(
            {
                "kind": "close",
                "bars": bars,
                "nav": str(nav),
                "mark": str(mark),
                "mode": mode.value,
                "breaches": list(breaches),
            }
        )

    def _situation(self, act: str, situation: Situation) -> dict[str, JSON]:
        prices: Mapping[str, int] = situation.prices
        return {
            "kind": "guard",
            "act": act,
            "bar": situation.bar,
            "mandate": self._mandate,
            "book": book_json(situation.book),
            "prices": {s: str(p) for s, p in sorted(prices.items())},
            "nav": str(situation.nav),
            "mark": str(situation.mark),
            "capacity": {s: str(c) for s, c in sorted(situation.capacity.items())},
        }

    def _certified(
        self, certified: Certified | None, proposal: Proposal, situation: Situation
    ) -> dict[str, JSON]:
        legs: list[JSON] = [dict(leg) for leg in legs_json(proposal)]
        transfers: list[JSON] = [dict(transfer) for transfer in transfers_json(proposal)]
        trade: dict[str, JSON] = {
            "legs": legs,
            "ordered": proposal.ordered,
            "transfers": transfers,
        }
        if certified is None:
            return trade
        bounds = certified.bounds
        book: Book = situation.book
        return trade | {
            "band": {s: list(pair) for s, pair in band_json(certified.band).items()},
            "bounds": {
                "loss": str(bounds.loss),
                "gain": str(bounds.gain),
                "costs": str(bounds.costs),
                "shortfall": str(bounds.shortfall),
            },
            "latest": certified.latest,
            "proof": self.recorder.blob(certified.proof.encode()),
            "subject": subject(self._mandate, book, proposal, certified.band, certified.latest),
        }


def _words(text: str) -> str:
    """What a record can hold of ``text``: not too much, and no half of a character."""
    return text[:MAX_REASON].encode("utf-8", "replace").decode()
