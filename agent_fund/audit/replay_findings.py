"""The findings of a guard record are those that the deciding code makes of that very trade.

Exact limits are judged again. The drawdown, the floor and the margin safety of a certified trade
follow from its proved bounds; of one that was not certified there is no proof, and their values and
scenarios are taken as stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.domain.order import Proposal
from agent_fund.guard.cases import TooManyCasesError, cases
from agent_fund.guard.clauses import checked_demands, demanded, demands_of, facts_of
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import fixed_floor, margin_safety, max_drawdown
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.formula import formula
from agent_fund.guard.limits import pre_trade
from agent_fund.guard.machine import Bounds
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Situation


@dataclass(frozen=True)
class Judged:
    """What a verdict was about; the capacity is taken from the record, for volumes are not logged.

    Attributes:
        bounds: proved of the trade that was let through; None if nothing was.
        demands: certificates of what the mandate's own stressed clauses ask of it.
    """

    mandate: ResolvedMandate
    situation: Situation
    bounds: Bounds | None
    demands: Sequence[Certificate] = ()

    @property
    def kinds(self) -> list[str]:
        """The guardrails that rest on certificates, in the order of their findings."""
        margined = any(i.margin is not None for i in self.situation.book.instruments.values())
        floored = self.mandate.guardrail("fixed_floor") is not None
        stated = (("max_drawdown", True), ("fixed_floor", floored), ("margin_safety", margined))
        return [*(kind for kind, asked in stated if asked), *self.clauses]

    @property
    def clauses(self) -> dict[str, Clause]:
        """The mandate's own stressed clauses by name."""
        return {clause.name: clause for clause in self.mandate.clauses if clause.stressed}


def require_findings(
    record: Mapping[str, Any], judged: Judged, asked: Proposal, kept: Proposal
) -> None:
    """``findings`` are of what was ``kept``, or of what was ``asked`` if it was refused.

    Raises:
        AuditError: naming what the limits say instead, also of ``broken``.
    """
    outcome, findings, broken = record["outcome"], record["findings"], record["broken"]
    refused, admitted = outcome == "refused", outcome == "admitted"
    exact = _exact(judged, asked if refused else kept)
    counted = len(exact) == 1 and exact[0]["guardrail"] == "cases"
    made = asked if refused else kept
    proved = [] if counted else _proved(judged, findings[len(exact) :], judged.bounds, made)
    if findings != exact + proved:
        raise AuditError("findings", findings, f"the limits say {exact + proved}")
    failed = [f for f in (findings if refused else _exact(judged, asked)) if not f["holds"]]
    if outcome == "repaired" and len(broken) > len(failed):
        failed += _failed(judged, broken[len(failed) :])
    if broken != failed or bool(broken) is admitted:
        raise AuditError("broken", broken, f"the limits say {failed}")


def _exact(judged: Judged, made: Proposal) -> list[dict[str, Any]]:
    """What the exact limits say of a proposal."""
    try:
        every = cases(judged.situation.book, made)
    except TooManyCasesError as error:
        words = ("a bounded number of ways", str(error), "any fills")
        return [Finding("cases", False, *words).to_json()]
    found = pre_trade(judged.mandate, every, judged.situation, made)
    return [finding.to_json() for finding in found]


def _proved(
    judged: Judged, stated: Sequence[Any], bounds: Bounds | None, made: Proposal
) -> list[dict[str, Any]]:
    """The findings that rest on certificates, of which ``stated`` may be all."""
    kinds = judged.kinds
    if len(stated) != len(kinds) or not all(isinstance(one, dict) for one in stated):
        raise AuditError("findings", list(stated), f"what is proved comes last: {kinds}")
    found = [_one(judged, kind, one, bounds) for kind, one in zip(kinds, stated, strict=True)]
    if bounds is None:
        return found
    demanded = _demanded(judged, made, {str(one.get("guardrail")): one for one in stated})
    return [*found[: len(found) - len(demanded)], *demanded]


def _demanded(
    judged: Judged, made: Proposal, stated: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What the certificates prove of the mandate's own stressed clauses; scenarios as stated."""
    mandate, facts = judged.mandate, facts_of(judged.situation, made)
    asked = demands_of(mandate, cases(judged.situation.book, made), facts)
    bounds = checked_demands(mandate, asked, judged.demands)

    def words(clause: Clause, number: int) -> str:
        return str(stated.get(clause.name, {}).get("scenario"))

    found = demanded(mandate, asked, bounds, facts, words)
    for finding in found:
        if not finding.holds:
            raise AuditError(finding.guardrail, finding.value, f"the limit is {finding.limit}")
    return [finding.to_json() for finding in found]


def _failed(judged: Judged, stated: Sequence[Any]) -> list[dict[str, Any]]:
    """Findings of what was proposed, which no certificate covers; each at most once, in order."""
    names = [one.get("guardrail") if isinstance(one, dict) else one for one in stated]
    if names != [kind for kind in judged.kinds if kind in names]:
        raise AuditError("findings", list(stated), "what is proved comes last")
    return [
        {**_one(judged, name, one, None), "holds": False}
        for name, one in zip(names, stated, strict=True)
    ]


def _one(
    judged: Judged, kind: str, stated: Mapping[str, Any], bounds: Bounds | None
) -> dict[str, Any]:
    """The finding of ``kind`` that ``stated`` may be."""
    scenario, nothing = str(stated.get("scenario")), Bounds(0, 0, 0)
    mandate, seen, proved = judged.mandate, judged.situation, bounds or nothing
    if kind in judged.clauses:
        return _unproved(judged.clauses[kind], stated)
    if kind == "max_drawdown":
        found = max_drawdown.judge(mandate.drawdown, seen.nav, seen.mark, proved, scenario)
    elif kind == "fixed_floor":
        found = fixed_floor.judge(seen.floor, seen.nav, proved, seen.book.currency, scenario)
    else:
        found = margin_safety.judge(mandate.margin_multiple, seen.nav, proved, scenario)
    if bounds is not None:
        return found.to_json()
    value, holds = str(stated.get("value")), stated.get("holds") is True
    return {**found.to_json(), "value": value, "holds": holds}


def _unproved(clause: Clause, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The finding of a clause of which nothing was certified: its limit is one of the clause's."""
    limits = [formula(relation) for relation in clause.stressed]
    limits.append(" ∧ ".join(limits))
    if stated.get("limit") not in limits:
        raise AuditError(clause.name, stated.get("limit"), f"its limits are {limits}")
    words = (str(stated.get(key)) for key in ("limit", "value", "scenario"))
    return Finding(clause.name, stated.get("holds") is True, *words).to_json()
