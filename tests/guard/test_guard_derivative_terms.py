"""Terms of options, futures and pool shares: what they refuse, their JSON, and exposures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms, Terms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.fund.instruments import instrument_from_json, instrument_json, instrument_of
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.assumptions import Pricing, pricing
from agent_fund.guard.stress.stress_set import Stress

USD, VENUE = Asset("USD", 8), Venue("sim")
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(0))
SPOT = Instrument("BTC", Asset("BTC", 2), USD, VENUE, price_scale=2)
CALL = OptionTerms("BTC", Fraction(50_000), 1_900_000_000, True)
FUTURE = FutureTerms(1_900_000_000)
POOL = PoolTerms("BTC", "USD")


def make(kind: Kind, terms: Terms | None, margin: Margin | None) -> Instrument:
    base = Asset("X", 2)
    return Instrument(
        *("X", base, USD, VENUE, 3, 1, 1, kind, "BTC", Fraction(1, 10), margin, terms)
    )


GOOD: list[tuple[Kind, Terms, Margin | None]] = [
    (Kind.OPTION, CALL, None),
    (Kind.OPTION, replace(CALL, call=False, strike=Fraction(1, 3)), MARGIN),
    (Kind.FUTURE, FUTURE, MARGIN),
    (Kind.LP_SHARE, POOL, None),
]


@pytest.mark.parametrize(("kind", "terms", "margin"), GOOD)
def test_an_instrument_with_terms_returns_from_its_json(
    kind: Kind, terms: Terms, margin: Margin | None
) -> None:
    item = make(kind, terms, margin)
    value = instrument_json(item)
    assert instrument_from_json(value, USD) == item
    assert instrument_json(instrument_from_json(value, USD)) == value


@pytest.mark.parametrize(("kind", "terms", "margin"), GOOD)
def test_terms_with_a_key_too_many_or_too_few_are_refused(
    kind: Kind, terms: Terms, margin: Margin | None
) -> None:
    value = instrument_json(make(kind, terms, margin))
    few = {name: part for name, part in value["terms"].items() if name not in ("on", "expires")}
    for wrong in ({**value["terms"], "rate": "0"}, few, None):
        with pytest.raises(DomainError, match=f"kind {kind.value} states"):
            instrument_from_json({**value, "terms": wrong}, USD)


def test_spot_says_nothing_of_terms() -> None:
    assert "terms" not in instrument_json(SPOT)
    with pytest.raises(DomainError, match="kind spot states none"):
        instrument_from_json({**instrument_json(SPOT), "terms": {"expires": 1}}, USD)


TABLE: dict[str, Any] = {
    "symbol": "C",
    "kind": "option",
    "venue": "",
    "underlying": "BTC",
    "asset_scale": 2,
    "price_scale": 3,
    "lot": "0.01",
    "tick": "0.001",
    "contract": "1/10",
    "margin": None,
    "terms": {"on": "BTC", "strike": "50000", "expires": 1_900_000_000, "call": True},
}


def test_a_table_of_a_run_file_makes_an_option() -> None:
    item = instrument_of(TABLE, USD, "sim")
    assert item.terms == CALL
    assert (item.moves_with, item.expires) == ("BTC", 1_900_000_000)


@pytest.mark.parametrize(
    ("kind", "terms", "margin", "words"),
    [
        (Kind.OPTION, None, None, "kind option takes OptionTerms"),
        (Kind.OPTION, FUTURE, None, "kind option takes OptionTerms"),
        (Kind.FUTURE, FUTURE, None, "perpetuals and futures have margin terms"),
        (Kind.LP_SHARE, POOL, MARGIN, "pool shares none"),
        (Kind.SPOT, CALL, None, "kind spot takes none"),
        (Kind.LP_SHARE, PoolTerms("BTC", "ETH"), None, "hold both as spot instead"),
        (Kind.OPTION, replace(CALL, on="X"), None, "name another instrument"),
    ],
)
def test_kinds_take_their_own_terms_and_margin(
    kind: Kind, terms: Terms | None, margin: Margin | None, words: str
) -> None:
    with pytest.raises(DomainError, match=words):
        make(kind, terms, margin)


@pytest.mark.parametrize("strike", [Fraction(0), Fraction(-1), 50_000, "50000"])
def test_a_strike_is_a_positive_fraction(strike: Any) -> None:
    with pytest.raises(DomainError, match="positive Fraction"):
        OptionTerms("BTC", strike, 1, True)


def test_expiry_and_side_are_typed() -> None:
    with pytest.raises(DomainError, match="Unix seconds"):
        OptionTerms("BTC", Fraction(1), 0, True)
    with pytest.raises(DomainError, match="Unix seconds"):
        FutureTerms(1.5)  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="True for a call"):
        OptionTerms("BTC", Fraction(1), 1, 1)  # type: ignore[arg-type]


def test_a_book_knows_what_its_options_are_on() -> None:
    with pytest.raises(DomainError, match="the fund knows: X"):
        Book(USD, 0, {"X": make(Kind.OPTION, CALL, None)})


def test_an_option_is_an_exposure_to_its_whole_underlying_and_needs_margin_if_owed() -> None:
    item = make(Kind.OPTION, CALL, MARGIN)
    prices = {"BTC": 4_000_001, "X": 1_000}  # 40,000.01 and 1.000
    # 300 base units are 3 contracts of a tenth of a coin.
    units = 3 * 10**8 * 4_000_001 // 1_000
    for held, needed in ((300, 0), (-300, -(-units // 20))):
        book = Book(USD, 0, {"BTC": SPOT, "X": item}, {"X": held})
        assert book.exposure("X", held, prices) == units
        assert book.maintenance("sim", prices) == needed
    with pytest.raises(DomainError, match="X is an option on it"):
        book.maintenance("sim", {"X": 1_000})
    book = Book(USD, 0, {"BTC": SPOT})
    assert book.exposure("BTC", -7, prices) == SPOT.notional(7, 4_000_001)


def test_assumptions_return_from_their_json_and_none_leave_the_set_as_it_was() -> None:
    assumed = pricing({"BTC": ("30%", "1.5")}, span=3 * 86_400, fees={"LP": "0.00000051"})
    assert assumed.volatility == {"BTC": (Fraction(3, 10), Fraction(3, 2))}
    assert assumed.fees == {"LP": 1}  # rounded up
    plain = Stress(("BTC",), ((-1, 1),), (), 3)
    assert "pricing" not in plain.to_json()
    full = replace(plain, pricing=assumed)
    assert Stress.from_json(full.to_json()) == full
    assert Stress.from_json(plain.to_json()) == plain


@pytest.mark.parametrize(
    "volatility", [(Fraction(2), Fraction(1)), (Fraction(-1), Fraction(1)), (0.3, 1.5)]
)
def test_volatilities_are_an_interval_of_fractions_from_zero_on(volatility: Any) -> None:
    with pytest.raises(DomainError, match="the lowest and the highest"):
        Pricing({"BTC": volatility})


def test_a_span_and_fees_are_integers() -> None:
    with pytest.raises(DomainError, match="span of a way out"):
        Pricing(span=0)
    with pytest.raises(DomainError, match="fees of LP"):
        Pricing(fees={"LP": -SCALE})
