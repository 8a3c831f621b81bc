"""Ties: how far the returns of two instruments can part, such as a perpetual's and its coin's."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.errors import DomainError


@dataclass(frozen=True)
class Tie:
    """``low <= r_first - r_second <= high``, in 1/SCALE: the basis between two instruments."""

    first: str
    second: str
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.first == self.second or not self.low <= 0 <= self.high:
            raise DomainError(
                f"tie of {self.first} to {self.second}",
                (self.low, self.high),
                "name two instruments, and an interval that holds 0",
            )
