"""Every exact limit of a trade, judged by the same code when it is admitted and when audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.activity import Activity
from agent_fund.guard.cases import Case
from agent_fund.guard.clauses import facts_of, judged
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import (
    cash_floor,
    concentration,
    destination_allow_list,
    gross_leverage,
    hedge_coverage,
    instrument_allow_list,
    max_order_value,
    max_order_volume,
    message_throttle,
    net_exposure,
    price_collar,
    reduce_only,
    repeated_execution_throttle,
    slippage_cap,
    turnover_throttle,
    venue_exposure,
)
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.obligations import after_transfers
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.solvency import exit_capacity, initial_margin, solvency
from agent_fund.guard.verdict import Situation

LIFE = 4096
"""Bars for which looks may rest on one certificate of a held book, prices inside its band."""


def life(book: Book) -> int:
    """Bars for which looks may rest on one certificate; none if what is held has a date.

    An envelope of an option that knows the time holds at that time only.
    """
    return LIFE if book.time is None else 0


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

_ORDER_JUDGES = {
    "price_collar": price_collar.judge,
    "slippage_cap": slippage_cap.judge,
    "max_order_value": max_order_value.judge,
    "max_order_volume": max_order_volume.judge,
    "turnover_throttle": turnover_throttle.judge,
    "message_throttle": message_throttle.judge,
    "repeated_execution_throttle": repeated_execution_throttle.judge,
    "instrument_allow_list": instrument_allow_list.judge,
    "destination_allow_list": destination_allow_list.judge,
    "reduce_only": reduce_only.judge,
}
"""Limits of what an agent sends, and not of what the fund holds."""

_DRAWS = {
    "turnover_throttle": turnover_throttle.draw,
    "message_throttle": message_throttle.draw,
    "repeated_execution_throttle": repeated_execution_throttle.draw,
}


def pre_trade(
    mandate: ResolvedMandate, every: Sequence[Case], situation: Situation, proposal: Proposal
) -> list[Finding]:
    """What each exact limit says of ``proposal``, over every case of how its legs may fill."""
    book, prices = situation.book, situation.prices
    after = after_transfers(book, proposal)
    margin = initial_margin(every, after, proposal, prices, mandate.costs)
    return [
        solvency(book, proposal, mandate.costs),
        *(() if margin is None else (margin,)),
        exit_capacity(every, book, proposal, situation.capacity, mandate.exit_bars),
        *_judged(mandate, every, after, prices, always_only=False),
        *(
            _ORDER_JUDGES[guardrail.kind](guardrail, situation, proposal)
            for guardrail in mandate.guardrails
            if guardrail.kind in _ORDER_JUDGES
        ),
        *judged(mandate, every, facts_of(situation, proposal), always_only=False),
    ]


def activity_after(mandate: ResolvedMandate, situation: Situation, proposal: Proposal) -> Activity:
    """The activity once ``proposal``, as admitted or repaired, is sent at ``situation``'s close."""
    activity = situation.activity
    for guardrail in mandate.guardrails:
        if guardrail.kind in _DRAWS:
            draw = _DRAWS[guardrail.kind](guardrail, situation, proposal)
            activity = activity.after(draw, situation.bar)
    return activity


def always(
    mandate: ResolvedMandate, every: Sequence[Case], book: Book, prices: Mapping[str, int]
) -> list[Finding]:
    """What the limits marked ``always`` say of a held book at these prices."""
    found = _judged(mandate, every, book, prices, always_only=True)
    if mandate.clauses:
        nav = book.nav(prices)
        # No clause that is marked so asks for the high-water mark.
        found += judged(mandate, every, Facts(book, book, prices, nav, nav), always_only=True)
    return found


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
        findings += [
            judge(guardrail, every, book, prices, nav)
            for guardrail in mandate.guardrails
            if guardrail.kind == kind and (guardrail.always or not always_only)
        ]
    return findings
