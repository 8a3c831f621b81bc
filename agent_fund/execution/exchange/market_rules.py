"""What an exchange demands of an order in one market, compared exactly with the fund's instrument.

Quantities must step at least as coarsely in the fund as at the exchange, prices too, and both of
the exchange's steps must be whole numbers of the fund's units, so that every trade it can report
is an exact integer here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order
from agent_fund.execution.errors import ExecutionError


@dataclass(frozen=True)
class MarketRules:
    """Filters of one market, from the exchange's own texts.

    Attributes:
        market, base, quote: the exchange's ids.
        step: of quantities. ``tick``: the finest step that a price can have.
        smallest, largest: quantities of one order. ``least``: notional of one order, in the quote.
        figures: significant figures that a price with a fraction may have; None for no such rule.
        commission: the smallest unit in which commissions in the quote asset are charged.
    """

    market: str
    base: str
    quote: str
    step: Decimal
    tick: Decimal
    smallest: Decimal
    largest: Decimal | None
    least: Decimal
    commission: Decimal
    figures: int | None = None


def require_compatible(instrument: Instrument, rules: MarketRules) -> None:
    """Check that all that the exchange may say of ``instrument`` is exact in the fund's units.

    Raises:
        ExecutionError: naming the finest lot, tick or scale that would do.
    """
    lot, step = Fraction(instrument.lot, 10**instrument.base.scale), Fraction(rules.step)
    if lot != step:
        raise ExecutionError(
            f"lot of {instrument.symbol}",
            str(instrument.base.amount(instrument.lot)),
            f"{rules.market} trades in steps of {rules.step}, and a part of a lot could not be "
            f"booked: write {rules.step}",
        )
    unit, tick = Fraction(1, 10**instrument.price_scale), Fraction(rules.tick)
    if (instrument.tick * unit / tick).denominator != 1:
        raise ExecutionError(
            f"tick of {instrument.symbol}",
            str(instrument.price_decimal(instrument.tick)),
            f"{rules.market} steps by {rules.tick}: write a multiple of it",
        )
    for subject, scale, finest in (
        (f"price scale of {instrument.symbol}", instrument.price_scale, rules.tick),
        (f"scale of {instrument.quote.symbol}", instrument.quote.scale, rules.commission),
    ):
        if (Fraction(finest) * 10**scale).denominator != 1:
            raise ExecutionError(
                subject, scale, f"{rules.market} tells amounts of {finest}: write more decimals"
            )


def require_order(order: Order, rules: MarketRules) -> tuple[Decimal, Decimal]:
    """(price, quantity) of an order that passes the exchange's filters.

    Raises:
        ExecutionError: naming the filter.
    """
    instrument = order.instrument
    price = instrument.price_decimal(order.limit)
    quantity = instrument.base.amount(order.quantity)
    subject = f"order {order.order_id} at {rules.market}"
    if quantity < rules.smallest or (rules.largest is not None and quantity > rules.largest):
        limits = f"trade from {rules.smallest} to {rules.largest}"
        raise ExecutionError(subject, str(quantity), limits)
    if Fraction(price) * Fraction(quantity) < Fraction(rules.least):
        worth = f"{price} x {quantity}"
        raise ExecutionError(subject, worth, f"trade {rules.least} {rules.quote} or more")
    if rules.figures is not None and Fraction(price).denominator != 1:
        digits = str(abs(order.limit)).rstrip("0")
        if len(digits) > rules.figures:
            fix = f"{rules.figures} significant figures, or a whole number"
            raise ExecutionError(subject, str(price), f"write the limit with {fix}")
    return price, quantity
