"""The quantity of an order, with every open one of the same instrument and side, stays in a limit.

A maximum order volume (RTS 6, Art. 15(1)(c) and (2); SEC Rule 15c3-5(c)(1)(ii), size parameters):
a share of what the market has taken in one bar of late, or units by instrument. Open orders count,
so that an order cut into several is no smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact, decimal, ratio, require_name
from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.verdict import Situation


def max_order_volume(
    limit: Exact | Mapping[str, Exact], *, rule: str = "", why: str = ""
) -> Guardrail:
    """``limit``: a share of a bar's capacity, ``"25%"``, or units by symbol, ``{"BTC": "2.5"}``.

    The capacity is what the venue's participation cap lets one bar take. With units by symbol, an
    instrument that is not named may not be traded.
    """
    if not isinstance(limit, Mapping):
        return make("max_order_volume", limit, False, rule, why)
    if not limit:
        raise DomainError("max_order_volume", limit, "name an instrument")
    names = " ".join(sorted(_named(symbol, units) for symbol, units in limit.items()))
    return make("max_order_volume", 0, False, rule, why, {"names": names})


def _named(symbol: str, units: Exact) -> str:
    subject = f"max_order_volume of {require_name(symbol, 'symbol of max_order_volume')}"
    number = decimal(units, subject)
    if number < 0 or "=" in symbol:
        raise DomainError(subject, str(number), "write a symbol and a number of 0 or more")
    return f"{symbol}={number.normalize():f}"


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the order that is largest against its limit."""
    found: list[tuple[bool, Fraction, str, str]] = []
    for leg in proposal.legs:
        instrument = leg.instrument
        volume = leg.quantity + sum(
            order.remaining
            for order in situation.book.open_orders
            if (order.instrument.symbol, order.side) == (instrument.symbol, leg.side)
        )
        most = _most(guardrail, instrument, situation.capacity)
        used = volume / most if most else Fraction(volume)
        value, limit = (instrument.base.amount(int(q)) for q in (volume, most))
        name = instrument.base.symbol
        found.append((volume > most, used, f"{value:,f} {name}", f"at most {limit:,f} {name}"))
    broken, _, value_text, limit_text = max(found, default=(False, Fraction(0), "no order", "any"))
    if "names" not in guardrail.terms:
        limit_text += f", {share(guardrail.limit)} of what one bar takes"
    return Finding(
        "max_order_volume",
        not broken,
        limit_text,
        value_text,
        "with open orders of the same instrument and side",
    )


def _most(guardrail: Guardrail, instrument: Instrument, capacity: Mapping[str, int]) -> Fraction:
    """Base units; 0 for an instrument of which nothing is known."""
    names = guardrail.terms.get("names")
    if names is None:
        return guardrail.limit * capacity.get(instrument.symbol, 0)
    for part in names.split():
        symbol, _, text = part.partition("=")
        if symbol == instrument.symbol:
            most = ratio(text, f"max_order_volume of {symbol}")
            return most * int(10**instrument.base.scale)
    return Fraction(0)
