"""Funding that an exchange paid or took, as an exact record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FundingReceipt:
    """One payment.

    Attributes:
        payment_id: the exchange's id of it; a second record with it is the same payment.
        symbol: of the fund's instrument.
        amount: base units of the quote asset; negative if it was paid.
        time: Unix milliseconds.
    """

    payment_id: str
    symbol: str
    amount: int
    time: int
