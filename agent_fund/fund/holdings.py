"""Cash and positions laid out for marking: NAV at a row of prices in a few multiplications."""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument


class Holdings:
    """What ``take`` was last given, in instrument order.

    Attributes:
        cash: base units of the currency. ``positions``: base units, one an instrument.
    """

    __slots__ = ("_instruments", "_units", "cash", "positions")

    def __init__(self, instruments: Sequence[Instrument], book: Book) -> None:
        self._instruments = tuple(instruments)
        self.cash = 0
        self.positions: tuple[int, ...] = ()
        self._units: list[tuple[int, int]] = []
        self.take(book)

    def take(self, book: Book) -> None:
        """From now on these are the holdings of ``book``."""
        self.cash = book.cash
        self.positions = tuple(book.positions.get(i.symbol, 0) for i in self._instruments)
        self._units = [
            (column, quantity * instrument.multiplier)
            for column, (instrument, quantity) in enumerate(
                zip(self._instruments, self.positions, strict=True)
            )
            if quantity
        ]

    @property
    def flat(self) -> bool:
        """Whether no position is held, so that no price can move NAV."""
        return not self._units

    def nav(self, prices: Sequence[int]) -> int:
        """NAV at ``prices``, in price units and instrument order."""
        nav = self.cash
        for column, units in self._units:
            nav += units * prices[column]
        return nav
