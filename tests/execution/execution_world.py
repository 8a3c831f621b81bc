"""The small fund that the tests of this folder trade: one venue, two instruments, exact costs."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
)
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.simulated import SimulatedVenue

USD = Asset("USD", 6)
ETH = Asset("ETH", 3)
SPX = Asset("SPX", 0)
ETH_USD = Instrument("ETH", ETH, USD, Venue("sim"), price_scale=2, lot=10, tick=5)
SPX_USD = Instrument("SPX", SPX, USD, Venue("sim"), price_scale=1, lot=1, tick=1)
INSTRUMENTS = {"ETH": ETH_USD, "SPX": SPX_USD}


def make_ledger(cash: int = 10**12) -> Ledger:
    ledger = Ledger(USD, INSTRUMENTS)
    ledger.deposit(USD, cash, "sim", "capital")
    return ledger


def make_venue(
    fee: str = "0", spread: str = "0", impact: str = "0", share: str = "1", latency: int = 0
) -> SimulatedVenue:
    return SimulatedVenue(
        "sim",
        ProportionalFee(Fraction(fee)),
        HalfSpread(Fraction(spread)),
        SquareRootImpact(Fraction(impact)),
        Participation(Fraction(share)),
        Latency(latency),
    )


def make_order(
    order_id: str,
    quantity: int,
    limit: int,
    *,
    side: Side = Side.BUY,
    instrument: Instrument = ETH_USD,
    expires: int = 100,
    waits_for: str | None = None,
) -> Order:
    return Order(
        order_id, instrument, side, quantity, limit, Purpose.AGENT, expires, waits_for=waits_for
    )


def totals(ledger: Ledger) -> dict[Asset, int]:
    """The sum over all accounts, own and outside, for each asset."""
    sums: defaultdict[Asset, int] = defaultdict(int)
    for account, units in ledger.balances().items():
        sums[account.asset] += units
    return dict(sums)
