"""The Carriage protocol: what moves currency between places; and the one that needs only time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent_fund.domain.transfer import Arrival, Transit


class Carriage(Protocol):
    """Carries the transfers of one fund; a transfer that fails comes back to its source."""

    def send(self, transit: Transit, bar: int) -> None:
        """Begin to carry what the ledger has just booked as under way."""
        ...

    def arrived(self, under_way: Sequence[Transit], bar: int) -> list[Arrival]:
        """Those of ``under_way`` that have ended by the open of ``bar``, in the same order."""
        ...


class SimulatedCarriage:
    """Every transfer arrives whole at the open of the bar in which it is due."""

    def send(self, transit: Transit, bar: int) -> None:
        """There is nothing to send."""

    def arrived(self, under_way: Sequence[Transit], bar: int) -> list[Arrival]:
        """What is due at the open of ``bar`` or earlier."""
        return [Arrival(t, t.transfer.amount) for t in under_way if t.due <= bar]


SIMULATED_CARRIAGE = SimulatedCarriage()
