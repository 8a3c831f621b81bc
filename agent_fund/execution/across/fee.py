"""RelayerFee: what a relayer keeps of a transfer, stated beforehand; rounded against the fund."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.money import Exact, ratio, require_int, to_units
from agent_fund.execution.errors import ExecutionError


@dataclass(frozen=True)
class RelayerFee:
    """``relative`` of the amount, rounded up, and ``fixed`` base units of the currency beside it.

    The protocol leaves the fee to the market: what is stated here is what the fund offers, and a
    relayer takes it or does not.
    """

    relative: Fraction
    fixed: int

    def __post_init__(self) -> None:
        if not 0 <= self.relative < 1:
            raise ExecutionError("relayer fee", str(self.relative), "write a ratio of [0, 1)")
        require_int(self.fixed, "fixed relayer fee", minimum=0)

    @classmethod
    def stated(cls, relative: Exact, fixed: Exact, scale: int) -> RelayerFee:
        """From exact values: a ratio, and an amount of a currency with ``scale`` decimals."""
        return cls(ratio(relative, "relayer fee"), to_units(fixed, scale, "fixed relayer fee"))

    def after(self, amount: int) -> int:
        """What is left of ``amount`` base units; zero or less: it cannot be carried."""
        kept = self.relative * amount
        return amount - -(-kept.numerator // kept.denominator) - self.fixed
