"""A clause as text: canonical JSON and back, formulas, and sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from language_random import exact, stressed

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.language.canonical import from_json, to_json
from agent_fund.guard.language.clause import Clause, written
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    Known,
    Number,
    Position,
    Relation,
    Scaled,
    Sum,
    plus,
    times,
)
from agent_fund.guard.language.formula import formula, latex, number
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.sentence import sentence
from agent_fund.guard.language.term import Claim, absolute, maximum


def hedged(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t, fills="adversarial", orders="open")
    covered = "70%" * after.long("ETH") <= after.short("ETH")
    return covered & (after.short("ETH") <= "100%" * after.long("ETH"))


HEDGED = written(hedged, rule="mandate 4.2", why="the long side is hedged, and not over-hedged")


def test_the_example_is_read_back_from_the_json_that_stands_in_a_log() -> None:
    text = dumps(HEDGED.to_json())
    assert json.loads(text)["relation"] == [
        "both",
        [
            "at_most",
            ["scaled", "7/10", ["long", "after", "value", "asset", "ETH"]],
            ["short", "after", "value", "asset", "ETH"],
        ],
        [
            "at_most",
            ["short", "after", "value", "asset", "ETH"],
            ["long", "after", "value", "asset", "ETH"],
        ],
    ]
    assert Clause.from_json(json.loads(text)) == HEDGED


def test_the_example_in_words_and_as_a_formula() -> None:
    assert formula(HEDGED.relation) == "70% · long(ETH) ≤ short(ETH) ∧ short(ETH) ≤ long(ETH)"
    assert latex(HEDGED.relation) == (
        r"70\% \cdot \mathrm{long}(\text{ETH}) \le \mathrm{short}(\text{ETH}) \wedge "
        r"\mathrm{short}(\text{ETH}) \le \mathrm{long}(\text{ETH})"
    )
    assert sentence(HEDGED.relation) == (
        "the short side in ETH is at least 70% of the long side in ETH, and the short side in ETH "
        "is at most the long side in ETH, after any fills of the trade and of the open orders"
    )


def random_relation(rng: Random) -> Relation:
    parts = [rng.choice([exact, stressed])(rng) for _ in range(rng.randint(1, 3))]
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


@pytest.mark.parametrize("seed", range(6))
def test_every_relation_has_one_text_and_comes_back_from_it(seed: int) -> None:
    rng = Random(seed)
    seen: dict[bytes, Relation] = {}
    formulas: dict[str, Relation] = {}
    for _ in range(200):
        relation = random_relation(rng)
        text = dumps(to_json(relation))
        assert from_json(json.loads(text)) == relation
        assert seen.setdefault(text, relation) == relation
        # Readers tell relations apart as auditors do.
        assert formulas.setdefault(formula(relation), relation) == relation
        assert sentence(relation)
        assert latex(relation).isascii() or "\\text" in latex(relation)


def paths(value: Any, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    found = [at]
    if isinstance(value, list):
        for number_of, part in enumerate(value):
            found += paths(part, (*at, number_of))
    return found


def replaced(value: Any, at: tuple[int, ...], part: object) -> Any:
    if not at:
        return part
    inner = replaced(value[at[0]], at[1:], part)
    return [*value[: at[0]], inner, *value[at[0] + 1 :]]


WRONG: list[object] = [
    None,
    0.5,
    1,
    True,
    "",
    "0x10",
    "1.5",
    "2/4",
    "-0",
    "01",
    "1/0",
    " 1",
    "١",
    "1" * 500,
    [],
    ["number", "1"],
    ["number", 1],
    ["sum", ["known", "nav", ""]],
    ["both"],
    {"number": "1"},
    ["position", "ETH"],
]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_tampered_with_is_refused_or_is_another_relation_in_canonical_form(
    seed: int,
) -> None:
    rng = Random(100 + seed)
    refused = 0
    for _ in range(150):
        value = to_json(random_relation(rng))
        at = rng.choice(paths(value))
        changed = replaced(value, at, rng.choice(WRONG))
        try:
            found = from_json(changed)
        except DomainError:
            refused += 1
        else:
            assert to_json(found) == changed
    assert refused > 100


@pytest.mark.parametrize(
    "value",
    [
        ["at_most", ["known", "nav", "x"], ["known", "mark", ""]],
        ["at_most", ["known", "price", ""], ["known", "mark", ""]],
        ["at_most", ["known", "cash", "a b"], ["known", "mark", ""]],
        ["at_most", ["known", "sorrow", ""], ["known", "mark", ""]],
        ["at_most", ["long", "during", "value", "all", ""], ["known", "nav", ""]],
        ["at_most", ["wide", "after", "value", "all", ""], ["known", "nav", ""]],
        ["at_most", ["long", "after", "value", "all", "x"], ["known", "nav", ""]],
        ["at_most", ["long", "after", "value", "moon", "x"], ["known", "nav", ""]],
        ["at_most", ["long", "after", "units", "venue", "x"], ["known", "nav", ""]],
        ["at_most", ["long", "after", "value", "asset", ""], ["known", "nav", ""]],
        ["at_most", ["known", "nav", ""]],
        ["at_most", ["known", "nav", ""], ["known", "nav", ""], ["known", "nav", ""]],
        ["both", ["at_most", ["long", "after", "value", "all", ""], ["known", "nav", ""]]],
        ["both", ["both"], ["both"]],
        ["at_most", ["sum", ["long", "after", "value", "all", ""]], ["known", "nav", ""]],
        ["at_most", ["sum"], ["long", "after", "value", "all", ""]],
        ["at_most", *[[side, "after", "units", "venue", "x"] for side in ("long", "short")]],
        "at_most",
    ],
)
def test_near_misses_of_the_form_are_refused(value: object) -> None:
    with pytest.raises(DomainError):
        from_json(value)


def test_text_that_nests_without_end_is_refused_without_reading_it() -> None:
    value: Any = ["known", "nav", ""]
    for _ in range(5_000):
        value = ["positive", value]
    with pytest.raises(DomainError, match="nested at most 32 deep"):
        from_json(["at_most", value, value])
    wide = ["sum", *[["known", "nav", ""]] * 20_000]
    with pytest.raises(DomainError, match="at most 1024 terms"):
        from_json(["at_most", wide, wide])


@pytest.mark.parametrize(
    ("key", "value"),
    [("always", 1), ("always", "True"), ("name", "two words"), ("rule", 4), ("more", "x")],
)
def test_a_clause_of_another_form_is_refused(key: str, value: object) -> None:
    with pytest.raises(DomainError):
        Clause.from_json(HEDGED.to_json() | {key: value})
    assert Clause.from_json(HEDGED.to_json()) == HEDGED


def test_a_position_cannot_be_written_to_a_mandate() -> None:
    with pytest.raises(DomainError, match="positions stand in exposures only"):
        to_json(AtMost(Position("ETH"), Known("nav")))


WRITTEN: list[tuple[Callable[[Scope, Trade], Claim], str, str]] = [
    (
        lambda s, t: s.book.after(t).gross() <= 3 * s.nav,
        "gross ≤ 3 · NAV",
        "the gross exposure is at most 3 times NAV, after any fills of the trade and of the open "
        "orders",
    ),
    (
        lambda s, t: abs(s.book.after(t).net(instrument="ETH-PERP")) <= "12.5%" * (s.nav - s.mark),
        "|net(instrument ETH-PERP)| ≤ 12.5% · (NAV − mark)",
        "the size of the net exposure in instrument ETH-PERP is at most 12.5% of (NAV less the "
        "high-water mark), after any fills of the trade and of the open orders",
    ),
    (
        lambda s, t: s.book.after(t).cash("binance") >= s.money("1500.50") + s.cash() / 3,
        "1500.5 ¤ + 1/3 · cash₀ ≤ cash(binance)",
        "cash at binance is at least 1500.5 of the currency plus 1/3 of all cash before the trade, "
        "after any fills of the trade and of the open orders",
    ),
    (
        lambda s, t: (
            s.book.after(t).loss(venue="okx")
            <= "5%" * s.nav + s.nav * maximum(0, -s.market.move("market") - "10%")
        ),
        "loss(venue okx) ≤ 5% · NAV + NAV · max(0, −move(market) − 0.1)",
        "the loss at okx is at most 5% of NAV plus NAV times the part above zero of (minus the "
        "return of market less 0.1), after any fills of the trade and of the open orders, in every "
        "scenario of the stress set",
    ),
    (
        lambda s, t: (
            s.book.after(t).long("ETH", measure="units") <= 2 * s.book.long("ETH", measure="units")
        ),
        "long(ETH, in units) ≤ 2 · long₀(ETH, in units)",
        "the long side in ETH in units of ETH is at most 2 times the long side in ETH in units of "
        "ETH before the trade, after any fills of the trade and of the open orders",
    ),
    (
        lambda s, t: (
            s.book.after(t).long(chain="eip155:1") + absolute(s.nav - s.mark) <= s.price("ETH") * 10
        ),
        "long(chain eip155:1) + |NAV − mark| ≤ 10 · price(ETH)",
        "the long side on eip155:1 plus the size of (NAV less the high-water mark) is at most 10 "
        "times the price of ETH, after any fills of the trade and of the open orders",
    ),
]


@pytest.mark.parametrize(("function", "said", "words"), WRITTEN, ids=[w[1] for w in WRITTEN])
def test_formulas_and_sentences_read_well(
    function: Callable[[Scope, Trade], Claim], said: str, words: str
) -> None:
    clause = written(function, name="clause")
    assert formula(clause.relation) == said
    assert sentence(clause.relation) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1/8", "0.125"),
        ("-1/8", "-0.125"),
        ("1/3", "1/3"),
        ("0", "0"),
        ("-7", "-7"),
        ("5/2", "2.5"),
        ("1/1000000000", "0.000000001"),
        ("1/1000000000000000000000", "1/1000000000000000000000"),
    ],
)
def test_numbers_are_decimals_where_they_end(value: str, text: str) -> None:
    assert number(Fraction(value)) == text


def test_brackets_stand_where_they_are_needed_and_nowhere_else() -> None:
    nav, mark = Known("nav"), Known("mark")
    both = Sum((nav, times(Fraction(-1), mark)))
    assert formula(Scaled(Fraction(1, 2), both)) == "50% · (NAV − mark)"
    assert formula(Scaled(Fraction(-2), both)) == "−2 · (NAV − mark)"
    assert formula(plus(nav, Number(Fraction(-3)))) == "NAV − 3"
    assert formula(Scaled(Fraction(2), Scaled(Fraction(-3), nav))) == "2 · (−3 · NAV)"
    assert formula(Scaled(Fraction(2), Number(Fraction(-3)))) == "2 · (−3)"
    assert formula(Scaled(Fraction(2), Number(Fraction(3)))) == "2 · 3"


def test_latex_escapes_what_means_something_to_it() -> None:
    relation = written(
        lambda s, t: s.book.after(t).gross(r"A_B%{\x}~^&$#") <= s.nav, name="clause"
    ).relation
    escaped = r"A\_B\%\{\textbackslash{}x\}\textasciitilde{}\textasciicircum{}\&\$\#"
    assert latex(relation) == rf"\mathrm{{gross}}(\text{{{escaped}}}) \le \mathrm{{NAV}}"
