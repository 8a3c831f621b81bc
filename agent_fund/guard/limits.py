"""Every exact limit of a trade, judged by the same code when it is admitted and when audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.compile import Case
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import (
    cash_floor,
    concentration,
    gross_leverage,
    hedge_coverage,
    net_exposure,
    venue_exposure,
)
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.obligations import after_transfers
from agent_fund.guard.solvency import exit_capacity, initial_margin, solvency

LIFE = 4096
"""Bars for which looks may rest on one certificate of a held book, prices inside its band."""

_JUDGES = (
    ("gross_leverage", gross_leverage.judge),
    ("net_exposure", net_exposure.judge),
    ("concentration", concentration.judge),
    ("hedge_coverage", hedge_coverage.judge),
    ("venue_exposure", venue_exposure.judge),
    ("cash_floor", cash_floor.judge),
)


ALWAYS = frozenset(kind for kind, _ in _JUDGES)
"""Limits that a mandate may mark ``always``; the proved ones are so by their nature."""


def pre_trade(
    mandate: ResolvedMandate,
    every: Sequence[Case],
    book: Book,
    proposal: Proposal,
    prices: Mapping[str, int],
    capacity: Mapping[str, int],
) -> list[Finding]:
    """What each exact limit says of ``proposal``, over every case of how its legs may fill."""
    after = after_transfers(book, proposal)
    margin = initial_margin(every, after, proposal, prices, mandate.costs)
    return [
        solvency(book, proposal, mandate.costs),
        *(() if margin is None else (margin,)),
        exit_capacity(every, book, proposal, capacity, mandate.exit_bars),
        *_judged(mandate, every, after, prices, always_only=False),
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
