"""A proof: for each case of a trade, a certificate of its loss and one of its gain.

``proved_bounds`` is trusted: it rebuilds every form from the mandate, the book, the orders and
the price band, and lets the kernel say what the certificates prove. The guard calls it before a
trade is admitted; an auditor calls it again, years later, on the log alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.compile import Band, cases, cost_bound, gain_form, loss_form
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.codec import decode_certificate, dumps, encode_certificate
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.machine import Bounds
from agent_fund.guard.mandate import ResolvedMandate


@dataclass(frozen=True)
class Proof:
    """Certificates of (loss, gain) for each case, in the order of ``compile.cases``."""

    certificates: tuple[tuple[Certificate, Certificate], ...]

    def encode(self) -> bytes:
        """Canonical bytes; their SHA-256 stands in the guard record."""
        pairs = [
            [encode_certificate(loss), encode_certificate(gain)] for loss, gain in self.certificates
        ]
        return dumps({"v": 1, "cases": pairs})

    @classmethod
    def decode(cls, value: Any) -> Proof:
        """The proof that ``encode`` wrote, from its parsed JSON.

        Raises:
            KernelError: for anything else.
        """
        if not isinstance(value, dict) or set(value) != {"v", "cases"} or value["v"] != 1:
            raise KernelError("a proof needs exactly the keys cases and v, and v = 1")
        if not isinstance(value["cases"], list):
            raise KernelError("the cases of a proof are a list")
        pairs = []
        for pair in value["cases"]:
            if not isinstance(pair, list) or len(pair) != 2:
                raise KernelError("a case is [loss certificate, gain certificate]")
            pairs.append((decode_certificate(pair[0]), decode_certificate(pair[1])))
        return cls(tuple(pairs))


def proved_bounds(
    mandate: ResolvedMandate, book: Book, proposal: Proposal, band: Band, proof: Proof
) -> Bounds:
    """What ``proof`` proves of ``book`` with ``proposal``, at any prices inside ``band``.

    Raises:
        KernelError: if a certificate is malformed or does not fit its case.
        TooManyCasesError: if the ordered legs can go too many ways.
    """
    every = cases(book, proposal)
    if len(every) != len(proof.certificates):
        raise KernelError(f"{len(proof.certificates)} certificates for {len(every)} cases")
    stress = mandate.stress
    loss = gain = 0
    for case, (loss_tree, gain_tree) in zip(every, proof.certificates, strict=True):
        loss = max(
            loss, proved_bound(loss_form(case, stress, band, book), stress.kernel, loss_tree)
        )
        gain = max(
            gain, proved_bound(gain_form(case, stress, band, book), stress.kernel, gain_tree)
        )
    return Bounds(
        loss, gain, cost_bound(every, stress, mandate.costs, band, book, mandate.exit_bars)
    )


def book_json(book: Book) -> dict[str, Any]:
    """The book as a record holds it: what the certificates are bound to."""
    return {
        "cash": str(book.cash),
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


def subject(mandate_digest: str, book: Book, proposal: Proposal, band: Band, latest: int) -> str:
    """What a verdict is about: SHA-256 over mandate, book, orders, price band, latest horizon."""
    value: Mapping[str, Any] = {
        "mandate": mandate_digest,
        "book": book_json(book),
        "legs": legs_json(proposal),
        "ordered": proposal.ordered,
        "band": band_json(band),
        "latest": latest,
    }
    return hashlib.sha256(b"agent-fund/subject/v1\0" + dumps(value)).hexdigest()
