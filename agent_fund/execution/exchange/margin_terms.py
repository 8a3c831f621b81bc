"""What an exchange asks of a margined position, which must be no more than the run file states.

The guard proves margin safety with the run file's terms. Where the exchange asks for more at some
size of a position, it would liquidate a book that is proved safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from math import ceil

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.margin import Margin
from agent_fund.execution.errors import ExecutionError


@dataclass(frozen=True)
class Bracket:
    """From a notional of ``floor`` (in the quote asset) on, ``rate`` of it less ``deduction``."""

    floor: Fraction
    rate: Fraction
    deduction: Fraction

    def asks(self, notional: Fraction) -> Fraction:
        """The maintenance margin of a position of that notional, in the quote asset."""
        return notional * self.rate - self.deduction


@dataclass(frozen=True)
class MarginTerms:
    """Of one market, as the account has set it.

    Attributes:
        isolated: whether a position has margin of its own.
        initial: share of the notional that must be there to open it.
        brackets: of maintenance; floors rise from 0, the last one has no end.
    """

    isolated: bool
    initial: Fraction
    brackets: tuple[Bracket, ...]


def marginal(tiers: Sequence[tuple[Fraction, Fraction]]) -> tuple[Bracket, ...]:
    """Brackets from (floor, rate): each rate is for what lies above its floor."""
    made = [Bracket(*tiers[0], Fraction(0))]
    for floor, rate in tiers[1:]:
        made.append(Bracket(floor, rate, made[-1].deduction + floor * (rate - made[-1].rate)))
    return tuple(made)


def require_terms(instrument: Instrument, market: str, terms: MarginTerms) -> None:
    """Check that the exchange asks for no more than ``instrument`` states, at any notional.

    Raises:
        ExecutionError: naming what to write, or to set there.
    """
    margin = instrument.margin
    if margin is None:
        raise ExecutionError(f"margin of {instrument.symbol}", "none", f"{market} is margined")
    if terms.isolated != margin.isolated:
        told, stated = (("cross", "isolated")[flag] for flag in (terms.isolated, margin.isolated))
        fix = f"the run file has {stated} margin: set {market} to that at the exchange"
        raise ExecutionError(f"margin of {market}", told, fix)
    if terms.initial > margin.initial:
        fix = f"{market} asks for {_percent(terms.initial)}: state that, or set more leverage there"
        raise ExecutionError(f"initial margin of {instrument.symbol}", str(margin.initial), fix)
    notional = _short_at(margin, 10**instrument.quote.scale, terms.brackets)
    if notional is not None:
        rows = ", ".join(
            f'{{ floor = "{_plain(b.floor)}", rate = "{_percent(b.rate)}" }}'
            for b in terms.brackets
        )
        raise ExecutionError(
            f"maintenance tiers of {instrument.symbol}",
            [
                (str(Fraction(t.floor, 10**instrument.quote.scale)), str(t.rate))
                for t in margin.tiers
            ],
            f"{market} asks for more at or beyond a notional of {_plain(notional)}; proofs rest "
            f"on these: write tiers = [{rows}]",
        )


def _short_at(margin: Margin, unit: int, brackets: tuple[Bracket, ...]) -> Fraction | None:
    """A notional at which, or beyond which, the exchange asks for more; None if it never does.

    Both are linear between the points that are looked at.
    """
    steps = [(rise, Fraction(floor, unit)) for rise, floor in margin.steps]
    floors = [Fraction(tier.floor, unit) for tier in margin.tiers]
    for bracket, following in zip_longest(brackets, brackets[1:]):
        end = following.floor if following is not None else None
        inside = [f for f in floors if f > bracket.floor and (end is None or f < end)]
        for notional in [bracket.floor, *inside, *([] if end is None else [end])]:
            stated = sum((rise * max(Fraction(0), notional - f) for rise, f in steps), Fraction(0))
            if bracket.asks(notional) > stated:
                return notional
    return (
        max(brackets[-1].floor, floors[-1]) if brackets[-1].rate > margin.tiers[-1].rate else None
    )


def _percent(rate: Fraction) -> str:
    """Rounded up to the sixth decimal of a percent."""
    return _plain(Fraction(ceil(rate * 10**8), 10**6)) + "%"


def _plain(value: Fraction) -> str:
    """Of a value with few decimals."""
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
