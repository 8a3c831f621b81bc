"""The gross position in any one asset, venue or chain, at decision prices, within a share of NAV.

A pre-trade limit like gross leverage: adversarial fills, and passive breaches only block increases.
A mandate may state one by each. What trades off chain is in no chain's sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make

_WHERE = {"asset": "in", "venue": "at", "chain": "on"}


def concentration(
    limit: Exact, *, by: str = "asset", always: bool = False, rule: str = "", why: str = ""
) -> Guardrail:
    """``limit``: the absolute exposure in one of them as a share of NAV, e.g. ``"50%"``.

    Args:
        by: ``"asset"`` (the underlying), ``"venue"`` or ``"chain"``.
    """
    if by not in _WHERE:
        raise DomainError("concentration by", by, f"write one of {', '.join(_WHERE)}")
    return make("concentration", limit, always, rule, why, {} if by == "asset" else {"by": by})


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the asset, venue or chain and the fills nearest to the limit, or past it."""
    by = guardrail.terms.get("by", "asset")
    worst: tuple[bool, int, str] = (False, 0, "none")
    groups: dict[str, list[Instrument]] = {}
    for symbol in sorted({s for case in every for s in case.symbols}):
        instrument = book.instrument(symbol)
        groups.setdefault(_group(instrument, by), []).append(instrument)
    groups.pop("", None)
    for name, lines in sorted(groups.items()):
        named = [line.symbol for line in lines]
        after = max(sum(book.exposure(s, c.largest(s), prices) for s in named) for c in every)
        before = sum(book.exposure(s, book.position(s), prices) for s in named)
        broken = after > guardrail.limit * nav and (after > before or guardrail.always)
        worst = max(worst, (broken, after, name))
    broken, value, name = worst
    return Finding(
        guardrail.key,
        not broken,
        f"at most {share(guardrail.limit)} of NAV {_WHERE[by]} one {by}",
        f"{share(Fraction(value, nav))} of NAV {_WHERE[by]} {name}",
        "at decision prices, fills as large as they can be",
    )


def _group(instrument: Instrument, by: str) -> str:
    """What the instrument counts towards; empty for nothing."""
    if by == "asset":
        return instrument.underlying
    if by == "venue":
        return instrument.venue.name
    return "" if instrument.venue.chain is None else instrument.venue.chain.caip2
