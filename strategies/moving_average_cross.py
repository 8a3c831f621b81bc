"""Long while the fast moving average of closes stands above the slow one, otherwise flat.

The rule of Brock, Lakonishok and LeBaron (1992) with no band; exact integer sums, so that no
rounding ever decides a cross.
"""

from __future__ import annotations

import math
from collections import deque

from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.sizing import free_cash, limit_price, sellable, share, whole_lots
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.snapshot import Snapshot


class MovingAverageCross:
    """Buys once when long and not invested; sells everything when flat. Never rebalances.

    Args:
        symbol: the one instrument it trades.
        fast, slow: closes in the two averages; fast < slow. Until ``slow`` closes are known: flat.
        exposure: share of NAV to hold while long.
        quantity: whole lots to buy instead, as a decimal string of the base asset, e.g. ``"1.5"``.
        tolerance: how far beyond the last close a limit may stand.
        reserve: share of NAV that a buy leaves in cash, for fees.
    """

    def __init__(
        self,
        symbol: str,
        fast: int = 20,
        slow: int = 100,
        *,
        exposure: str = "100%",
        quantity: str | None = None,
        tolerance: str = "1%",
        reserve: str = "1%",
    ) -> None:
        if not 0 < fast < slow:
            raise ConfigurationError(
                "moving averages", f"fast {fast}, slow {slow}: need fast < slow"
            )
        self.symbol = symbol
        self.fast = fast
        self.slow = slow
        self.exposure = share(exposure, "exposure")
        self.quantity = quantity
        self.tolerance = share(tolerance, "tolerance", below_one=True)
        self.reserve = share(reserve, "reserve", below_one=True)
        self._bar = -2
        self._fast: deque[int] = deque(maxlen=fast)
        self._slow: deque[int] = deque(maxlen=slow)
        self._fast_sum = 0
        self._slow_sum = 0

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """One leg when the book is not where the averages want it; otherwise ``HOLD``."""
        bar = snapshot.bar
        if bar == self._bar + 1 and len(self._slow) == self.slow:
            close = snapshot.last_close(self.symbol)
            self._fast_sum += close - self._fast[0]
            self._slow_sum += close - self._slow[0]
            self._fast.append(close)
            self._slow.append(close)
        else:
            self._read_anew(snapshot)
        self._bar = bar
        # fast_sum / fast > slow_sum / slow, without the division.
        long = (
            self._fast_sum * self.slow > self._slow_sum * self.fast and len(self._slow) == self.slow
        )
        invested = book.positions.get(self.symbol, 0) > 0
        if long is invested:
            return HOLD
        return self._trade(long, snapshot, book)

    def _read_anew(self, snapshot: Snapshot) -> None:
        closes = snapshot.closes(self.symbol, self.slow)
        self._slow.clear()
        self._slow.extend(closes)
        self._fast.clear()
        self._fast.extend(closes[-self.fast :])
        self._slow_sum = sum(self._slow)
        self._fast_sum = sum(self._fast)

    def _trade(self, long: bool, snapshot: Snapshot, book: Book) -> Proposal:
        instrument = snapshot.instruments[self.symbol]
        close = snapshot.last_close(self.symbol)
        side = Side.BUY if long else Side.SELL
        limit = limit_price(instrument, close, side, self.tolerance)
        if not long:
            quantity = sellable(book, instrument)
        else:
            quantity = self._buy_quantity(instrument, limit, snapshot, book)
        if quantity == 0:
            return HOLD
        above = "above" if long else "not above"
        reason = f"the {self.fast}-bar average is {above} the {self.slow}-bar average"
        return Proposal((Leg(instrument, side, quantity, limit),), reason=reason)

    def _buy_quantity(
        self, instrument: Instrument, limit: int, snapshot: Snapshot, book: Book
    ) -> int:
        # A buy that is still open already does what this one would do.
        if any(o.side is Side.BUY and o.instrument == instrument for o in book.open_orders):
            return 0
        nav = book.nav(snapshot.prices)
        spendable = free_cash(book) - math.ceil(nav * self.reserve)
        affordable = whole_lots(instrument, spendable, limit)
        if self.quantity is not None:
            wanted = instrument.quantity(self.quantity)
            return wanted if wanted <= affordable else 0
        close = snapshot.last_close(self.symbol)
        return min(affordable, whole_lots(instrument, int(nav * self.exposure), close))
