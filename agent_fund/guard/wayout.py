"""The way out: which orders reduce or close the book, and at which limit they surely fill.

Every leg is closed by the same fraction, scaled to the least liquid, so that a hedged book stays
hedged on the way. Limits sit at the edge of the stress set around the decision's prices, or around
the market's if it has moved further, less the slippage that the mandate allows for: inside the set
these orders fill, and outside it they still follow the market down.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Situation


def closing(
    mandate: ResolvedMandate, situation: Situation, fraction: Fraction, anchor: Mapping[str, int]
) -> Proposal:
    """Close ``fraction`` of every position, in proportion: as much as the least liquid one allows.

    If the market takes less than it did when the position was admitted, so that ``exit_bars``
    slices would not do, all of it is sent: the venue fills what it can, and no empty bar of the
    past holds up a way out.
    """
    book = situation.book
    shares = [
        Fraction(situation.capacity.get(symbol, 0), abs(quantity))
        for symbol, quantity in book.positions.items()
        if quantity
    ]
    if shares and min(shares) * mandate.exit_bars >= 1:
        fraction = min(fraction, *shares)
    legs = []
    for symbol, quantity in sorted(book.positions.items()):
        instrument = book.instruments[symbol]
        # Rounded up, so that no more is kept than was found Safe.
        whole = fraction.denominator * instrument.lot
        lots = ceil_div(abs(quantity) * fraction.numerator, whole)
        size = min(lots * instrument.lot, abs(quantity))
        if size:
            side = Side.SELL if quantity > 0 else Side.BUY
            limit = _limit(mandate, situation, instrument, side, anchor)
            legs.append(Leg(instrument, side, size, limit))
    return Proposal(tuple(legs))


def _limit(
    mandate: ResolvedMandate,
    situation: Situation,
    instrument: Instrument,
    side: Side,
    anchor: Mapping[str, int],
) -> int:
    """The limit of a closing order: the set's edge around the decision's prices or the market's.

    Beyond the set the decision's edge would never fill: then the market's own counts.
    """
    both = {
        symbol: sorted((situation.prices[symbol], anchor[symbol]))
        for symbol in (instrument.symbol, instrument.moves_with)
    }
    band = {symbol: (low, high) for symbol, (low, high) in both.items()}
    curve = envelope(instrument, mandate.stress, band, situation.book)
    low, high = band[instrument.symbol]
    if curve is None:
        price = low if side is Side.SELL else high
        return edge(mandate, instrument.symbol, side, price, instrument.tick)
    price = curve.lowest if side is Side.SELL else curve.highest
    return _beyond(mandate, side, Fraction(price), instrument.tick)


def edge(mandate: ResolvedMandate, symbol: str, side: Side, price: int, tick: int) -> int:
    """The limit that fills anywhere inside the set: its edge, and the slippage beyond it."""
    low, high = mandate.stress.price_box(symbol)
    move = low if side is Side.SELL else high
    return _beyond(mandate, side, Fraction(price * (SCALE + move), SCALE), tick)


def _beyond(mandate: ResolvedMandate, side: Side, price: Fraction, tick: int) -> int:
    """``price`` with the slippage beyond it, to the tick, and never below one tick."""
    slippage = mandate.costs.slippage
    if side is Side.SELL:
        return max(tick, int(price * (1 - slippage)) // tick * tick)
    worst = price * (1 + slippage)
    return max(tick, ceil_div(ceil_div(worst.numerator, worst.denominator), tick) * tick)


def opens_needed(latency: int, exit_bars: int) -> int:
    """Opens from a decision to the end of the way out: ``1 + (1 + latency) * (1 + exit_bars)``.

    Decide at close n; the look at close n+1 fails; the reduction, one slice, fills at the first
    open that latency allows; the look after it fails; the exit closes the rest in at most
    ``exit_bars`` slices, each sent when the one before it has filled.
    """
    return 1 + (1 + latency) * (1 + exit_bars)
