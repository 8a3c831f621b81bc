"""What trading may cost at most: the bound C of the guarantee, at the worst price of the set.

A mandate declares the highest fee and the highest slippage (half spread and impact together) as
shares of the price, and what legs that do not close at one time may lose between each other.
Assumption A3 is that the venue stays below the first two; the run file's venues are compared with
them before a run starts, and every fill is checked. A5 is that the third suffices.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ceil_div


@dataclass(frozen=True)
class Costs:
    """Highest ``fee`` and ``slippage``, and the ``legging`` allowance: shares of notional."""

    fee: Fraction
    slippage: Fraction
    legging: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        for name in ("fee", "slippage", "legging"):
            share = getattr(self, name)
            if not isinstance(share, Fraction) or not 0 <= share < 1:
                raise DomainError(f"highest {name}", str(share), "write a share from 0 to below 1")

    def entry(self, notional: int) -> int:
        """Highest fee on ``notional`` base units; slippage of an entry lies inside its limit."""
        return ceil_div(notional * self.fee.numerator, self.fee.denominator)

    def exit(self, notional: int) -> int:
        """Highest fee, slippage and legging loss for closing ``notional`` base units.

        A short is bought back at the price with the slippage on it, and the fee is on that.
        """
        numerator, denominator = self._exit
        return ceil_div(notional * numerator, denominator)

    def apart(self, notional: int) -> int:
        """Highest legging loss or gain on ``notional`` base units."""
        return ceil_div(notional * self.legging.numerator, self.legging.denominator)

    @cached_property
    def _exit(self) -> tuple[int, int]:
        share = self.slippage + self.fee * (1 + self.slippage) + self.legging
        return share.numerator, share.denominator
