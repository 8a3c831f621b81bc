"""Factors: stated baskets whose return explains others', each up to its largest residual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.errors import DomainError

BETA_UNIT = 1000


@dataclass(frozen=True)
class Factor:
    """A basket whose return explains others': ``|r_i - beta_i f| <= epsilon_i`` for each i.

    Attributes:
        weights: share of each instrument in the basket, summing to 1.
        betas: loading of each instrument, in 1/BETA_UNIT.
        residuals: the largest residual of each instrument in the set, in 1/SCALE.
    """

    name: str
    weights: Mapping[str, Fraction]
    betas: Mapping[str, int]
    residuals: Mapping[str, int]

    def __post_init__(self) -> None:
        if sum(self.weights.values()) != 1:
            raise DomainError(f"weights of {self.name}", dict(self.weights), "they must sum to 1")
        if min(self.weights.values()) < 0:
            raise DomainError(
                f"weights of {self.name}", dict(self.weights), "a basket is long only"
            )
