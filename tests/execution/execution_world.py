"""The small funds that the tests of this folder trade, with exact costs.

INSTRUMENTS is spot at one venue; MARGINED adds a venue of perpetuals, two that share a margin
account and an isolated one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
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

TIERS = (Tier(0, Fraction(1, 20)), Tier(400 * 10**6, Fraction(1, 8)))
CROSS = Margin(Fraction(1, 10), TIERS, Fraction(1, 50))


def perpetual(
    symbol: str, scale: int, margin: Margin = CROSS, contract: Fraction = Fraction(1)
) -> Instrument:
    """A perpetual at the venue "perp" with marks of 4 decimals and prices of 3."""
    return Instrument(
        symbol,
        Asset(symbol + "C", scale),
        USD,
        Venue("perp"),
        price_scale=4,
        tick=10,
        kind=Kind.PERPETUAL,
        contract=contract,
        margin=margin,
    )


ETH_PERP = perpetual("ETHP", 2)
BTC_PERP = perpetual("BTCP", 0, contract=Fraction(1, 10))
SOL_PERP = perpetual("SOLP", 1, Margin(Fraction(1, 5), TIERS, Fraction(1, 50), isolated=True))
PERPETUALS = {i.symbol: i for i in (ETH_PERP, BTC_PERP, SOL_PERP)}
MARGINED = INSTRUMENTS | PERPETUALS
MARKS = {"ETHP": 100_0000, "BTCP": 500_0000, "SOLP": 20_0000}
ISOLATED = "perp/SOLP"


def make_margined(spot: int = 1000, cross: int = 300, isolated: int = 100) -> Ledger:
    """A fund with that many USD at each of its three places."""
    ledger = Ledger(USD, MARGINED)
    for place, amount in (("sim", spot), ("perp", cross), (ISOLATED, isolated)):
        if amount:
            ledger.deposit(USD, amount * 10**6, place, f"capital {place}")
    return ledger


def make_ledger(cash: int = 10**12) -> Ledger:
    ledger = Ledger(USD, INSTRUMENTS)
    ledger.deposit(USD, cash, "sim", "capital")
    return ledger


def make_venue(
    fee: str = "0",
    spread: str = "0",
    impact: str = "0",
    share: str = "1",
    latency: int = 0,
    name: str = "sim",
    latencies: Mapping[str, Latency] | None = None,
) -> SimulatedVenue:
    return SimulatedVenue(
        name,
        ProportionalFee(Fraction(fee)),
        HalfSpread(Fraction(spread)),
        SquareRootImpact(Fraction(impact)),
        Participation(Fraction(share)),
        Latency(latency),
        latencies or {},
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
