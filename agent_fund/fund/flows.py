"""Money in and out: one subscription or redemption."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_int


@dataclass(frozen=True)
class Flow:
    """One subscription (positive) or redemption (negative), due at a time.

    Attributes:
        due: ms since the epoch, UTC; it is tried at every close from then on.
        amount: base units of the fund's currency.
        name: who; recorded.
    """

    due: int
    amount: int
    name: str

    def __post_init__(self) -> None:
        require_int(self.due, f"date of the flow of {self.name}", minimum=0)
        if require_int(self.amount, f"flow of {self.name}") == 0:
            raise DomainError(f"flow of {self.name}", 0, "write an amount, negative to redeem")
