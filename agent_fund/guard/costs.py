"""What trading may cost at most: the bound C of the guarantee, at the worst price of the set.

A mandate declares the highest fee and the highest slippage (half spread and impact together) as
shares of the price. Assumption A3 is that the venue stays below both; the run file's venue is
compared with them before a run starts, and every fill is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ceil_div


@dataclass(frozen=True)
class Costs:
    """Highest ``fee`` and ``slippage``, each a share of the traded notional in [0, 1)."""

    fee: Fraction
    slippage: Fraction

    def __post_init__(self) -> None:
        for name, share in (("fee", self.fee), ("slippage", self.slippage)):
            if not isinstance(share, Fraction) or not 0 <= share < 1:
                raise DomainError(f"highest {name}", str(share), "write a share from 0 to below 1")

    def entry(self, notional: int) -> int:
        """Highest fee on ``notional`` base units; slippage of an entry lies inside its limit."""
        return ceil_div(notional * self.fee.numerator, self.fee.denominator)

    def exit(self, notional: int) -> int:
        """Highest fee and slippage for closing ``notional`` base units."""
        share = self.fee + self.slippage
        return ceil_div(notional * share.numerator, share.denominator)
