"""The third meaning: SMT-LIB 2 text over linear real arithmetic, which any solver reads.

    (set-logic QF_LRA)
    (declare-const |position ETH| Real)
    (define-fun max0 () Real (ite (>= |position ETH| 0.0) |position ETH| 0.0))
    (assert (<= max0 (/ 7.0 10.0)))

Each ``max(0, .)`` is a definition of its own, so the text grows as the tree does. What fills or
market choose, and what is left unknown in a question about a policy, is a constant to be found.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.language.evaluate import Environment, holds
from agent_fund.guard.language.expression import (
    AtMost,
    Cash,
    Expression,
    Known,
    Leaf,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Relation,
    Scaled,
    Sum,
    plus,
    relations,
    times,
)
from agent_fund.guard.language.formula import formula
from agent_fund.guard.stress.stress_set import Stress

_CHOSEN = (Known, Position, Cash, Move)


class Script:
    """A question: relations that are to hold, and relations of which each is to fail.

    Attributes:
        names: the leaf that each declared constant stands for.
    """

    def __init__(self) -> None:
        self.names: dict[str, Leaf] = {}
        self._declared: dict[Leaf, str] = {}
        self._definitions: dict[Positive, tuple[str, str]] = {}
        self._asserted: list[tuple[Relation, bool]] = []
        self._assertions: list[str] = []

    def assume(self, relation: Relation) -> None:
        """``relation`` is to hold."""
        self._asserted.append((relation, True))
        self._assertions.append(f"(assert {self._claim(relation)})")

    def deny(self, relation: Relation) -> None:
        """``relation`` is to fail: one of its comparisons, if it has several."""
        self._asserted.append((relation, False))
        self._assertions.append(f"(assert (not {self._claim(relation)}))")

    def within(self, leaf: Leaf, low: Fraction | int, high: Fraction | int) -> None:
        """``leaf`` lies from ``low`` to ``high``, in the units of the evaluator."""
        self.assume(AtMost(Number(Fraction(low)), leaf))
        self.assume(AtMost(leaf, Number(Fraction(high))))

    def within_stress(self, stress: Stress) -> None:
        """The moves lie in ``stress``: in its box, and within its rows."""
        kernel = stress.kernel
        names = [*stress.instruments, *(factor.name for factor in stress.factors)]
        # What is used of a box is a driver of the set too; no mandate names it.
        names += [f"driver {number}" for number in range(len(names), len(kernel.box))]
        moves = [Move(name) for name in names]
        for move, (low, high) in zip(moves, kernel.box, strict=True):
            self.within(move, Fraction(low, SCALE), Fraction(high, SCALE))
        for row in kernel.rows:
            left = plus(*(times(Fraction(c), moves[driver]) for driver, c in row.terms))
            self.assume(AtMost(left, Number(Fraction(row.bound, SCALE))))

    def satisfied(self, worth: Environment) -> bool:
        """Whether everything asserted is as it should be, exactly, where leaves are ``worth``."""
        return all(holds(relation, worth) is wanted for relation, wanted in self._asserted)

    @property
    def text(self) -> str:
        """The whole script, with the question at its end."""
        lines = ["(set-logic QF_LRA)"]
        lines += [f"(declare-const {name} Real)" for name in self._declared.values()]
        lines += [
            f"(define-fun {name} () Real {meaning})" for name, meaning in self._definitions.values()
        ]
        return "\n".join([*lines, *self._assertions, "(check-sat)", ""])

    def _claim(self, relation: Relation) -> str:
        said = [f"(<= {self._term(r.left)} {self._term(r.right)})" for r in relations(relation)]
        return said[0] if len(said) == 1 else f"(and {' '.join(said)})"

    def _term(self, term: Expression) -> str:
        if isinstance(term, Number):
            return rational(term.value)
        if isinstance(term, Sum):
            return f"(+ {' '.join(map(self._term, term.terms))})"
        if isinstance(term, Scaled):
            return f"(* {rational(term.factor)} {self._term(term.term)})"
        if isinstance(term, Product):
            return self._product(term)
        if isinstance(term, Positive):
            return self._positive(term)
        if not isinstance(term, _CHOSEN):
            raise DomainError("term", formula(term), "expand it over a case or positions first")
        if term not in self._declared:
            self._declared[term] = name = _symbol(formula(term))
            self.names[name] = term
        return self._declared[term]

    def _product(self, term: Product) -> str:
        for constant, other in ((term.left, term.right), (term.right, term.left)):
            if isinstance(constant, Number):
                return f"(* {rational(constant.value)} {self._term(other)})"
        fix = "give one side a number: solvers are asked linear questions only"
        raise DomainError("product", formula(term), fix)

    def _positive(self, term: Positive) -> str:
        if term not in self._definitions:
            inner = self._term(term.term)
            # Numbered once what is inside has its number: a definition uses earlier ones only.
            name = f"max{len(self._definitions)}"
            self._definitions[term] = name, f"(ite (>= {inner} 0.0) {inner} 0.0)"
        return self._definitions[term][0]


def rational(value: Fraction) -> str:
    """``value`` as a term of the theory of reals."""
    size = f"{abs(value.numerator)}.0"
    if value.denominator != 1:
        size = f"(/ {size} {value.denominator}.0)"
    return f"(- {size})" if value < 0 else size


def _symbol(text: str) -> str:
    """``text`` as a quoted symbol; what may not stand in one is written as its code."""
    kept = "".join(c if c.isascii() and c not in "|\\%" else f"%{ord(c):x};" for c in text)
    return f"|{kept}|"
