"""A guardrail as data: its kind and its limit, with the rule and the reason it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio

KINDS = ("max_drawdown", "gross_leverage", "concentration")


@dataclass(frozen=True)
class Guardrail:
    """One limit of a mandate.

    Attributes:
        kind: one of KINDS; it names the code that judges.
        limit: a share of NAV, or of the high-water mark for a drawdown.
        always: a passive breach (the market moved) forces a reduction too.
        rule, why: where the limit comes from, and what it is for; recorded, never evaluated.
    """

    kind: str
    limit: Fraction
    always: bool = False
    rule: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DomainError("guardrail", self.kind, f"known kinds: {', '.join(KINDS)}")
        if not isinstance(self.limit, Fraction) or self.limit < 0:
            raise DomainError(f"limit of {self.kind}", self.limit, "write a Fraction of 0 or more")
        if self.kind == "max_drawdown" and self.limit >= 1:
            raise DomainError(f"limit of {self.kind}", str(self.limit), "write less than 100%")

    def to_json(self) -> dict[str, Any]:
        """As it stands in a mandate's canonical JSON."""
        return {
            "kind": self.kind,
            "limit": str(self.limit),
            "always": self.always,
            "rule": self.rule,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Guardrail:
        """The guardrail that ``to_json`` wrote."""
        return cls(
            value["kind"], ratio(value["limit"]), value["always"], value["rule"], value["why"]
        )


def make(kind: str, limit: Exact, always: bool, rule: str, why: str) -> Guardrail:
    """A guardrail from what a mandate file wrote; a float is refused with the fix."""
    return Guardrail(kind, ratio(limit, f"limit of {kind}"), always, rule, why)
