"""What has to be proved of a stressed clause: one form of the kernel for each way the orders go.

The form is left side less right side; a certificate that it is at most zero proves the comparison
for every scenario of the stress set. Terms that fills choose are put at their worst, apart from the
market: they are constants of the form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.cases import Case, Option
from agent_fund.guard.finding import Finding
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.expand import Interval, driver_number, expand, interval
from agent_fund.guard.language.expression import AtMost, Move, minus, relations
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.formula import formula
from agent_fund.guard.language.judge import in_words
from agent_fund.guard.language.normal import Normal, normal
from agent_fund.guard.language.separable import worst
from agent_fund.guard.stress.stress_set import Stress


@dataclass(frozen=True)
class Demand:
    """A form that has to be proved at most zero over the stress set.

    Attributes:
        case: the way the orders went.
        form: over every driver of the stress set, in its order.
        unit: the form's value for one base unit of left side less right side; a multiple of SCALE.
    """

    relation: AtMost
    case: Case
    form: Form
    unit: int


def forms(
    clause: Clause, every: Sequence[Case], facts: Facts, stress: Stress
) -> tuple[Demand, ...]:
    """The demands of ``clause``, comparison by comparison and case by case.

    Raises:
        DomainError: for a name or a price that is missing, or what the language cannot prove.
    """
    return tuple(
        _demand(relation, case, facts, stress) for relation in clause.stressed for case in every
    )


def _demand(relation: AtMost, case: Case, facts: Facts, stress: Stress) -> Demand:
    term = expand(minus(relation.left, relation.right), case, facts, stress)
    found = normal(term, multiple=SCALE)
    constant = found.form.constant + _worst_of_fills(found, case, facts)
    places = {
        number: driver_number(driver, stress)
        for number, driver in enumerate(found.drivers)
        if isinstance(driver, Move)
    }
    linear = [0] * len(stress.kernel.box)
    for number, place in places.items():
        linear[place] = found.form.linear[number]
    hinges = tuple(
        Hinge(hinge.weight, places[hinge.driver], hinge.slope, hinge.offset)
        for hinge in found.form.hinges
        if hinge.driver in places
    )
    return Demand(relation, case, Form(constant, tuple(linear), hinges), found.unit)


def _worst_of_fills(found: Normal, case: Case, facts: Facts) -> int:
    """The most that drivers chosen by the fills add, rounded up."""
    box: list[Interval] = [
        (0, 0) if isinstance(d, Move) else interval(d, case, facts) for d in found.drivers
    ]
    moved = {n for n, driver in enumerate(found.drivers) if isinstance(driver, Move)}
    linear = tuple(0 if n in moved else slope for n, slope in enumerate(found.form.linear))
    hinges = tuple(hinge for hinge in found.form.hinges if hinge.driver not in moved)
    value, _ = worst(Form(0, linear, hinges), box)
    return -(-value.numerator // value.denominator)


def proved(
    clause: Clause,
    demands: Sequence[Demand],
    bounds: Sequence[int] | None,
    facts: Facts,
    scenario: str,
) -> Finding:
    """What certificates say of ``clause``.

    Args:
        bounds: the proved upper bound of each demand's form; None if nothing is proved, and then
            nothing is allowed.
        scenario: the market at which the worst is reached, in words.
    """
    if not demands or bounds is None or len(bounds) != len(demands):
        limit = " ∧ ".join(formula(relation) for relation in clause.stressed)
        return Finding(clause.name, False, limit, "nothing proved", scenario)
    pairs = zip(demands, bounds, strict=True)
    demand, bound = max(pairs, key=lambda pair: (pair[1] > 0, Fraction(pair[1], pair[0].unit)))
    missed = in_words(Fraction(abs(bound), demand.unit), demand.relation.left, facts)
    value = f"missed by {missed} at worst" if bound > 0 else f"within {missed} of it at worst"
    return Finding(clause.name, bound <= 0, formula(demand.relation), value, scenario)


def require_resolvable(
    clause: Clause, instruments: Mapping[str, Instrument], stress: Stress
) -> None:
    """Refuse a clause that names what the run does not have, or that no certificate can cover.

    It is worked out once over a book with a little of everything, so that what is wrong is said
    before a run begins and not at its first trade.

    Raises:
        DomainError: naming the term, and what to write instead.
    """
    if not instruments:
        raise DomainError("instruments", dict(instruments), "give the fund one")
    currency = next(iter(instruments.values())).quote
    positions = dict.fromkeys(instruments, 1)
    book = Book(currency, 1_000_003, instruments, positions)
    # Numbers of no common measure, so that no term happens to vanish.
    facts = Facts(book, book, dict.fromkeys(instruments, 10_007), 1_000_033, 1_000_037)
    legs = tuple(Option(line, 2, 10_009) for line in instruments.values())
    case = Case(positions, (), legs)
    for relation in relations(clause.relation):
        _demand(relation, case, facts, stress)
