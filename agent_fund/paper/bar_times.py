"""When the bars of a live run close, and what has to be over by then."""

from __future__ import annotations

from agent_fund.domain.order import Order
from agent_fund.execution.live.tape import Tape
from agent_fund.paper.clock import WallClock


class BarTimes:
    """Deadlines by the closes of bars, as the tape has them.

    Args:
        seconds: a bar lasts so long.
        transfer_bars: bars that a transfer may take; at least one is given.
    """

    def __init__(self, tape: Tape, clock: WallClock, seconds: int, transfer_bars: int) -> None:
        self._tape = tape
        self._clock = clock
        self._seconds = seconds
        self._transfer_bars = max(transfer_bars, 1)

    def now(self) -> int:
        """Unix seconds."""
        return self._clock.now() // 1000

    def beginning(self) -> int:
        """Unix milliseconds at which the run began: now, if it has no bar yet."""
        bars = self._tape.bars()
        return int(bars[0][0]) if bars else self._clock.now()

    def order_deadline(self, order: Order, bar: int) -> int:
        """Unix seconds; by the bar's own close, so that a restart does not make an order younger.

        Args:
            bar: at whose close the order is sent.
        """
        return self._closed(bar) + (order.expires - bar) * self._seconds

    def transfer_deadline(self, bar: int) -> int:
        """Unix seconds, for a transfer that begins at the close of ``bar``."""
        return self._closed(bar) + self._transfer_bars * self._seconds

    def _closed(self, bar: int) -> int:
        return int(self._tape.bar(bar)[1]) // 1000
