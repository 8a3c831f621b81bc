"""A proof: for each obligation of a trade, a certificate that bounds its form.

``proved_bounds`` is trusted: it rebuilds every form from the mandate, the book, the orders and
the price band, and lets the kernel say what the certificates prove. The guard calls it before a
trade is admitted; an auditor calls it again, years later, on the log alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.band import Band
from agent_fund.guard.cases import cases
from agent_fund.guard.cost_bound import cost_bound, legging_gain
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.codec import decode_certificate, dumps, encode_certificate
from agent_fund.guard.kernel.form import SCALE, KernelError
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import Obligation, Role, obligations
from agent_fund.guard.resolved_mandate import ResolvedMandate

VERSION = 3


@dataclass(frozen=True)
class Proof:
    """One certificate for each obligation, in the order of ``obligations.obligations``.

    Attributes:
        demands: one for each demand of the mandate's own clauses, of a trade only.
    """

    certificates: tuple[Certificate, ...]
    demands: tuple[Certificate, ...] = ()

    def encode(self) -> bytes:
        """Canonical bytes; their SHA-256 stands in the guard record."""
        trees = [encode_certificate(tree) for tree in self.certificates]
        demands = [encode_certificate(tree) for tree in self.demands]
        return dumps({"v": VERSION, "certificates": trees, "demands": demands})

    @classmethod
    def decode(cls, value: Any) -> Proof:
        """The proof that ``encode`` wrote, from its parsed JSON.

        Raises:
            KernelError: for anything else.
        """
        if not isinstance(value, dict) or set(value) != {"v", "certificates", "demands"}:
            raise KernelError("a proof needs exactly the keys certificates, demands and v")
        lists = (value["certificates"], value["demands"])
        if value["v"] != VERSION or not all(isinstance(trees, list) for trees in lists):
            raise KernelError(f"a proof has lists of certificates and v = {VERSION}")
        certificates, demands = (tuple(map(decode_certificate, trees)) for trees in lists)
        return cls(certificates, demands)


def proved_bounds(
    mandate: ResolvedMandate, book: Book, proposal: Proposal, band: Band, proof: Proof
) -> Bounds:
    """What ``proof`` proves of ``book`` with ``proposal``, at any prices inside ``band``.

    Raises:
        KernelError: if a certificate is malformed or does not fit its obligation.
        TooManyCasesError: if the ordered legs can go too many ways.
    """
    return bounds_of(
        mandate, book, proposal, band, obligations(mandate, book, proposal, band), proof
    )


def bounds_of(
    mandate: ResolvedMandate,
    book: Book,
    proposal: Proposal,
    band: Band,
    every: Sequence[Obligation],
    proof: Proof,
) -> Bounds:
    """What ``proof`` proves of the forms of ``every`` obligation, compiled beforehand."""
    trading = trading_of(mandate, book, proposal, band)
    return worst_of(every, checked(mandate, every, proof), trading)


class Trading(NamedTuple):
    """What trading itself can do to NAV, in base units: ``costs`` is C, ``legging`` a gain."""

    costs: int
    legging: int


def trading_of(mandate: ResolvedMandate, book: Book, proposal: Proposal, band: Band) -> Trading:
    """The bounds of trading, which no certificate is needed for; what carrying costs is among C."""
    ways, stress, costs = cases(book, proposal), mandate.stress, mandate.costs
    carried = (*proposal.transfers, *(transit.transfer for transit in book.transit))
    return Trading(
        cost_bound(ways, stress, costs, band, book, mandate.exit_bars)
        + sum(transfer.cost for transfer in carried),
        legging_gain(ways, stress, costs, band, book, mandate.exit_bars),
    )


def checked(mandate: ResolvedMandate, every: Sequence[Obligation], proof: Proof) -> list[int]:
    """The bound that each certificate proves of its obligation's form.

    Raises:
        KernelError: if one is malformed, or there are more or fewer than obligations.
    """
    if len(every) != len(proof.certificates):
        raise KernelError(f"{len(proof.certificates)} certificates for {len(every)} obligations")
    stress = mandate.stress.kernel
    return [
        proved_bound(obligation.form, stress, tree)
        for obligation, tree in zip(every, proof.certificates, strict=True)
    ]


def worst_of(every: Sequence[Obligation], proved: Sequence[int], trading: Trading) -> Bounds:
    """The bounds of all obligations together; none below zero."""
    worst = dict.fromkeys(Role, 0)
    for obligation, bound in zip(every, proved, strict=True):
        worst[obligation.role] = max(worst[obligation.role], bound)
    gain = worst[Role.GAIN] + trading.legging * SCALE
    return Bounds(worst[Role.LOSS], gain, trading.costs, worst[Role.MARGIN])


def book_json(book: Book) -> dict[str, Any]:
    """The book as a record holds it: what the certificates are bound to."""
    return {
        "cash": str(book.cash),
        "places": {place: str(cash) for place, cash in sorted(book.places.items())},
        "transit": [
            [
                *(t.transfer_id, t.transfer.source, t.transfer.target),
                *(str(t.transfer.amount), str(t.transfer.cost), t.due),
            ]
            for t in book.transit
        ],
        "positions": {s: str(q) for s, q in sorted(book.positions.items()) if q},
        "orders": [
            {
                "id": order.order_id,
                "instrument": order.instrument.symbol,
                "side": order.side.value,
                "remaining": str(order.remaining),
                "limit": str(order.limit),
                "waits_for": order.waits_for or "",
            }
            for order in book.open_orders
        ],
        **({} if book.time is None else {"time": book.time}),
    }


def band_json(band: Band) -> dict[str, list[str]]:
    """The price band as a record holds it."""
    return {s: [str(low), str(high)] for s, (low, high) in sorted(band.items())}


def legs_json(proposal: Proposal) -> list[dict[str, str]]:
    """The exact integers that will be signed, leg by leg."""
    return [
        {
            "instrument": leg.instrument.symbol,
            "side": leg.side.value,
            "quantity": str(leg.quantity),
            "limit": str(leg.limit),
        }
        for leg in proposal.legs
    ]


def transfers_json(proposal: Proposal) -> list[dict[str, str]]:
    """The transfers that will be made, one after another."""
    return [
        {"source": t.source, "target": t.target, "amount": str(t.amount), "cost": str(t.cost)}
        for t in proposal.transfers
    ]


def subject(mandate_digest: str, book: Book, proposal: Proposal, band: Band, latest: int) -> str:
    """What a verdict is about: SHA-256 over mandate, book, orders, price band, latest horizon."""
    value: Mapping[str, Any] = {
        "mandate": mandate_digest,
        "book": book_json(book),
        "legs": legs_json(proposal),
        "ordered": proposal.ordered,
        "transfers": transfers_json(proposal),
        "band": band_json(band),
        "latest": latest,
    }
    return hashlib.sha256(b"agent-fund/subject/v3\0" + dumps(value)).hexdigest()
