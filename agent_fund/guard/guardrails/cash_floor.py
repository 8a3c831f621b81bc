"""Free cash stays above a share of NAV: what pays for redemptions and tops margin accounts up.

Free is cash at spot venues once every open and proposed purchase is paid at its limit, and at a
margin account the equity above the initial margin of its largest positions. A pre-trade limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.obligations import before_transfers
from agent_fund.guard.solvency import initial_need


def cash_floor(limit: Exact, *, always: bool = False, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: the least free cash, as a share of NAV, e.g. ``"5%"``."""
    return make("cash_floor", limit, always, rule, why)


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the fills that leave least.

    Args:
        book: after the transfers that the trade makes.
    """
    held = Case({s: q for s, q in book.positions.items() if q}, (), ())
    worst = min(_free(case, book, prices) for case in every)
    before = _free(held, before_transfers(book), prices)
    holds = worst >= guardrail.limit * nav or (worst >= before and not guardrail.always)
    return Finding(
        "cash_floor",
        holds,
        f"at least {share(guardrail.limit)} of NAV free",
        f"{share(Fraction(worst, nav))} of NAV",
        "every purchase fills whole at its limit, no sale fills",
    )


def _free(case: Case, book: Book, prices: Mapping[str, int]) -> int:
    margined = {i.account for i in book.instruments.values() if i.margin is not None}
    free = sum(cash for place, cash in book.places.items() if place not in margined)
    for leg in (*case.full, *case.options):
        if leg.instrument.margin is None and leg.quantity > 0:
            free -= leg.instrument.notional(leg.quantity, leg.limit)
    for account in sorted(margined):
        free += max(0, book.equity(account, prices) - initial_need([case], book, account, prices))
    return free
