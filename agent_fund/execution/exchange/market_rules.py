"""What an exchange demands of an order in one market now, and the order as it fits into that.

An exchange changes its filters while a fund lives. So a limit is rounded to the tick of the day,
towards its safe side, and the fund's order keeps its own; a quantity is never changed. What the
exchange may say of a trade must stay exact in the fund's units.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from math import ceil, floor

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.errors import ExecutionError

EXACT = Context(prec=80)
"""Prices and steps have far fewer digits, so that nothing is rounded without being told to."""


@dataclass(frozen=True)
class MarketRules:
    """Filters of one market, from the exchange's own texts.

    Attributes:
        market, base, quote: the exchange's ids.
        step: of quantities. ``tick``: the finest step that a price can have. 0 for no such rule.
        smallest, largest: quantities of one order. ``least``: notional of one order, in the quote.
        figures: significant figures that a price with a fraction may have; None for no such rule.
        commission: the smallest unit in which commissions in the quote asset are charged.
        halted: the exchange's word for why the market does not trade; empty while it does.
        closes_any: whether an order that may only reduce a position may be worth less than
            ``least``.
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
    halted: str = ""
    closes_any: bool = False


@dataclass(frozen=True)
class Fitted:
    """A limit order as the market takes it; ``closes``: it may only reduce a position."""

    price: Decimal
    quantity: Decimal
    closes: bool


def require_compatible(instrument: Instrument, rules: MarketRules) -> None:
    """Check that what moves in a trade in ``instrument`` is exact in the fund's units.

    Lot and tick of the instrument may differ from the exchange's, which changes them as it likes:
    an order that does not fit is refused by ``fit``, and a trade that brings no whole number of
    lots is a doubt.

    Raises:
        ExecutionError: naming the scale that would do.
    """
    quote = instrument.quote
    for finest in (rules.commission, rules.tick * rules.step):
        if (Fraction(finest) * 10**quote.scale).denominator != 1:
            fix = f"{rules.market} tells amounts of {finest}: write more decimals"
            raise ExecutionError(f"scale of {quote.symbol}", quote.scale, fix)


def fit(order: Order, rules: MarketRules) -> Fitted:
    """``order`` as it passes the exchange's filters: never beyond its limit, never another size.

    Raises:
        ExecutionError: naming the filter that it cannot pass.
    """
    market, subject = rules.market, f"order {order.order_id} at {rules.market}"
    if rules.halted:
        fix = f"{market} does not trade: wait, or close it there by hand, then agent-fund adjust"
        raise ExecutionError(subject, rules.halted, fix)
    price = _rounded(order, rules)
    quantity = order.instrument.base.amount(order.quantity)
    if not price:
        limit = order.instrument.price_decimal(order.limit)
        raise ExecutionError(subject, str(limit), f"{market} takes no price between 0 and that")
    if rules.step and (Fraction(quantity) / Fraction(rules.step)).denominator != 1:
        fix = f"{market} trades in steps of {rules.step}: {_by_hand(order, 'trade whole steps')}"
        raise ExecutionError(subject, str(quantity), fix)
    if quantity < rules.smallest:
        told = f"it is below the venue's smallest order of {rules.smallest} {rules.base}"
        ask = f"trade {rules.smallest} or more"
        raise ExecutionError(subject, str(quantity), f"{told}: {_by_hand(order, ask)}")
    if rules.largest is not None and quantity > rules.largest:
        limits = f"trade from {rules.smallest} to {rules.largest}"
        raise ExecutionError(subject, str(quantity), limits)
    small = Fraction(price) * Fraction(quantity) < Fraction(rules.least)
    closes = small and rules.closes_any and order.purpose is not Purpose.AGENT
    if small and not closes:
        told = f"it is below the venue's smallest order of {rules.least} {rules.quote}"
        ask = f"trade {rules.least} {rules.quote} or more"
        raise ExecutionError(subject, f"{price} x {quantity}", f"{told}: {_by_hand(order, ask)}")
    return Fitted(price, quantity, closes)


def _by_hand(order: Order, ask: str) -> str:
    """What an agent is asked; of the guard's way out, what a person has to do."""
    if order.purpose is Purpose.AGENT:
        return ask
    act = "sell it" if order.side is Side.SELL else "buy it back"
    return f"{act} there by hand or convert it, then agent-fund adjust"


def _rounded(order: Order, rules: MarketRules) -> Decimal:
    """The limit on the exchange's grid, not beyond itself: a buy's down, a sale's up."""
    limit, grid = order.instrument.price_decimal(order.limit), rules.tick
    if rules.figures is not None:
        # Of so many figures, but a whole number may have more; a tick here is a power of ten.
        grid = max(grid, min(Decimal(1), Decimal(1).scaleb(limit.adjusted() + 1 - rules.figures)))
    if not grid:
        return limit
    steps = Fraction(limit) / Fraction(grid)
    whole = ceil(steps) if order.side is Side.SELL else floor(steps)
    return EXACT.multiply(Decimal(whole), grid)
