"""What one guardrail says of one trade: its limit, the value it saw, and the worst scenario."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A guardrail's answer; the deciding code computes it, and nobody else does.

    Attributes:
        holds: whether the trade is within the limit.
        limit, value: as people read them, with their unit.
        scenario: the market and the fills at which ``value`` is reached.
    """

    guardrail: str
    holds: bool
    limit: str
    value: str
    scenario: str

    @property
    def text(self) -> str:
        """One sentence for a person, and for the model that proposed the trade."""
        verb = "holds" if self.holds else "is broken"
        return f"{self.guardrail} {verb}: {self.value} against {self.limit} ({self.scenario})"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a guard record."""
        return {
            "guardrail": self.guardrail,
            "holds": self.holds,
            "limit": self.limit,
            "value": self.value,
            "scenario": self.scenario,
        }


def share(value: Fraction) -> str:
    """A share of NAV as people read it, e.g. ``12.34%``; rounded away from zero."""
    hundredths = -(-abs(value) * 10_000 // 1)
    sign = "-" if value < 0 else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}%"
