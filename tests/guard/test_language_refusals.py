"""What the language refuses, each with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from agent_fund.domain.errors import DomainError
from agent_fund.guard.language.clause import written
from agent_fund.guard.language.discipline import require_relation
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    Exposure,
    Known,
    Loss,
    Move,
    Number,
    Positive,
    Product,
    Scaled,
    Selection,
    Sum,
)
from agent_fund.guard.language.scope import Scope, Trade, traced
from agent_fund.guard.language.term import Claim, Term, absolute, maximum, minimum

TRADE = Trade()
S = Scope(TRADE)
AFTER = S.book.after(TRADE)
LONG, NAV = AFTER.long("ETH"), S.nav
CLAIM = LONG <= NAV


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a float factor": (lambda: 0.1 * NAV, r"0\.1 is refused; write it as a string"),
    "a float factor behind": (lambda: NAV * 0.1, r"factor of NAV: 0\.1"),
    "a float summand": (lambda: NAV + 0.5, r"NAV \+: 0\.5"),
    "a float limit": (lambda: LONG <= 1e6, r"limit of long\(ETH\): 1000000\.0"),
    "a float divisor": (lambda: NAV / 0.5, "divisor of NAV: 0.5"),
    "NumPy's float": (lambda: np.float64(0.5) * NAV, "factor of NAV: .*0.5"),
    "NumPy's integer": (
        lambda: np.int64(3) * NAV,
        'write it as a string \\("0.1", "10%"\\), an int',
    ),
    "a bool": (lambda: NAV * True, "factor of NAV: True"),
    "not a number": (lambda: NAV * float("nan"), "nan"),
    "infinity": (lambda: NAV * Decimal("inf"), "write a finite number"),
    "text that is no number": (lambda: "a lot" * NAV, "write a decimal number such as 1250.50"),
    "something else": (lambda: NAV + {1}, "write a term, or a number"),  # type: ignore[operator]
    "zero as a divisor": (lambda: NAV / 0, "write a number that is not zero"),
    "a term as a divisor": (lambda: LONG / NAV, "a <= k \\* b, not a / b <= k"),
    "a number over a term": (lambda: 1 / NAV, "multiply the other side of the comparison"),
    "a power": (lambda: LONG**2, "a limit is piecewise linear"),
    "less than": (lambda: LONG < NAV, "comparison of long\\(ETH\\): '<' is refused; write <="),
    "more than": (lambda: LONG > NAV, "'>' is refused; write >="),
    "equality": (lambda: LONG == NAV, "'==' is refused; write <=, >=, or both with &"),
    "inequality": (lambda: LONG != NAV, "'!=' is refused"),
    "Python's maximum": (lambda: max(LONG, NAV), "maximum or minimum"),
    "a chain of comparisons": (
        lambda: 0 <= LONG <= NAV,
        "for a <= b <= c write \\(a <= b\\) & \\(b <= c\\)",
    ),
    "and": (lambda: CLAIM and CLAIM, "& for 'and'"),
    "or": (lambda: CLAIM or CLAIM, "'or', 'not' and 'if' have no place here"),
    "not": (lambda: not CLAIM, "'not' and 'if' have no place here"),
    "the truth of a term": (lambda: 1 if NAV else 2, "truth of a term: 'NAV' is refused"),
    "an alternative": (lambda: CLAIM | CLAIM, "minimum\\(a - b, c - d\\) <= 0"),
    "an alternative with something else": (lambda: 1 | CLAIM, "one mandate for each"),
    "an opposite": (lambda: ~CLAIM, "write the comparison the other way round"),
    "& without parentheses": (lambda: LONG <= NAV & NAV >= 0, "put each comparison in parentheses"),
    "& with something else": (lambda: CLAIM & True, "write a comparison on either side of &"),
    "sums of comparisons": (lambda: NAV + CLAIM, "join comparisons with &"),  # type: ignore[operator]
    "two positions": (
        lambda: LONG * AFTER.short("ETH"),
        "product of two positions: .*multiply a position by a number",
    ),
    "two moves": (
        lambda: S.market.move("ETH") * S.market.move("BTC"),
        "product of two market terms: 'move\\(ETH\\) · move\\(BTC\\)'.*declare a factor",
    ),
    "a position and a move": (
        lambda: LONG * S.market.move("ETH"),
        "product of a position and a market term: .* write after.loss",
    ),
    "a loss and a move": (
        lambda: AFTER.loss() * maximum(0, S.market.move("ETH")),
        "product of two market terms",
    ),
    "two amounts": (lambda: NAV * S.mark, "multiply one of them by a number"),
    "money and a number": (
        lambda: LONG <= "50%",
        'write a share of something, "10%" \\* s.nav, or an amount, s.money',
    ),
    "money plus a number": (lambda: NAV + 1000, "money meets a number: write a share"),
    "money and units": (
        lambda: AFTER.long("ETH", measure="units") <= NAV,
        "units of ETH meets money: bring both to one dimension|money meets units of ETH",
    ),
    "units of two assets": (
        lambda: AFTER.long("ETH", measure="units") <= AFTER.short("BTC", measure="units"),
        "units of BTC|units of ETH",
    ),
    "a move and money": (lambda: S.market.move("ETH") <= NAV, "mixed dimensions"),
    "a loss from below": (lambda: AFTER.loss("ETH") >= NAV, "loss <= limit"),
    "a loss less another": (
        lambda: AFTER.loss("ETH") - AFTER.loss("BTC") <= NAV,
        "a loss can only be limited from above",
    ),
    "cash from above": (lambda: AFTER.cash() <= NAV, "cash can only have a floor"),
    "cash less cash": (lambda: AFTER.cash("a") >= AFTER.cash("b"), "cash can only have a floor"),
    "another trade": (lambda: S.book.after(Trade()), "pass the second argument"),
    "no trade": (lambda: S.book.after(None), "pass the second argument"),  # type: ignore[arg-type]
    "friendly fills": (
        lambda: S.book.after(TRADE, fills="none"),
        "fills: 'none' is refused; nobody knows .* only \"adversarial\" is sound",
    ),
    "no open orders": (lambda: S.book.after(TRADE, orders="none"), 'only "open" is sound'),
    "two selections": (
        lambda: AFTER.long("ETH", venue="alpha"),
        "'asset ETH, venue alpha' is refused; name one",
    ),
    "an empty name": (lambda: AFTER.long(""), "short printable name"),
    "a name with a space": (lambda: AFTER.long(venue="a b"), "short printable name"),
    "a name that is none": (lambda: S.market.move(7), "short printable name"),  # type: ignore[arg-type]
    "another measure": (
        lambda: AFTER.long("ETH", measure="shares"),  # type: ignore[arg-type]
        "write one of value, units",
    ),
    "units of the whole book": (
        lambda: AFTER.long(measure="units"),
        "units of a selection: 'the whole book' is refused; name one asset",
    ),
    "too many digits": (lambda: NAV * Fraction(1, 10**80), "at most 60 digits"),
    "too deep": (lambda: deep(40), "nested at most 32 deep"),
    "too long": (lambda: maximum(*(Fraction(n) * NAV for n in range(1, 12))), "at most 1024 terms"),
}


def deep(depth: int) -> Term:
    term = LONG
    for n in range(depth):
        term = maximum(0, term - n * NAV)
    return term


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_what_to_write_instead(name: str) -> None:
    write, message = REFUSED[name]
    with pytest.raises(DomainError, match=message) as error:
        write()
    assert error.value.fix


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s, t: None, "nothing was returned"),
        (lambda s, t: True, "return a comparison of two terms"),
        (lambda s, t: s.nav, "result of <lambda>: NAV is refused; return a comparison"),
        (lambda s, t: (CLAIM, CLAIM), "join comparisons with &"),
        (lambda s: CLAIM, r"write def <lambda>\(s, t\)"),
        (lambda: CLAIM, r"write def <lambda>\(s, t\)"),
        (lambda s, t, u: CLAIM, r"write def <lambda>\(s, t\)"),
    ],
)
def test_a_function_that_is_no_guardrail_is_refused(
    function: Callable[[Scope, Trade], Claim], message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        traced(function)


def test_a_clause_that_says_nothing_of_the_trade_has_to_hold_always() -> None:
    def drawn(s: Scope, t: Trade) -> Claim:
        return s.cash() >= "5%" * s.nav

    with pytest.raises(DomainError, match="say always=True"):
        written(drawn)
    assert written(drawn, always=True).always


def test_a_clause_has_a_name() -> None:
    with pytest.raises(DomainError, match="guardrail name: '<a name>' is refused"):
        written(lambda s, t: CLAIM, name="<a name>")


RELATIONS = [
    AtMost(Known("nav"), Number(Fraction(1))),
    AtMost(Product(Known("nav"), Known("nav")), Known("nav")),
    AtMost(Product(Move("a"), Loss()), Known("nav")),
    AtMost(Scaled(Fraction(-1), Loss()), Known("nav")),
    AtMost(Known("nav"), Positive(Sum((Loss(), Known("nav"))))),
    AtMost(Product(Number(Fraction(2)), Loss()), Known("nav")),
    Both(()),
    Both(tuple(AtMost(Loss(), Known("nav")) for _ in range(400))),
    AtMost(Exposure("long", Selection("asset", "a"), "after", "units"), Known("nav")),
]


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_tree_from_elsewhere_is_held_to_the_same_rules(relation: AtMost | Both) -> None:
    with pytest.raises(DomainError):
        require_relation(relation)


def test_what_may_be_written_is_not_refused() -> None:
    share = NAV * "10%"
    for claim in (
        share >= LONG,
        "10%" * NAV >= LONG,
        Decimal("0.5") * LONG <= Fraction(1, 3) * NAV,
        sum([LONG, AFTER.short("ETH")], start=-NAV) <= 0,
        abs(AFTER.net(instrument="ETH")) <= share,
        minimum(AFTER.cash("alpha"), NAV) >= share,
        maximum(AFTER.loss(instrument="ETH"), share) <= NAV,
        maximum(share, AFTER.loss(instrument="ETH"), 0) <= NAV,
        S.book.long("ETH") + S.money("1000.50") - S.cash("alpha") / 2 >= LONG,
        AFTER.loss() <= share + S.mark * absolute(S.market.move("market")),
        AFTER.net("ETH") >= 0,
    ):
        assert isinstance(claim, Claim)
        assert isinstance(claim & claim & claim, Claim)


@pytest.mark.parametrize("divisor", [4, "400%", Decimal("4.0"), Fraction(4)])
def test_division_is_by_what_is_written(divisor: int | str) -> None:
    assert repr(NAV / divisor) == "25% · NAV"


def test_a_loss_may_be_limited_by_the_larger_of_itself_and_something_known() -> None:
    """The known side is the base, so that the loss keeps its direction."""
    for first, second in ((AFTER.loss(), NAV), (NAV, AFTER.loss())):
        assert repr(maximum(first, second)) == "NAV + max(0, loss − NAV)"
    for first, second in ((AFTER.cash(), NAV), (NAV, AFTER.cash())):
        assert repr(minimum(first, second)) == "NAV − max(0, NAV − cash)"
