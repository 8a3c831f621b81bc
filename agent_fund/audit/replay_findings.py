"""The findings of a guard record are those that the deciding code makes of that very trade.

Exact limits are judged again. The drawdown and the margin safety of a certified trade follow from
its proved bounds; of one that was not certified there is no proof, and their values and scenarios
are taken as stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.compile import TooManyCasesError, cases
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import margin_safety, max_drawdown
from agent_fund.guard.limits import pre_trade
from agent_fund.guard.machine import Bounds
from agent_fund.guard.mandate import ResolvedMandate


@dataclass(frozen=True)
class Judged:
    """What a verdict was about; ``capacity`` is taken from the record, for volumes are not logged.

    Attributes:
        bounds: proved of the trade that was let through; None if nothing was.
    """

    mandate: ResolvedMandate
    book: Book
    prices: Mapping[str, int]
    capacity: Mapping[str, int]
    nav: int
    mark: int
    bounds: Bounds | None


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
    proved = [] if counted else _proved(judged, findings[len(exact) :], judged.bounds)
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
        every = cases(judged.book, made)
    except TooManyCasesError as error:
        words = ("a bounded number of ways", str(error), "any fills")
        return [Finding("cases", False, *words).to_json()]
    book, prices, capacity = judged.book, judged.prices, judged.capacity
    found = pre_trade(judged.mandate, every, book, made, prices, capacity)
    return [finding.to_json() for finding in found]


def _proved(judged: Judged, stated: Sequence[Any], bounds: Bounds | None) -> list[dict[str, Any]]:
    """The findings that rest on certificates, of which ``stated`` may be all."""
    kinds = ["max_drawdown"]
    if any(i.margin is not None for i in judged.book.instruments.values()):
        kinds.append("margin_safety")
    if len(stated) != len(kinds) or not all(isinstance(one, dict) for one in stated):
        raise AuditError("findings", list(stated), f"what is proved comes last: {kinds}")
    return [_one(judged, kind, one, bounds) for kind, one in zip(kinds, stated, strict=True)]


def _failed(judged: Judged, stated: Sequence[Any]) -> list[dict[str, Any]]:
    """Findings of what was proposed, which no certificate covers; each at most once, in order."""
    names = [one.get("guardrail") if isinstance(one, dict) else one for one in stated]
    if names not in (["max_drawdown"], ["margin_safety"], ["max_drawdown", "margin_safety"]):
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
    mandate, proved = judged.mandate, bounds or nothing
    if kind == "max_drawdown":
        limit = mandate.drawdown
        found = max_drawdown.judge(limit, judged.nav, judged.mark, proved, scenario)
    else:
        found = margin_safety.judge(mandate.margin_multiple, judged.nav, proved, scenario)
    if bounds is not None:
        return found.to_json()
    value, holds = str(stated.get("value")), stated.get("holds") is True
    return {**found.to_json(), "value": value, "holds": holds}
