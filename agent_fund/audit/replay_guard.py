"""Guard records checked again: the situation is the replayed one, the certificates prove what
they claim, the limits hold, every order that follows is a leg that was admitted, and the findings
are those that the deciding code makes. Of the drawdown of a trade that was not certified there is
no proof: its finding is taken as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log
from agent_fund.audit.replay_findings import Judged, require_findings
from agent_fund.audit.schema import number
from agent_fund.domain.book import Book
from agent_fund.domain.money import ratio
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.activity import NOTHING_SENT
from agent_fund.guard.band import Band
from agent_fund.guard.cases import cases
from agent_fund.guard.finding import Finding
from agent_fund.guard.kernel.certificate import Certificate as KernelCertificate
from agent_fund.guard.limits import ALWAYS, activity_after, always, life, pre_trade
from agent_fund.guard.machine import Bounds, Machine
from agent_fund.guard.proof import Proof, book_json, legs_json, proved_bounds, subject
from agent_fund.guard.repair.distance import departure
from agent_fund.guard.repair.scaled import scale
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Situation, locked_out
from agent_fund.guard.wayout import closing

HOLD = Proposal()


@dataclass(frozen=True)
class Certificate:
    """What was proved: the bounds, over a band, for one book, for decisions until a bar.

    Attributes:
        book: the book as a record holds it; empty if it covers no look.
        demands: what was proved of a trade for the mandate's own stressed clauses.
    """

    bounds: Bounds
    band: Band
    book: Mapping[str, Any]
    until: int
    demands: Sequence[KernelCertificate] = ()

    def covers(self, book: Book, prices: Mapping[str, int], bar: int) -> bool:
        """Whether a look at ``book`` may rest on it."""
        if bar > self.until or self.book != book_json(book):
            return False
        return all(low <= prices[s] <= high for s, (low, high) in self.band.items())


class GuardReplay:
    """The checks of guard records under one mandate, and what was sent under it so far."""

    def __init__(self, log: Log, mandate: ResolvedMandate, digest: str) -> None:
        self._log = log
        self._mandate = mandate
        self._digest = digest
        self._activity = NOTHING_SENT

    def require_situation(
        self,
        record: dict[str, Any],
        book: Book,
        prices: Mapping[str, int],
        machine: Machine,
        bar: int,
    ) -> None:
        """The record saw the book, the prices, the NAV and the mark that the log implies."""
        found = {
            "bar": bar,
            "mandate": self._digest,
            "book": book_json(book),
            "prices": {s: str(p) for s, p in sorted(prices.items())},
            "nav": str(machine.v),
            "mark": str(machine.h),
        }
        for key, value in found.items():
            if record[key] != value:
                raise AuditError(f"{key} of the guard", record[key], f"the log implies {value}")

    def certified(
        self, record: dict[str, Any], book: Book, prices: Mapping[str, int], symbols: Sequence[str]
    ) -> Certificate:
        """The certificate of a held book; its proof checked, its band around the prices."""
        if record["legs"] or record["ordered"] or record["transfers"]:
            raise AuditError("legs", record["legs"], "a look proposes nothing")
        until = record["latest"] - self._mandate.stress.horizon
        if not record["bar"] <= until <= record["bar"] + life(book):
            raise AuditError("latest", record["latest"], "it is longer than a certificate lives")
        _require_hold(always(self._mandate, cases(book, HOLD), book, prices))
        return self._checked(record, book, HOLD, prices, until)

    def watched(self, book: Book, prices: Mapping[str, int]) -> bool:
        """Whether the limits marked ``always`` hold at a look that leaves no record."""
        marked = any(g.always and g.kind in ALWAYS for g in self._mandate.guardrails)
        if not marked and not any(clause.always for clause in self._mandate.clauses):
            return True
        found = always(self._mandate, cases(book, HOLD), book, prices)
        return all(finding.holds for finding in found)

    def decided(
        self,
        record: dict[str, Any],
        proposal: Mapping[str, Any],
        book: Book,
        prices: Mapping[str, int],
        machine: Machine,
        *,
        locked: bool,
    ) -> Certificate | None:
        """The certificate of an admitted or repaired trade; None if it was refused.

        Args:
            locked: whether the agent is locked out, by the machine's mode or by an operator.
        """
        if locked:
            mode = [f.to_json() for f in locked_out(machine.mode).findings]
            if (record["outcome"], record["findings"], record["broken"]) != ("refused", mode, mode):
                raise AuditError("decide", machine.mode.value, "the agent is locked out")
        asked, situation = _proposal(proposal, book), self._situation(record, book, prices, machine)
        if record["outcome"] == "refused":
            sent = record["legs"] or record["transfers"]
            if sent or "proof" in record or record["theta"] != "0":
                raise AuditError("decide", record["legs"], "what is refused sends nothing")
            if not locked:
                judged = Judged(self._mandate, situation, None)
                require_findings(record, judged, asked, Proposal())
            return None
        if "proof" not in record or not (record["legs"] or record["transfers"]):
            raise AuditError("decide", record["outcome"], "an admitted trade has a proof")
        if record["outcome"] not in ("admitted", "repaired"):
            raise AuditError("outcome", record["outcome"], "admitted, repaired or refused")
        if record["transfers"] != proposal["transfers"]:
            raise AuditError("decide", record["transfers"], "the transfers were changed")
        if record["ordered"] != proposal["ordered"]:
            raise AuditError("decide", record["ordered"], "the order of legs was changed")
        theta = ratio(record["theta"])
        whole = record["outcome"] == "admitted"
        if str(theta) != record["theta"] or not (theta == 1 if whole else 0 < theta < 1):
            raise AuditError("theta", record["theta"], f"no share for what is {record['outcome']}")
        trade = _proposal(record, book)
        if self._mandate.repair.nearest and not whole:
            self._require_shrunk(asked, trade, theta, prices)
        elif record["legs"] != legs_json(scale(asked, theta)):
            raise AuditError("decide", record["legs"], f"it is not {theta} of what was proposed")
        if record["latest"] != record["bar"] + self._mandate.stress.horizon:
            raise AuditError("latest", record["latest"], "a verdict is for its own bar")
        _require_hold(pre_trade(self._mandate, cases(book, trade), situation, trade))
        certificate = self._checked(record, book, trade, prices, record["bar"])
        judged = Judged(self._mandate, situation, certificate.bounds, certificate.demands)
        require_findings(record, judged, asked, trade)
        self._activity = activity_after(self._mandate, situation, trade)
        return certificate

    def _require_shrunk(
        self, asked: Proposal, trade: Proposal, theta: Fraction, prices: Mapping[str, int]
    ) -> None:
        """``trade`` takes from ``asked`` and adds nothing, and ``theta`` is what it keeps of it.

        That no nearer trade certifies is not shown: a guard that gives less is safe all the same.
        """
        wrong = departure(asked, trade)
        if wrong is not None:
            raise AuditError("decide", legs_json(trade), wrong)
        kept = self._mandate.repair.kept(asked, trade, prices)
        if theta != kept:
            raise AuditError("theta", str(theta), f"it keeps {kept} of what was proposed")

    def require_way_out(
        self,
        record: dict[str, Any],
        book: Book,
        prices: Mapping[str, int],
        machine: Machine,
        anchor: Mapping[str, int],
    ) -> None:
        """The guard's own legs are those that close the stated fraction, at the set's edge.

        Args:
            anchor: prices of the decision in force.
        """
        act, fraction = record["act"], ratio(record["fraction"])
        if book.open_orders:
            raise AuditError(act, len(book.open_orders), "open orders are cancelled first")
        least = 1 - self._mandate.reduce_to if act == "reduce" else Fraction(1)
        if str(fraction) != record["fraction"] or not least <= fraction <= 1:
            raise AuditError(act, record["fraction"], f"it closes {least} at least")
        situation = self._situation(record, book, prices, machine)
        legs = legs_json(closing(self._mandate, situation, fraction, anchor))
        if record["legs"] != legs:
            raise AuditError(act, record["legs"], f"closing {fraction} takes {legs}")

    def _checked(
        self,
        record: dict[str, Any],
        book: Book,
        trade: Proposal,
        prices: Mapping[str, int],
        until: int,
    ) -> Certificate:
        band = {s: (number(low), number(high)) for s, (low, high) in record["band"].items()}
        needed = {s for s, q in book.positions.items() if q}
        needed |= {order.instrument.symbol for order in book.open_orders}
        needed |= {leg.instrument.symbol for leg in trade.legs}
        needed |= {book.instruments[s].moves_with for s in needed}
        if band.keys() != needed:
            raise AuditError("band", sorted(band), f"it must cover {sorted(needed)}")
        for symbol, (low, high) in band.items():
            if not 1 <= low <= prices[symbol] <= high:
                raise AuditError(f"band of {symbol}", (low, high), f"the price is {prices[symbol]}")
        proof = Proof.decode(json.loads(self._log.blob(record["proof"])))
        if proof.encode() != self._log.blob(record["proof"]):
            raise AuditError("proof", record["proof"], "it is not in canonical form")
        if proof.demands and trade.holds:
            raise AuditError("proof", record["proof"], "a look proves nothing of a trade")
        bounds = proved_bounds(self._mandate, book, trade, band, proof)
        names = ("loss", "gain", "costs", "shortfall")
        if record["bounds"].keys() != set(names):
            raise AuditError("bounds", sorted(record["bounds"]), f"they are {names}")
        stated = Bounds(*(number(record["bounds"][name]) for name in names))
        if bounds != stated:
            raise AuditError("bounds", stated, f"the certificates prove {bounds}")
        about = subject(self._digest, book, trade, band, record["latest"])
        if about != record["subject"]:
            raise AuditError("subject", record["subject"], f"it is {about}")
        return Certificate(bounds, band, book_json(book), until, proof.demands)

    def _situation(
        self, record: dict[str, Any], book: Book, prices: Mapping[str, int], machine: Machine
    ) -> Situation:
        """What the guard looked at; the capacity is taken from the record."""
        capacity = {s: number(c) for s, c in record["capacity"].items()}
        nav, mark, floor = machine.v, machine.h, machine.F
        return Situation(book, prices, nav, mark, record["bar"], capacity, floor, self._activity)


def _require_hold(findings: Sequence[Finding]) -> None:
    """Every exact limit holds, by the same code that decided."""
    for finding in findings:
        if not finding.holds:
            raise AuditError(finding.guardrail, finding.value, f"the limit is {finding.limit}")


def _proposal(record: Mapping[str, Any], book: Book) -> Proposal:
    legs = tuple(
        Leg(
            book.instrument(leg["instrument"]),
            Side(leg["side"]),
            number(leg["quantity"]),
            number(leg["limit"]),
        )
        for leg in record["legs"]
    )
    return Proposal(legs, record["ordered"], transfers=transfers_of(record))


def transfers_of(record: Mapping[str, Any]) -> tuple[Transfer, ...]:
    """The transfers that a record states.

    Raises:
        AuditError: for one with other keys.
    """
    for transfer in record["transfers"]:
        if transfer.keys() != {"amount", "cost", "source", "target"}:
            fix = "it has amount, cost, source and target"
            raise AuditError("transfer", sorted(transfer), fix)
    return tuple(
        Transfer(number(t["amount"]), t["source"], t["target"], number(t["cost"]))
        for t in record["transfers"]
    )
