"""Every exact limit of a trade, judged by the same code when it is admitted and when audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.compile import Case
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import concentration, gross_leverage
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.solvency import exit_capacity, solvency

LIFE = 4096
"""Bars for which looks may rest on one certificate of a held book, prices inside its band."""

_JUDGES = (
    ("gross_leverage", gross_leverage.judge),
    ("concentration", concentration.judge),
)


def pre_trade(
    mandate: ResolvedMandate,
    every: Sequence[Case],
    book: Book,
    proposal: Proposal,
    prices: Mapping[str, int],
    capacity: Mapping[str, int],
) -> list[Finding]:
    """What each exact limit says of ``proposal``, over every case of how its legs may fill."""
    return [
        solvency(book, proposal, mandate.costs),
        exit_capacity(book, proposal, capacity, mandate.exit_bars),
        *_judged(mandate, every, book, prices, always_only=False),
    ]


def always(
    mandate: ResolvedMandate, every: Sequence[Case], book: Book, prices: Mapping[str, int]
) -> list[Finding]:
    """What the limits marked ``always`` say of a held book at these prices."""
    return _judged(mandate, every, book, prices, always_only=True)


def _judged(
    mandate: ResolvedMandate,
    every: Sequence[Case],
    book: Book,
    prices: Mapping[str, int],
    *,
    always_only: bool,
) -> list[Finding]:
    nav = book.nav(prices)
    findings = []
    for kind, judge in _JUDGES:
        guardrail = mandate.guardrail(kind)
        if guardrail is not None and (guardrail.always or not always_only):
            findings.append(judge(guardrail, every, book, prices, nav))
    return findings
