"""The value of an order, with every open one of the same instrument and side, stays within a limit.

A maximum order value (RTS 6, Art. 15(1)(b) and (2); SEC Rule 15c3-5(c)(1)(ii), size parameters).
Open orders count, so that an order cut into several is no smaller. An order is worth its quantity
at its limit or at the decision price, whichever is higher.
"""

from __future__ import annotations

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.amount import share_or_amount, units
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.verdict import Situation


def max_order_value(limit: Exact, *, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: a share of NAV, ``"5%"``, or an amount with its currency, ``"50000 USD"``."""
    return share_or_amount("max_order_value", limit, rule, why)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the largest order."""
    book, prices = situation.book, situation.prices
    worst, where = 0, "no order"
    for leg in proposal.legs:
        symbol = leg.instrument.symbol
        value = order_value(leg.instrument, leg.quantity, leg.limit, prices[symbol])
        for order in book.open_orders:
            if (order.instrument.symbol, order.side) == (symbol, leg.side):
                value += order_value(leg.instrument, order.remaining, order.limit, prices[symbol])
        if value > worst:
            worst, where = value, f"to {leg.side.value} {symbol}"
    currency = book.currency
    most = units(guardrail, situation.nav, currency)
    stated = f"at most {currency.amount(int(most)):,.2f} {currency.symbol}"
    if "unit" not in guardrail.terms:
        stated += f", {share(guardrail.limit)} of NAV"
    return Finding(
        "max_order_value",
        worst <= most,
        stated,
        f"{currency.amount(worst):,.2f} {currency.symbol} {where}" if worst else where,
        "with open orders of the same instrument and side",
    )


def order_value(instrument: Instrument, quantity: int, limit: int, price: int) -> int:
    """What ``quantity`` may come to, in base units of the quote asset."""
    return instrument.notional(quantity, max(limit, price))
