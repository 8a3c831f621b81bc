"""What a mandate assumes of the values of options, futures and pool shares until the way out ends.

Each is a named assumption. What is left out is not assumed away: without a volatility an option
lies between its payoff and what no arbitrage allows, whatever the market thinks; without a span
whatever expires may expire at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_int
from agent_fund.guard.kernel.form import SCALE


@dataclass(frozen=True)
class Pricing:
    """Assumptions about derivatives; part of a stress set.

    Attributes:
        volatility: by instrument, the lowest and the highest volatility a year that options on it
            are priced at (Black and Scholes, rates zero), from the decision to the end of the way
            out.
        span: seconds from a decision to the end of its way out; None if not declared.
        fees: by pool share, the most that its fees add to it over the horizon, in 1/SCALE.
    """

    volatility: Mapping[str, tuple[Fraction, Fraction]] = field(default_factory=dict)
    span: int | None = None
    fees: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for symbol, pair in self.volatility.items():
            if not all(isinstance(end, Fraction) for end in pair) or not 0 <= pair[0] <= pair[1]:
                raise DomainError(
                    f"volatility of {symbol}",
                    tuple(map(str, pair)),
                    "write the lowest and the highest, as Fractions from 0 on",
                )
        if self.span is not None:
            require_int(self.span, "span of a way out, in seconds", minimum=1)
        for symbol, most in self.fees.items():
            require_int(most, f"fees of {symbol}", minimum=0)

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON values."""
        return {
            "volatility": {
                s: [str(e) for e in pair] for s, pair in sorted(self.volatility.items())
            },
            "span": self.span,
            "fees": dict(sorted(self.fees.items())),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Pricing:
        """The assumptions that ``to_json`` wrote."""
        return cls(
            {s: (ratio(low), ratio(high)) for s, (low, high) in value["volatility"].items()},
            value["span"],
            dict(value["fees"]),
        )


def pricing(
    volatility: Mapping[str, tuple[Exact, Exact]] | None = None,
    *,
    span: int | None = None,
    fees: Mapping[str, Exact] | None = None,
) -> Pricing:
    """Assumptions as a mandate writes them, e.g. ``pricing({"BTC": ("30%", "150%")})``.

    Args:
        fees: the most that a pool's fees add to its share over the horizon, e.g. ``"0.5%"``.
    """
    return Pricing(
        {
            symbol: (ratio(low, f"lowest {symbol}"), ratio(high, f"highest {symbol}"))
            for symbol, (low, high) in (volatility or {}).items()
        },
        span,
        {s: ceil(ratio(most, f"fees of {s}") * SCALE) for s, most in (fees or {}).items()},
    )
