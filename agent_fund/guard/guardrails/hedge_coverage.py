"""The long side of an asset is hedged, and not over-hedged: two-sided, in units of the asset.

    at_least * long <= short <= at_most * long

One-sided it would admit a net-short book. Legs fill unevenly: between a spot leg and its hedge, and
between the legs of an exit, the coverage may miss either side by ``legging``, a share of NAV. It
counts every way the orders may fill, so ``legging`` also bounds how much is opened at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import Exact, ratio
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make, text_of


def hedge_coverage(
    *assets: str,
    at_least: Exact = "70%",
    at_most: Exact = "100%",
    legging: Exact = "0%",
    always: bool = False,
    rule: str = "",
    why: str = "",
) -> Guardrail:
    """The coverage of each of ``assets``, underlyings such as ``"BTC"``.

    Args:
        at_least, at_most: share of the long side that is held short.
        legging: how far it may be missed while legs fill, as a share of NAV.
    """
    terms = {
        "assets": " ".join(sorted(set(assets))),
        "at_least": text_of(at_least, "at_least of hedge_coverage"),
        "at_most": text_of(at_most, "at_most of hedge_coverage"),
    }
    found = make("hedge_coverage", legging, always, rule, why, terms)
    if not assets or found.share("at_least") > found.share("at_most"):
        raise DomainError("hedge_coverage", terms, "name an asset; at_least is not above at_most")
    return found


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the asset and the fills that miss the coverage most."""
    terms = guardrail.terms
    least, most = _bounds(terms["at_least"], terms["at_most"])
    broken, worst, where = False, Fraction(0), "covered"
    for asset in terms["assets"].split():
        sizes = _sizes(tuple(i for i in book.instruments.values() if i.underlying == asset))
        pools = [i.symbol for i, _ in sizes if i.kind is Kind.LP_SHARE]
        if any(symbol in case.symbols for symbol in pools for case in every):
            return Finding(
                "hedge_coverage",
                False,
                f"a fixed amount of {asset}",
                f"a share of a pool, {pools[0]}",
                "what it holds moves with the price: bound it by net_exposure instead",
            )
        under = over = 0
        for case in every:
            short_of, beyond = _missed(case, sizes, least, most)
            under, over = max(under, short_of), max(over, beyond)
        if not under and not over:
            continue
        # Misses are in units of _sizes, times the denominators of both shares.
        unit = least.denominator * most.denominator * nav
        value = max(_value(i, size, prices) for i, size in sizes if i.symbol in prices)
        missed = Fraction(max(under, over) * value.numerator, unit * value.denominator)
        held = Case({s: q for s, q in book.positions.items() if q}, (), ())
        # Each side by itself: what is not covered may not become covered too much.
        for miss, before in zip((under, over), _missed(held, sizes, least, most), strict=True):
            if Fraction(miss * value.numerator, unit * value.denominator) > guardrail.limit:
                broken = broken or miss > before or guardrail.always
        if missed > worst:
            side = "uncovered" if under >= over else "over-hedged"
            worst, where = missed, f"{share(missed)} of NAV in {asset} {side}"
    return Finding(
        "hedge_coverage",
        not broken,
        f"{share(least)} to {share(most)} of the long side short, "
        f"missed by {share(guardrail.limit)} of NAV at most",
        where,
        "fills as uneven as they can be",
    )


@cache
def _bounds(at_least: str, at_most: str) -> tuple[Fraction, Fraction]:
    return ratio(at_least, "at_least"), ratio(at_most, "at_most")


@cache
def _sizes(lines: tuple[Instrument, ...]) -> tuple[tuple[Instrument, int], ...]:
    """For each line, how much of the underlying one base unit is, as integers of one size."""
    sizes = [line.contract / 10**line.base.scale for line in lines]
    common = math.lcm(*(size.denominator for size in sizes)) if sizes else 1
    return tuple((line, int(size * common)) for line, size in zip(lines, sizes, strict=True))


def _missed(
    case: Case, sizes: Sequence[tuple[Instrument, int]], least: Fraction, most: Fraction
) -> tuple[int, int]:
    """How far short of coverage, and how far beyond it, each at the fills that are worst."""
    under = over = 0
    for instrument, size in sizes:
        low, high = _hedging(instrument, *case.span(instrument.symbol))
        # Longs ask for cover and shorts give it, so more is always less covered.
        under += size * (least.numerator * high if high > 0 else least.denominator * high)
        over -= size * (most.numerator * low if low > 0 else most.denominator * low)
    return max(under, 0) * most.denominator, max(over, 0) * least.denominator


def _hedging(instrument: Instrument, low: int, high: int) -> tuple[int, int]:
    """The least and the most that positions from ``low`` to ``high`` are long.

    An option moves with anything from nothing to the whole of its underlying, a put against it.
    """
    if not isinstance(instrument.terms, OptionTerms):
        return low, high
    low, high = min(0, low), max(0, high)
    return (low, high) if instrument.terms.call else (-high, -low)


def _value(instrument: Instrument, size: int, prices: Mapping[str, int]) -> Fraction:
    """Base units of the currency that one unit of ``_sizes`` is worth."""
    return Fraction(instrument.notional(1, prices[instrument.symbol]), size)
