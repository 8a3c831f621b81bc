"""A mandate with nothing left open: what the guard enforces, the log holds and auditors read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ratio
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import KINDS, Guardrail
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.judge import Judge
from agent_fund.guard.repair.distance import BY_SCALE, Repair
from agent_fund.guard.stress.stress_set import Stress

VERSION = 3


@dataclass(frozen=True)
class ResolvedMandate:
    """A mandate with nothing left open: what the guard enforces and the auditor reads."""

    name: str
    guardrails: tuple[Guardrail, ...]
    stress: Stress
    costs: Costs
    reduce_to: Fraction
    band: Fraction
    exit_bars: int = 1
    clauses: tuple[Clause, ...] = ()
    repair: Repair = BY_SCALE

    def __post_init__(self) -> None:
        keys = [g.key for g in self.guardrails] + [clause.name for clause in self.clauses]
        taken = [clause.name for clause in self.clauses if clause.name in KINDS]
        if len(set(keys)) != len(keys) or taken:
            raise DomainError(f"guardrails of {self.name}", keys, "give each kind and name once")

    def guardrail(self, kind: str) -> Guardrail | None:
        """The guardrail of that kind, if the mandate has it."""
        return next((g for g in self.guardrails if g.kind == kind), None)

    @cached_property
    def judges(self) -> tuple[Judge, ...]:
        """The judge of each clause, which keeps how the clause reads over the fund's lines."""
        return tuple(map(Judge, self.clauses))

    @cached_property
    def drawdown(self) -> Guardrail:
        """The max_drawdown guardrail."""
        found = self.guardrail("max_drawdown")
        if found is None:
            raise DomainError("mandate", self.name, "give exactly one max_drawdown")
        return found

    @cached_property
    def margin_multiple(self) -> Fraction:
        """What the equity of a margin account must be of its maintenance; 1 if nothing is said."""
        found = self.guardrail("margin_safety")
        return Fraction(1) if found is None else found.limit

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(dumps(self.to_json())).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON values."""
        return {
            "v": VERSION,
            "name": self.name,
            "guardrails": [g.to_json() for g in self.guardrails],
            "stress": self.stress.to_json(),
            "costs": {
                "fee": str(self.costs.fee),
                "slippage": str(self.costs.slippage),
                "legging": str(self.costs.legging),
            },
            "reduce_to": str(self.reduce_to),
            "band": str(self.band),
            "exit_bars": self.exit_bars,
            "clauses": [clause.to_json() for clause in self.clauses],
            **({} if self.repair == BY_SCALE else {"repair": self.repair.to_json()}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ResolvedMandate:
        """The mandate that ``to_json`` wrote.

        Raises:
            DomainError: for another version, or content that does not re-encode identically.
        """
        if value.get("v") != VERSION:
            raise DomainError("mandate version", value.get("v"), f"this code reads {VERSION}")
        mandate = cls(
            value["name"],
            tuple(Guardrail.from_json(g) for g in value["guardrails"]),
            Stress.from_json(value["stress"]),
            Costs(*(ratio(value["costs"][name]) for name in ("fee", "slippage", "legging"))),
            ratio(value["reduce_to"]),
            ratio(value["band"]),
            value["exit_bars"],
            tuple(Clause.from_json(clause) for clause in value["clauses"]),
            Repair.from_json(value["repair"]) if "repair" in value else BY_SCALE,
        )
        if mandate.to_json() != value:
            raise DomainError("mandate", value.get("name"), "it is not in canonical form")
        return mandate
