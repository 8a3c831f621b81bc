"""What a quant's function computes with: terms that record what is done to them.

    + and - between terms, * and / by exact numbers, <= and >=, & between comparisons

Everything else is refused where it is written, with what to write instead: a comparison that Python
would have to answer at once (``and``, ``or``, ``a <= b <= c``) cannot be recorded.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NoReturn, TypeAlias

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio
from agent_fund.guard.language.discipline import require_relation, require_term, varies
from agent_fund.guard.language.expression import (
    ZERO,
    AtMost,
    Both,
    Expression,
    Number,
    Positive,
    Product,
    Relation,
    minus,
    plus,
    relations,
    times,
)
from agent_fund.guard.language.formula import formula

Operand: TypeAlias = "Term | Exact"


class Term:
    """A number that is not known while the mandate is written.

    Attributes:
        expression: the tree so far.
    """

    __slots__ = ("expression",)
    __array_ufunc__ = None  # NumPy's numbers leave the operation, and the refusal, to this class

    def __init__(self, expression: Expression) -> None:
        self.expression = require_term(expression)

    def __repr__(self) -> str:
        return formula(self.expression)

    def __add__(self, other: Operand) -> Term:
        return Term(plus(self.expression, expression_of(other, f"{self!r} +")))

    def __radd__(self, other: Operand) -> Term:
        return Term(plus(expression_of(other, f"+ {self!r}"), self.expression))

    def __sub__(self, other: Operand) -> Term:
        return Term(minus(self.expression, expression_of(other, f"{self!r} -")))

    def __rsub__(self, other: Operand) -> Term:
        return Term(minus(expression_of(other, f"- {self!r}"), self.expression))

    def __neg__(self) -> Term:
        return Term(minus(ZERO, self.expression))

    def __mul__(self, other: Operand) -> Term:
        if isinstance(other, Term):
            left, right = self.expression, other.expression
            for constant, term in ((left, right), (right, left)):
                if isinstance(constant, Number):
                    return Term(times(constant.value, term))
            return Term(Product(left, right))
        return Term(times(ratio(other, f"factor of {self!r}"), self.expression))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Term:
        if isinstance(other, Term):
            _refuse_division(other)
        divisor = ratio(other, f"divisor of {self!r}")
        if not divisor:
            raise DomainError(f"divisor of {self!r}", str(other), "write a number that is not zero")
        return Term(times(1 / divisor, self.expression))

    def __rtruediv__(self, other: Operand) -> NoReturn:
        _refuse_division(self)

    def __pow__(self, other: Operand) -> NoReturn:
        fix = "a limit is piecewise linear: multiply by numbers only, or use maximum and minimum"
        raise DomainError("power of a term", repr(self), fix)

    def __abs__(self) -> Term:
        return absolute(self)

    def __le__(self, other: Operand) -> Claim:
        return Claim(AtMost(self.expression, expression_of(other, f"limit of {self!r}")))

    def __ge__(self, other: Operand) -> Claim:
        return Claim(AtMost(expression_of(other, f"limit of {self!r}"), self.expression))

    def __lt__(self, other: object) -> NoReturn:
        self._refuse_comparison("<", "<=")

    def __gt__(self, other: object) -> NoReturn:
        self._refuse_comparison(">", ">=")

    def __eq__(self, other: object) -> NoReturn:
        self._refuse_comparison("==", "<=, >=, or both with &")

    def __ne__(self, other: object) -> NoReturn:
        self._refuse_comparison("!=", "<= or >=")

    __hash__ = None  # type: ignore[assignment]

    def _refuse_comparison(self, seen: str, instead: str) -> NoReturn:
        fix = f"write {instead}; for the larger or smaller of two terms, maximum or minimum"
        raise DomainError(f"comparison of {self!r}", seen, fix)

    def __and__(self, other: object) -> NoReturn:
        fix = "& binds more tightly than <=: put each comparison in parentheses"
        raise DomainError("& between terms", repr(self), fix)

    __rand__ = __and__

    def __bool__(self) -> bool:
        fix = "it is not known while the mandate is written; write a comparison, or maximum(0, x)"
        raise DomainError("truth of a term", repr(self), fix)


class Claim:
    """A comparison, or several joined with ``&``, that has to hold.

    Attributes:
        relation: its tree.
    """

    __slots__ = ("relation",)

    def __init__(self, relation: Relation) -> None:
        self.relation = require_relation(relation)

    def __repr__(self) -> str:
        return formula(self.relation)

    def __and__(self, other: object) -> Claim:
        if not isinstance(other, Claim):
            fix = "write a comparison on either side of &, in parentheses: (a <= b) & (b <= c)"
            raise DomainError(f"what is joined to {self!r}", other, fix)
        return Claim(Both((*relations(self.relation), *relations(other.relation))))

    __rand__ = __and__

    def __or__(self, other: object) -> NoReturn:
        fix = (
            "a guardrail holds as a whole: write minimum(a - b, c - d) <= 0 for either of a <= b "
            "and c <= d, or one mandate for each"
        )
        raise DomainError("alternative to a comparison", repr(self), fix)

    __ror__ = __or__

    def __invert__(self) -> NoReturn:
        fix = "write the comparison the other way round: b <= a"
        raise DomainError("opposite of a comparison", repr(self), fix)

    def __bool__(self) -> bool:
        fix = (
            "Python asks whether it is true, which nobody knows yet: for a <= b <= c write "
            "(a <= b) & (b <= c), and & for 'and'; 'or', 'not' and 'if' have no place here"
        )
        raise DomainError("truth of a comparison", repr(self), fix)


def expression_of(value: Operand, subject: str) -> Expression:
    """The tree of a term, or of an exact number.

    Raises:
        DomainError: for a float, a bool, or what is no number.
    """
    if isinstance(value, Term):
        return value.expression
    if isinstance(value, Claim):
        raise DomainError(subject, repr(value), "join comparisons with &, and compute with terms")
    if not isinstance(value, (bool, float, int, str, Decimal, Fraction)):
        fix = 'write a term, or a number such as "10%", an int, a Decimal or a Fraction'
        raise DomainError(subject, value, fix)
    return Number(ratio(value, subject))


def _refuse_division(divisor: Term) -> NoReturn:
    fix = "multiply the other side of the comparison instead: a <= k * b, not a / b <= k"
    raise DomainError("division by a term", repr(divisor), fix)


def maximum(first: Operand, *others: Operand) -> Term:
    """The largest: ``a + max(0, b - a)``, term after term."""
    largest = expression_of(first, "maximum")
    for other in others:
        base, step = _ordered(largest, expression_of(other, "maximum"))
        largest = plus(base, Positive(minus(step, base)))
    return Term(largest)


def minimum(first: Operand, *others: Operand) -> Term:
    """The smallest: ``a - max(0, a - b)``, term after term."""
    smallest = expression_of(first, "minimum")
    for other in others:
        base, step = _ordered(smallest, expression_of(other, "minimum"))
        smallest = minus(base, Positive(minus(base, step)))
    return Term(smallest)


def _ordered(first: Expression, second: Expression) -> tuple[Expression, Expression]:
    """What is known first, so that what varies stands once: a loss or cash has one direction."""
    return (second, first) if varies(first) and not varies(second) else (first, second)


def absolute(value: Operand) -> Term:
    """``max(0, x) + max(0, -x)``."""
    inner = expression_of(value, "absolute")
    return Term(plus(Positive(inner), Positive(minus(ZERO, inner))))
