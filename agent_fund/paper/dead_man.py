"""Dead-man timers: a venue that has one cancels what rests there once this process falls silent.

The timer is armed anew as long as the run lives; after a crash, a cut line or a stop with orders
open it runs out, and the venue cancels by itself. That a timer could not be armed for so long that
it may have run out is an alarm. A venue that never took one, as Hyperliquid does not from accounts
that have traded little, is shown beside what is put aside, and traded without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.margin import MarginAdapter

SECONDS = 120
"""How long a venue waits. A model's answer may take a minute, and nothing is asked meanwhile."""
_AGAIN = 30_000  # milliseconds between two armings


class DeadMan:
    """The timers of one run.

    Args:
        adapters: of the venues that have one, by name.
        now: Unix milliseconds.
    """

    def __init__(
        self,
        adapters: Mapping[str, MarginAdapter],
        alarms: Alarms,
        run: Run,
        now: Callable[[], int],
    ) -> None:
        self._adapters = adapters
        self._alarms = alarms
        self._run = run
        self._now = now
        self._tried = dict.fromkeys(adapters, 0)
        self._armed: dict[str, int] = {}

    def live(self) -> None:
        """This process lives: arm what was not armed for a while."""
        for name, adapter in self._adapters.items():
            now = self._now()
            if 0 <= now - self._tried[name] < _AGAIN:
                continue
            self._tried[name] = now
            try:
                self._run(adapter.arm_dead_man(SECONDS))
                self._armed[name] = now
            except FAULTS as error:
                since = self._armed.get(name)
                if since is None:
                    self._alarms.quarantine(name, "dead-man timer", f"not armed: {error}")
                elif now - since >= SECONDS * 1000:
                    self._alarms.raise_alarm(name, "dead-man timer", "it could not be armed again")

    def rest(self) -> None:
        """Nothing is open any more: the timers need not fire, and if they do it is no harm."""
        for name in self._armed:
            with suppress(*FAULTS):
                self._run(self._adapters[name].arm_dead_man(0))
