"""What an exact clause says of a trade: the worst of every way its orders may fill.

Positions after the trade stand at decision prices. The rule is that of every pre-trade limit: a
trade is refused if at its worst fills the limit is broken, and broken further than by the book as
it is held; with ``always``, if it is broken at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.discipline import ANY, MONEY, NUMBER, dimension
from agent_fund.guard.language.expression import AtMost, Cash, Expression, Position
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.formula import formula, number
from agent_fund.guard.language.reading import Reading, Worst, read, worst_fills

MOST_NAMES = 6
"""Positions that a finding names, the largest first."""


class Judge:
    """Judges one clause, and remembers how its comparisons read over the fund's instruments."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause
        self._lines: tuple[Instrument, ...] = ()
        self._readings: dict[AtMost, Reading | None] = {}

    def judge(self, every: Sequence[Case], facts: Facts) -> Finding | None:
        """The finding of the exact part of the clause; None if it has no such part.

        Args:
            every: each way the open orders and the trade may go.
        """
        clause = self.clause
        found: list[tuple[bool, Worst]] = []
        for relation in clause.exact:
            try:
                reading = self._reading(relation, facts)
                seen = worst_fills(relation, every, facts, reading)
                broken = seen.violation > 0 and (
                    clause.always or seen.violation > _before(relation, facts, reading)
                )
            except DomainError as error:
                # What cannot be judged does not hold.
                return Finding(clause.name, False, formula(relation), str(error), "not judged")
            found.append((broken, seen))
        if not found:
            return None
        broken, seen = max(found, key=lambda pair: (pair[0], pair[1].violation))
        limit = formula(seen.reading.relation)
        return Finding(clause.name, not broken, limit, _sides(seen, facts), _scenario(seen, facts))

    def _reading(self, relation: AtMost, facts: Facts) -> Reading | None:
        lines = tuple(facts.book.instruments.values())
        if lines != self._lines:
            self._lines, self._readings = lines, {}
        if relation not in self._readings:
            self._readings[relation] = read(relation, facts.book.instruments)
        return self._readings[relation]


def judge(clause: Clause, every: Sequence[Case], facts: Facts) -> Finding | None:
    """What a ``Judge`` says that is asked once."""
    return Judge(clause).judge(every, facts)


def _before(relation: AtMost, facts: Facts, reading: Reading | None) -> Fraction:
    """How far the book as it is held breaks ``relation``."""
    held = Case({s: q for s, q in facts.held.positions.items() if q}, (), ())
    return worst_fills(relation, [held], replace(facts, book=facts.held), reading).violation


def _sides(seen: Worst, facts: Facts) -> str:
    """What either side of the comparison comes to, in words."""
    relation = seen.reading.relation
    pairs = zip((relation.left, relation.right), seen.sides, strict=True)
    return ", ".join(f"{formula(side)} at {in_words(value, side, facts)}" for side, value in pairs)


def in_words(value: Fraction, term: Expression, facts: Facts) -> str:
    """``value`` of ``term`` as people read it: money as a share of NAV."""
    unit = dimension(term)
    if unit == ANY:
        return "0"
    if unit == MONEY:
        if facts.nav > 0:
            return f"{share(value / facts.nav)} of NAV"
        return f"{round(value)} base units of {facts.held.currency.symbol}"
    return share(value) if unit == NUMBER else f"{number(round(value, 4))} {unit}"


def _scenario(seen: Worst, facts: Facts) -> str:
    """The fills of the worst case, as what they make of positions and cash."""
    moved = [(driver, int(value)) for driver, value in seen.fills if value]
    if facts.nav <= 0 or not moved:
        return "at decision prices"
    moved.sort(key=lambda pair: -abs(pair[1]))
    named = moved[:MOST_NAMES]
    said = [f"{_named(d)} at {share(Fraction(v, facts.nav))} of NAV" for d, v in named]
    rest = f", and {len(moved) - MOST_NAMES} more" if len(moved) > MOST_NAMES else ""
    return f"at decision prices, the worst fills leave {', '.join(said)}{rest}"


def _named(driver: Position | Cash) -> str:
    return driver.symbol if isinstance(driver, Position) else formula(driver)
