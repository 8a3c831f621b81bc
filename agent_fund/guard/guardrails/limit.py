"""A guardrail as data: its kind and its limit, with the rule and the reason it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_name
from agent_fund.guard.finding import share

ORDER_KINDS = (
    "price_collar",
    "slippage_cap",
    "max_order_value",
    "max_order_volume",
    "turnover_throttle",
    "message_throttle",
    "repeated_execution_throttle",
    "instrument_allow_list",
    "destination_allow_list",
    "reduce_only",
)
"""Limits of what is sent, which no move of the market breaks."""

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
    "fixed_floor",
    *ORDER_KINDS,
)
MOST_BARS = 10**6
"""More bars than that are no window of anything."""


@dataclass(frozen=True)
class Guardrail:
    """One limit of a mandate.

    Attributes:
        kind: one of KINDS; it names the code that judges.
        limit: a share of NAV, or of the high-water mark for a drawdown; what else it is, the
            guardrail's own file says.
        always: a passive breach (the market moved) forces a reduction too.
        rule, why: where the limit comes from, and what it is for; recorded, never evaluated.
        terms: what the kind needs beyond its limit, by name, as canonical text. A limit that is
            no share says in ``unit`` what it counts; one that is a list has it in ``names``.
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
        if self.always and self.kind in ORDER_KINDS:
            fix = "it limits what is sent; the market cannot break it"
            raise DomainError(f"always of {self.kind}", self.always, fix)
        if self.terms.get("by", "venue") not in ("venue", "chain"):
            raise DomainError(f"{self.kind} by", self.terms["by"], "write venue or chain")

    @property
    def key(self) -> str:
        """What a mandate may state once, and what findings call it: the kind, and what it is by."""
        by = self.terms.get("by")
        return self.kind if by is None else f"{self.kind} by {by}"

    @property
    def stated(self) -> str:
        """The limit as people read it: a share, a number of something, or names."""
        if "names" in self.terms:
            return self.terms["names"]
        unit = self.terms.get("unit")
        if unit is None:
            return share(self.limit)
        number = Decimal(self.limit.numerator) / Decimal(self.limit.denominator)
        return f"{number:,f} {unit}"

    @property
    def bars(self) -> int:
        """The term ``bars``.

        Raises:
            DomainError: for anything but a number of bars from 1 to MOST_BARS.
        """
        return require_bars(ratio(self.terms["bars"]), self.kind)

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


def require_bars(value: object, kind: str) -> int:
    """``value`` if it is a whole number of bars from 1 to MOST_BARS.

    Raises:
        DomainError: for anything else.
    """
    whole = value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
    if type(whole) is not int or not 1 <= whole <= MOST_BARS:
        raise DomainError(f"bars of {kind}", str(value), f"write an integer from 1 to {MOST_BARS}")
    return whole


def require_count(value: object, subject: str) -> int:
    """``value`` if it is an integer of 0 or more; 0 lets nothing through.

    Raises:
        DomainError: for anything else.
    """
    if type(value) is not int or value < 0:
        raise DomainError(subject, value, "write an integer of 0 or more")
    return value


def require_names(names: tuple[str, ...], kind: str) -> str:
    """``names`` as the canonical text of a term, sorted, each once.

    Raises:
        DomainError: for none, or one that is no name.
    """
    if not names:
        raise DomainError(kind, names, "name at least one")
    return " ".join(sorted({require_name(name, f"name in {kind}") for name in names}))
