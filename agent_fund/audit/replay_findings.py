"""The findings of a guard record are those that the deciding code makes of that very trade.

Exact limits are judged again. The drawdown of a certified trade follows from its proved bounds;
of one that was not certified there is no proof, and its value and scenario are taken as stated.
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
from agent_fund.guard.guardrails import max_drawdown
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
    drawdown = [] if counted else [_drawdown(judged, findings[len(exact) :], judged.bounds)]
    if findings != exact + drawdown:
        raise AuditError("findings", findings, f"the limits say {exact + drawdown}")
    failed = [f for f in (findings if refused else _exact(judged, asked)) if not f["holds"]]
    if outcome == "repaired" and len(broken) > len(failed):
        failed.append({**_drawdown(judged, broken[len(failed) :], None), "holds": False})
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


def _drawdown(judged: Judged, stated: Sequence[Any], bounds: Bounds | None) -> dict[str, Any]:
    """The one finding of the drawdown that ``stated`` may be."""
    if len(stated) != 1 or not isinstance(stated[0], dict):
        raise AuditError("findings", list(stated), "one of the drawdown comes last")
    value, scenario = str(stated[0].get("value")), str(stated[0].get("scenario"))
    limit = judged.mandate.drawdown
    nothing = Bounds(0, 0, 0)
    found = max_drawdown.judge(limit, judged.nav, judged.mark, bounds or nothing, scenario)
    if bounds is not None:
        return found.to_json()
    return {**found.to_json(), "value": value, "holds": stated[0].get("holds") is True}
