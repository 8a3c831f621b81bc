"""A guardrail as data: its kind and its limit, with the rule and the reason it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio

KINDS = (
    "max_drawdown",
    "gross_leverage",
    "net_exposure",
    "concentration",
    "hedge_coverage",
    "venue_exposure",
    "cash_floor",
    "margin_safety",
    "liquidity",
)


@dataclass(frozen=True)
class Guardrail:
    """One limit of a mandate.

    Attributes:
        kind: one of KINDS; it names the code that judges.
        limit: a share of NAV, or of the high-water mark for a drawdown; what else it is, the
            guardrail's own file says.
        always: a passive breach (the market moved) forces a reduction too.
        rule, why: where the limit comes from, and what it is for; recorded, never evaluated.
        terms: what the kind needs beyond its limit, by name, as canonical text.
    """

    kind: str
    limit: Fraction
    always: bool = False
    rule: str = ""
    why: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)

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
            "terms": dict(sorted(self.terms.items())),
        }

    def share(self, name: str) -> Fraction:
        """The term ``name`` as a ratio."""
        return ratio(self.terms[name], f"{name} of {self.kind}")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Guardrail:
        """The guardrail that ``to_json`` wrote."""
        return cls(
            value["kind"],
            ratio(value["limit"]),
            value["always"],
            value["rule"],
            value["why"],
            dict(value["terms"]),
        )


def make(
    kind: str,
    limit: Exact,
    always: bool,
    rule: str,
    why: str,
    terms: Mapping[str, str] | None = None,
) -> Guardrail:
    """A guardrail from what a mandate file wrote; a float is refused with the fix."""
    return Guardrail(kind, ratio(limit, f"limit of {kind}"), always, rule, why, terms or {})


def text_of(value: Exact, subject: str) -> str:
    """A share that is not negative, as the canonical text of a term."""
    found = ratio(value, subject)
    if found < 0:
        raise DomainError(subject, str(value), "write a share of 0% or more")
    return str(found)
