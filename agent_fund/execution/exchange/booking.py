"""From the trades that an exchange reports to Executions that equal its balances to the last unit.

A commission is exact in three cases, and every other is a doubt with its reason:

- in the quote asset: it is the fee;
- in the base asset (what Binance spot charges a buy without a prepaid coin): that part of the
  purchase never arrived, so the quantity is net and the fee is what that part cost; possible only
  if the net quantity is a whole number of lots;
- in the prepaid coin that the configuration names (Binance's BNB): it touches neither side of the
  trade; the fee is 0, and the coin is reported beside it, as a chain's gas is.

Without a prepaid coin a spot buy's commission is hardly ever a whole number of lots. So an account
that is charged for spot trades is required at ``start`` to pay in the coin and to have its reserve
there, and an order is refused while less than the reserve is left. The reserve must cover what one
order can cost: where the coin falls short in the middle of one, the second case applies, and what
is no whole number of lots is a doubt.

A price may be finer than the fund's price units: a mark at which a position was closed, or a tick
that the exchange has made finer. The trade is booked at the next price unit towards less money
moved, and the rest is part of the fee, so that what moved is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.venue_api import VenueTrade
from agent_fund.execution.live.adapter import Execution

COIN_SCALE = 8
"""Decimals of a prepaid coin."""


@dataclass(frozen=True)
class Doubt:
    """What an exchange said that cannot be booked as it stands; ``reason`` is for people."""

    reason: str


def distinct(trades: Iterable[VenueTrade]) -> Sequence[VenueTrade] | Doubt:
    """Each trade once, in the order in which they happened."""
    seen: dict[str, VenueTrade] = {}
    for trade in trades:
        if seen.setdefault(trade.exec_id, trade) != trade:
            return Doubt(f"trade {trade.exec_id} was told in two versions")
    return sorted(seen.values(), key=moment)


def moment(trade: VenueTrade) -> tuple[int, int, str]:
    """Sorts trades as they happened: ids count up, and a longer one is a later one."""
    return trade.time, len(trade.exec_id), trade.exec_id


def booked(
    trade: VenueTrade, instrument: Instrument, rules: MarketRules, coin: str
) -> tuple[Execution, int] | Doubt:
    """The trade as an Execution, and what it took of the prepaid coin in units of 10**-8.

    Args:
        coin: the exchange's code of the prepaid coin; empty for none.
    """
    commission = Fraction(trade.commission)
    quantity = Fraction(trade.quantity) * 10**instrument.base.scale
    price = Fraction(trade.price) * 10**instrument.price_scale
    spent = Fraction(0)
    whole = Fraction(floor(price) if trade.buy else ceil(price))
    fee = abs(price - whole) * quantity * instrument.multiplier
    price = whole
    if commission < 0:
        return Doubt(f"trade {trade.exec_id} has a rebate of {trade.commission}: not booked")
    if trade.commission_asset == rules.quote:
        fee += commission * 10**instrument.quote.scale
    elif coin and trade.commission_asset == coin:
        spent = commission * 10**COIN_SCALE
    elif trade.buy and trade.commission_asset == rules.base:
        withheld = commission * 10**instrument.base.scale
        quantity -= withheld
        fee += withheld * price * instrument.multiplier
    elif commission:
        taken = f"{trade.commission} {trade.commission_asset}"
        return Doubt(f"trade {trade.exec_id} was charged {taken}: name it as the prepaid coin")
    figures = (quantity, price, fee, spent)
    if any(figure.denominator != 1 for figure in figures) or quantity <= 0:
        return Doubt(f"trade {trade.exec_id} has more decimals than the fund keeps: {trade}")
    units, per_unit, paid, burnt = (figure.numerator for figure in figures)
    if units % instrument.lot:
        net = instrument.base.amount(units)
        return Doubt(
            f"trade {trade.exec_id} brought {net} {rules.base}, which is no whole number of lots: "
            "pay commissions in the prepaid coin"
        )
    return Execution(trade.exec_id, units, per_unit, paid, final=True), burnt


def sum_of(trades: Iterable[VenueTrade]) -> Decimal:
    """The quantity traded."""
    return sum((trade.quantity for trade in trades), Decimal(0))
