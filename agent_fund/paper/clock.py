"""The wall clock, and waiting that a stop can cut short."""

from __future__ import annotations

import threading
import time


class WallClock:
    """The machine's time; ``stop`` ends every wait."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ask the run to stop at the next point between two bars."""
        self._stopped.set()

    def now(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def sleep(self, milliseconds: int) -> None:
        """Return after that time, or when the run is to stop."""
        self._stopped.wait(milliseconds / 1000)
