"""Swaps and bridges from quotes: limits that the quote can be had at, amounts that suffice.

A purchase's limit is the lowest price on the tick at which the quoted money buys the quantity, and
a sale's the highest at which it does not bring more; an indication may concede a tolerance beyond
it, never past the goal's own limit. So whatever fills within its limit is within the goal.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Quote
from agent_fund.execution.route.quotes import NoQuoteError, Quotes
from agent_fund.execution.route.stages import Bridge, Swap
from agent_fund.execution.route.terms import RouteTerms

_TRIES = 3


class Hop(NamedTuple):
    """One bridge to be: the carrier and the two places."""

    carrier: str
    source: str
    target: str


class UnavailableError(ExecutionError):
    """A step that cannot be made with what was quoted; ``fix`` says why, for people."""


def goal_price(instrument: Instrument, side: Side, limit: Fraction) -> int:
    """The goal's limit on the line's tick, never beyond it; 0 if not one tick is left."""
    exact = limit * int(10**instrument.price_scale)
    tick = instrument.tick
    if side is Side.BUY:
        return exact.numerator // exact.denominator // tick * tick
    return ceil_div(ceil_div(exact.numerator, exact.denominator), tick) * tick


def limit_price(quote: Quote, limit: Fraction, tolerance: Fraction) -> int | None:
    """The limit of an order that is to get ``quote``, in price units; None if beyond ``limit``."""
    instrument, side, tick = quote.instrument, quote.side, quote.instrument.tick
    size = quote.quantity * instrument.multiplier
    conceded = Fraction(0) if quote.firm else tolerance
    bound = goal_price(instrument, side, limit)
    if side is Side.BUY:
        tight = ceil_div(ceil_div(quote.max_spent, size), tick) * tick
        loose = int(Fraction(quote.max_spent, size) * (1 + conceded)) // tick * tick
        return min(bound, max(tight, loose)) if tight <= bound else None
    tight = quote.min_received // size // tick * tick
    exact = Fraction(quote.min_received, size) * (1 - conceded)
    loose = ceil_div(ceil_div(exact.numerator, exact.denominator), tick) * tick
    return max(bound, min(tight, loose)) if tight >= max(bound, 1) else None


async def swap_at(
    quotes: Quotes,
    instrument: Instrument,
    side: Side,
    quantity: int,
    limit: Fraction,
    terms: RouteTerms,
) -> Swap:
    """The swap of ``quantity`` base units as its venue quotes it now; ``own`` is its reserve.

    Raises:
        NoQuoteError: without a quote. UnavailableError: if the quote lies beyond ``limit``.
    """
    quote = await quotes.trade(instrument, side, quantity)
    price = limit_price(quote, limit, terms.tolerance)
    money = quote.max_spent if side is Side.BUY else quote.min_received
    if price is None:
        each = Fraction(money, quantity * instrument.multiplier)
        shown = instrument.price_decimal(int(each))
        bound = instrument.price_decimal(goal_price(instrument, side, limit))
        name = f"{side.value} {instrument.symbol}"
        raise UnavailableError(name, quote.detail, f"quoted at {shown}, the limit is {bound}")
    order = Order("quote", instrument, side, quantity, price, Purpose.AGENT, 0)
    fee, notional = quotes.maximum_fee(order), instrument.notional(quantity, price)
    ready = max(fee, terms.fees(notional)) if side is Side.BUY else 0
    own = notional + ready if side is Side.BUY else 0
    return Swap(
        instrument,
        side,
        quantity,
        price,
        money,
        fee,
        ready,
        quote.gas,
        own,
        quote.valid_until,
    )


async def bridge_of(
    quotes: Quotes, hop: Hop, amount: int, *, own: int, sweep: bool, step: int
) -> Bridge:
    """The bridge of ``amount``, rounded down to ``step``, as its carrier quotes it now.

    Raises:
        NoQuoteError: without a quote. UnavailableError: for less than one step.
    """
    carrier, source, target = hop
    amount = amount // step * step
    if not amount:
        raise UnavailableError(f"bridge {source} to {target}", amount, f"moves step by {step}")
    quote = await quotes.transfer(carrier, source, target, amount)
    return Bridge(
        carrier,
        source,
        target,
        amount,
        quote.min_received,
        quote.gas,
        quote.seconds,
        quote.trusted,
        min(own, amount),
        sweep,
        step,
        quote.valid_until,
    )


async def bridge_bringing(
    quotes: Quotes, hop: Hop, need: int, most: int, *, own: bool, step: int
) -> Bridge:
    """The bridge whose ``min_received`` is at least ``need``, asked again until it is.

    First with what is needed, then with more in proportion: for a carrier that keeps a fixed sum
    and a share the second answer suffices. One that does not carry so little is asked what it
    keeps of ``most``, and then for the need with that.

    Args:
        most: what can leave the source at most.
        own: whether it stands there before the route; otherwise earlier stages bring it.

    Raises:
        NoQuoteError: without a quote.
        UnavailableError: if even ``most`` does not bring it, or no amount was found.
    """
    subject, most = f"cash at {hop.source}", most // step * step
    amount = ceil_div(need, step) * step
    if amount > most:
        raise UnavailableError(subject, most, f"{need} are needed from there, {most} can leave it")
    for _ in range(_TRIES):
        mine = amount if own else 0
        try:
            found = await bridge_of(quotes, hop, amount, own=mine, sweep=False, step=step)
        except NoQuoteError as error:
            if not error.declined or amount == most:
                raise
            found = await bridge_of(quotes, hop, most, own=0, sweep=False, step=step)
            amount = min(most, ceil_div(need + found.cost, step) * step)
            continue
        if found.min_received >= need:
            return found
        if amount == most:
            fix = f"all of it brings {found.min_received}, and {need} are needed"
            raise UnavailableError(subject, most, fix)
        more = ceil_div(ceil_div(amount * need, found.min_received), step) * step
        amount = min(most, more)
    raise UnavailableError(subject, amount, "no amount was found that brings enough")


async def sale_bringing(
    quotes: Quotes,
    instrument: Instrument,
    need: int,
    held: int,
    limit: Fraction,
    guess: Fraction,
    terms: RouteTerms,
    least: int = 0,
) -> Swap:
    """The sale of lots that bring at least ``need`` at worst, asked again in proportion.

    Args:
        held: base units that may be sold at most. ``least``: that are to be sold in any case.
        guess: currency for one unit of the underlying, by which the first question is sized.

    Raises:
        NoQuoteError: without a quote.
        UnavailableError: beyond ``limit``, if too little is held, or no quantity was found.
    """
    price = goal_price(instrument, Side.SELL, guess)
    most = held // instrument.lot * instrument.lot
    wanted = max(least, _lots(instrument, ceil_div(need, instrument.notional(1, price))))
    quantity = min(most, wanted)
    for _ in range(_TRIES):
        if not most:
            raise UnavailableError(f"{instrument.symbol} held", held, "there is none to sell")
        found = await swap_at(quotes, instrument, Side.SELL, quantity, limit, terms)
        if found.worst >= need:
            return found
        if quantity == most:
            fix = f"all of it brings {found.worst}, and {need} are needed"
            raise UnavailableError(f"{instrument.symbol} held", held, fix)
        more = _lots(instrument, ceil_div(quantity * need, max(1, found.worst)))
        quantity = min(most, more)
    raise UnavailableError(f"sale of {instrument.symbol}", quantity, "no quantity brings enough")


def _lots(instrument: Instrument, quantity: int) -> int:
    return ceil_div(quantity, instrument.lot) * instrument.lot
