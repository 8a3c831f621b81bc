"""Transfers of the fund's currency between its places, and what is on its way between them."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_name, require_units

PROPOSED = ""
"""Stands for the id of a transfer that is proposed and has none yet."""


@dataclass(frozen=True)
class Transfer:
    """``amount`` base units of the currency, from one place of the fund to another.

    Attributes:
        cost: the most of ``amount`` that carrying it may cost; it counts in C until it arrives.
    """

    amount: int
    source: str
    target: str
    cost: int = 0

    def __post_init__(self) -> None:
        for place in (self.source, self.target):
            require_name(place, "place of a transfer")
        require_units(self.amount, f"transfer from {self.source}", minimum=1)
        require_units(self.cost, f"cost of the transfer from {self.source}", minimum=0)
        if self.cost >= self.amount:
            raise DomainError("cost of a transfer", self.cost, f"{self.amount} is all it carries")
        if self.source == self.target:
            raise DomainError("transfer", self.source, "name two different places")


@dataclass(frozen=True)
class Transit:
    """A transfer under way: it has left its source and arrives at the open of bar ``due``.

    A real carrier keeps its own time, and ``due`` says only when it was expected.
    """

    transfer_id: str
    transfer: Transfer
    due: int


@dataclass(frozen=True)
class Arrival:
    """The end of a transfer: ``received`` base units are at its target, or back at its source.

    What is missing of the amount was the price of carrying it.
    """

    transit: Transit
    received: int
    returned: bool = False

    @property
    def place(self) -> str:
        """Where the money now stands."""
        transfer = self.transit.transfer
        return transfer.source if self.returned else transfer.target
