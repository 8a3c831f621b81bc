"""A mandate in words: every guardrail, its stress set, its costs, and what is guaranteed on what.

The same content stands in the terminal, in Markdown, on the page and in JSON. A mandate file states
how its stress set will be made; a run resolves it, and only then are there boxes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.domain.money import ratio
from agent_fund.guard.explain.explained import (
    Explained,
    assumptions,
    explain,
    explain_clause,
    guarantee,
    percent,
)
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.mandate import Mandate
from agent_fund.guard.repair.distance import Repair
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.report.mandate_stress import Rows, rule_rows, set_rows


@dataclass(frozen=True)
class Item:
    """One guardrail.

    Attributes:
        limit: as people read it; empty for a clause, whose formula has it.
    """

    name: str
    limit: str
    explained: Explained
    always: bool
    rule: str
    why: str


@dataclass(frozen=True)
class MandateWords:
    """All that is said of a mandate.

    Attributes:
        guarantee: empty for a mandate that limits no drawdown; it cannot be resolved.
        stress, terms: what, and how much.
        canonical: its canonical JSON; ``digest``: SHA-256 of that.
    """

    name: str
    resolved: bool
    guarantee: str
    assumptions: Rows
    items: tuple[Item, ...]
    stress: Rows
    terms: Rows
    canonical: Mapping[str, Any]
    digest: str

    @property
    def status(self) -> str:
        """What the hash is of."""
        if self.resolved:
            return "the resolved mandate: what a run's log holds, and what its proofs are bound to"
        return "the mandate as written; the hash that proofs are bound to is made when a run begins"

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name,
            "resolved": self.resolved,
            "sha256": self.digest,
            "guarantee": self.guarantee,
            "assumptions": dict(self.assumptions),
            "guardrails": [
                {
                    "name": item.name,
                    "limit": item.limit,
                    "sentence": item.explained.sentence,
                    "unicode": item.explained.unicode,
                    "latex": item.explained.latex,
                    "when": item.explained.when,
                    "assumes": list(item.explained.assumes),
                    "always": item.always,
                    "rule": item.rule,
                    "why": item.why,
                }
                for item in self.items
            ],
            "stress": [list(row) for row in self.stress],
            "terms": [list(row) for row in self.terms],
            "mandate": dict(self.canonical),
        }


def mandate_words(mandate: Mandate | ResolvedMandate) -> MandateWords:
    """All that is said of ``mandate``."""
    resolved = isinstance(mandate, ResolvedMandate)
    canonical = mandate.to_json() if isinstance(mandate, ResolvedMandate) else written_json(mandate)
    kinds = {g.kind: g for g in mandate.guardrails}
    stress = mandate.stress
    items = [
        Item(g.key, _limit(g), explain(g), g.always, g.rule, g.why) for g in mandate.guardrails
    ]
    items += [Item(c.name, "", explain_clause(c), c.always, c.rule, c.why) for c in mandate.clauses]
    return MandateWords(
        mandate.name,
        resolved,
        guarantee(kinds) if "max_drawdown" in kinds else "",
        assumptions(mandate.costs, stress.horizon),
        tuple(items),
        set_rows(stress) if isinstance(stress, Stress) else rule_rows(stress),
        _terms(mandate),
        canonical,
        hashlib.sha256(dumps(canonical)).hexdigest(),
    )


def written_json(mandate: Mandate) -> dict[str, Any]:
    """A mandate that is not resolved, as canonical JSON: its stress set is a rule."""
    rule = mandate.stress
    return {
        "name": mandate.name,
        "guardrails": [g.to_json() for g in mandate.guardrails],
        "stress": {
            "multiple": None if rule.multiple is None else str(rule.multiple),
            "factors": {
                name: {s: str(w) for s, w in weights.items()}
                for name, weights in rule.factors.items()
            },
            "horizon": rule.horizon,
            "basis": dict(rule.basis),
            "basis_multiple": None if rule.basis_multiple is None else str(rule.basis_multiple),
            "lose": list(rule.lose),
            "declared": {s: list(ends) for s, ends in rule.declared.boxes.items()},
            "why": rule.declared.why,
            "budgets": [
                {"of": list(b.of), "most": None if b.most is None else str(b.most)}
                for b in rule.budgets
            ],
            "combinations": [c.to_json() for c in rule.combinations],
            "expected": str(rule.expected),
        },
        "costs": {
            "fee": str(mandate.costs.fee),
            "slippage": str(mandate.costs.slippage),
            "legging": str(mandate.costs.legging),
        },
        "reduce_to": str(ratio(mandate.reduce_to)),
        "band": str(ratio(mandate.band)),
        "clauses": [clause.to_json() for clause in mandate.clauses],
        "repair": _repair(mandate).to_json(),
    }


def _limit(guardrail: Guardrail) -> str:
    """The limit with all its digits; of a kind without one, what it names."""
    if guardrail.kind == "reduce_only":
        return ""
    share = "names" not in guardrail.terms and "unit" not in guardrail.terms
    return percent(guardrail.limit) if share else guardrail.stated


def _repair(mandate: Mandate | ResolvedMandate) -> Repair:
    return mandate.repair if isinstance(mandate.repair, Repair) else Repair(mandate.repair)


def _terms(mandate: Mandate | ResolvedMandate) -> Rows:
    costs, repair = mandate.costs, _repair(mandate)
    rows = [
        ("fee", f"at most {percent(costs.fee)} of a trade"),
        ("slippage", f"at most {percent(costs.slippage)} of the price, spread and impact together"),
        ("legging", f"legs of a way out part by at most {percent(costs.legging)} of the price"),
        (
            "repair",
            "a share for each leg, the nearest trade that certifies"
            if repair.nearest
            else "the same share of every leg, the largest that certifies",
        ),
        ("reduce to", f"{percent(ratio(mandate.reduce_to))} of the largest book that certifies"),
        ("band", f"one certificate of a held book covers prices within {_band(mandate)}"),
    ]
    if repair.weights:
        weighed = ", ".join(f"{s} {weight}" for s, weight in sorted(repair.weights.items()))
        rows.insert(4, ("weights", f"of a leg's notional in the distance: {weighed}"))
    if isinstance(mandate, ResolvedMandate):
        rows.append(("exit", f"a way out is sent over at most {mandate.exit_bars} bars"))
    return tuple(rows)


def _band(mandate: Mandate | ResolvedMandate) -> str:
    return percent(ratio(mandate.band))
