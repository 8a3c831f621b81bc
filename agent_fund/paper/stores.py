"""What a live run keeps beside its log."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.tape import Tape
from agent_fund.execution.route.explain import Explanation
from agent_fund.paper.clock import WallClock


@dataclass(frozen=True)
class Stores:
    """The legs, the tape and the alarms of one live file.

    Attributes:
        routes: how routes were chosen since this process began; kept on the tape too.
    """

    legs: LegStore
    tape: Tape
    alarms: Alarms
    routes: list[Explanation] = field(default_factory=list)

    @classmethod
    def of(cls, file: LiveFile, clock: WallClock) -> Stores:
        """All that the file holds."""
        alarms = Alarms(file, clock.now)
        return cls(LegStore(file, alarms, clock.now), Tape(file), alarms)
