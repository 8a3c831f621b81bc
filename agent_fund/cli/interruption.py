"""Ctrl-C or SIGTERM stops a run between two bars: what is logged ends where a bar does.

The first one is a request, heeded at the next report of progress; the second stops at once. While
nothing is logged yet, the first one does too.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedError(Exception):
    """Ctrl-C in a command that says itself what is whole and how to go on."""


class Interruption:
    """Whether Ctrl-C was pressed, and whether it may take effect."""

    def __init__(self) -> None:
        self._asked = False
        self._logging = False

    def at_bar(self, *, finishing: bool = False) -> None:
        """Told that the run stands between two bars; ``finishing``: all bars are done.

        Raises:
            KeyboardInterrupt: if it was asked for, unless what is left takes a moment only.
        """
        self._logging = True
        if self._asked and not finishing:
            raise KeyboardInterrupt

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._logging:
            raise KeyboardInterrupt
        self._asked = True


@contextmanager
def between_bars() -> Iterator[Interruption]:
    """Take over Ctrl-C and SIGTERM for as long as the context lasts; main thread only."""
    interruption = Interruption()
    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.signal(name, interruption._pressed) for name in names}
    try:
        yield interruption
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
