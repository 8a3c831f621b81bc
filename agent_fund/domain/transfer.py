"""Transfers of the fund's currency between its places, and what is on its way between them."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_name, require_units

PROPOSED = ""
"""Stands for the id of a transfer that is proposed and has none yet."""


@dataclass(frozen=True)
class Transfer:
    """``amount`` base units of the currency, from one place of the fund to another."""

    amount: int
    source: str
    target: str

    def __post_init__(self) -> None:
        for place in (self.source, self.target):
            require_name(place, "place of a transfer")
        require_units(self.amount, f"transfer from {self.source}", minimum=1)
        if self.source == self.target:
            raise DomainError("transfer", self.source, "name two different places")


@dataclass(frozen=True)
class Transit:
    """A transfer under way: it has left its source and arrives at the open of bar ``due``."""

    transfer_id: str
    transfer: Transfer
    due: int
