"""A clause: one guardrail of a mandate in its language, judged exactly or proved.

Comparisons that fills alone decide are pre-trade limits at decision prices: every way the orders
may fill counts, and a breach that the market alone made blocks what would widen it and forces no
sale, unless ``always``. Comparisons with a loss or a move are obligations: their forms, left side
less right side, have to be proved not positive in every scenario of the stress set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_name
from agent_fund.guard.language.canonical import from_json, to_json
from agent_fund.guard.language.discipline import require_relation, varies
from agent_fund.guard.language.expression import AtMost, Known, Relation, leaves, relations
from agent_fund.guard.language.formula import formula
from agent_fund.guard.language.scope import Scope, Trade, traced
from agent_fund.guard.language.term import Claim


@dataclass(frozen=True)
class Clause:
    """A guardrail as data.

    Attributes:
        rule, why: where the limit comes from, and what it is for; recorded, never evaluated.
        always: a passive breach (the market moved) forces a reduction too.
    """

    name: str
    rule: str
    why: str
    always: bool
    relation: Relation

    def __post_init__(self) -> None:
        require_name(self.name, "guardrail name")
        require_relation(self.relation)
        if self.always and self.stressed:
            fix = "it is proved when a trade is made; what guards the held book is max_drawdown"
            raise DomainError(f"always of {self.name}", self.always, fix)
        if self.always and Known("mark") in leaves(self.relation):
            fix = "compare with s.nav; the fall from the mark is what max_drawdown limits"
            raise DomainError(f"always of {self.name}", "s.mark", fix)
        for single in relations(self.relation):
            if not varies(single) and not self.always:
                fix = "compare something of s.book.after(t), or say always=True"
                raise DomainError("guardrail without the trade", formula(single), fix)

    @cached_property
    def exact(self) -> tuple[AtMost, ...]:
        """The comparisons that the fills alone decide."""
        return tuple(r for r in relations(self.relation) if "market" not in varies(r))

    @cached_property
    def stressed(self) -> tuple[AtMost, ...]:
        """The comparisons that have to be proved over the stress set."""
        return tuple(r for r in relations(self.relation) if "market" in varies(r))

    def to_json(self) -> dict[str, Any]:
        """As it stands in a mandate's canonical JSON."""
        return {
            "name": self.name,
            "always": self.always,
            "rule": self.rule,
            "why": self.why,
            "relation": to_json(self.relation),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Clause:
        """The clause that ``to_json`` wrote.

        Raises:
            DomainError: for anything else.
        """
        if set(value) != {"name", "always", "rule", "why", "relation"}:
            raise DomainError("guardrail", sorted(value), "give name, always, rule, why, relation")
        texts = (value["name"], value["rule"], value["why"])
        if not all(isinstance(text, str) for text in texts) or type(value["always"]) is not bool:
            raise DomainError("guardrail", texts, "write names and reasons as text, always as bool")
        return cls(*texts, value["always"], from_json(value["relation"]))


def written(
    function: Callable[[Scope, Trade], Claim],
    *,
    rule: str = "",
    why: str = "",
    always: bool = False,
    name: str | None = None,
) -> Clause:
    """The clause that ``function`` states, by running it once on symbols.

    Raises:
        DomainError: for what the language refuses.
    """
    return Clause(name or function.__name__, rule, why, always, traced(function))
