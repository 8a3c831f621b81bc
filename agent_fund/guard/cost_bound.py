"""C: what trading costs at most until the fund is flat, and what legs that part may bring."""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Kind
from agent_fund.domain.money import ceil_div
from agent_fund.guard.band import Band
from agent_fund.guard.cases import Case
from agent_fund.guard.costs import Costs
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.dearest import dearest, worst_price
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.stress.stress_set import Stress


def cost_bound(
    every: Sequence[Case], stress: Stress, costs: Costs, band: Band, book: Book, slices: int
) -> int:
    """C: fees of every entry, and closing the largest book, at the worst price of the set.

    Args:
        slices: orders that an exit of one position may take, after the one that reduces it; each
            rounds its fee up by less than one base unit.
    """
    fees = 0
    legs = {id(leg): leg for case in every for leg in (*case.full, *case.options)}
    for leg in legs.values():
        worst = max(leg.limit, dearest(leg.instrument, stress, band, book))
        fees += costs.entry(abs(leg.instrument.notional(leg.quantity, worst)))
    exits = lots_apart(every, stress, band, book, slices)
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        instrument = book.instruments[symbol]
        price = dearest(instrument, stress, band, book)
        if instrument.margin is not None:
            exits += stress.horizon  # a payment of funding is rounded by less than one base unit
        # A fill is rounded to the tick against the fund after the slippage, and the fee is on it.
        tick = instrument.notional(largest, instrument.tick)
        exits += costs.exit(instrument.notional(largest, price))
        exits += _optional(symbol, largest, stress, costs, band, book)
        exits += tick + costs.entry(tick) + 1 + slices
    return fees + exits


def legging_gain(
    every: Sequence[Case], stress: Stress, costs: Costs, band: Band, book: Book, slices: int
) -> int:
    """What legs that close at different times can bring at most; what they can cost is in C.

    It raises the high-water mark, so it counts in the gain.
    """
    total = lots_apart(every, stress, band, book, slices)
    if not costs.legging:
        return total
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        price = dearest(book.instruments[symbol], stress, band, book)
        total += costs.apart(book.instruments[symbol].notional(largest, price))
        total += _optional(symbol, largest, stress, costs, band, book)
    return total


def lots_apart(every: Sequence[Case], stress: Stress, band: Band, book: Book, slices: int) -> int:
    """What a way out may lose or gain because each of its slices is rounded to lots, leg by leg.

    Args:
        slices: as for ``cost_bound``; the one that reduces comes before them.
    """
    symbols = sorted({s for case in every for s in case.symbols})
    if len(symbols) < 2:
        return 0
    total = 0
    for symbol in symbols:
        instrument = book.instruments[symbol]
        curve = envelope(instrument, stress, band, book)
        if curve is not None:
            total += instrument.notional(instrument.lot, curve.highest - curve.lowest)
            continue
        low, high = stress.box[stress.driver(symbol)]
        lot = instrument.notional(instrument.lot, worst_price(symbol, stress, band))
        total += ceil_div(lot * (high - low), SCALE)
    return (slices + 1) * total


def _optional(
    symbol: str, largest: int, stress: Stress, costs: Costs, band: Band, book: Book
) -> int:
    """The legging allowance of an option on its underlying's notional.

    Legs part by a share of the underlying's price; an option moves by no more than that price does.
    """
    instrument = book.instruments[symbol]
    if instrument.kind is not Kind.OPTION or not costs.legging:
        return 0
    on = instrument.moves_with
    return costs.apart(book.exposure(symbol, largest, {on: worst_price(on, stress, band)}))
