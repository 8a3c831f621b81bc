"""Envelopes hold the value everywhere on dense grids of move, volatility and time, and hug it."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from guard_prices import option_value

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.assumptions import Pricing, pricing
from agent_fund.guard.pricing.envelopes import Envelope, _over, envelope
from agent_fund.guard.stress.stress_set import Stress

USD, VENUE = Asset("USD", 8), Venue("sim")
DAY, YEAR, NOW = 86_400, 365 * 86_400, 1_700_000_000
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(0))
COIN = Instrument("BTC", Asset("BTC", 2), USD, VENUE, price_scale=2)
PRICE = 5_000_000  # 50,000.00
BOX = (-400_000, 500_000)


def option(strike: str, days: int, call: bool, on: str = "BTC") -> Instrument:
    terms = OptionTerms(on, Fraction(strike), NOW + days * DAY, call)
    base = Asset("O", 2)
    return Instrument("O", base, USD, VENUE, 4, kind=Kind.OPTION, underlying="BTC", terms=terms)


def pool(fees: int = 0) -> tuple[Instrument, Stress]:
    share = Instrument(
        *("LP", Asset("LP", 2), USD, VENUE, 4), kind=Kind.LP_SHARE, terms=PoolTerms("BTC", "USD")
    )
    return share, stress(Pricing(fees={"LP": fees}))


def stress(assumed: Pricing, box: tuple[int, int] = BOX) -> Stress:
    return Stress(("BTC",), (box,), (), 3, pricing=assumed)


def book(item: Instrument, time: int | None = NOW) -> Book:
    return Book(USD, 0, {"BTC": COIN, item.symbol: item}, time=time)


def found(
    item: Instrument, set_: Stress, mark: int, width: int = 0, time: int | None = NOW
) -> Envelope:
    band = {"BTC": (PRICE - width, PRICE + width), item.symbol: (mark, mark)}
    result = envelope(item, set_, band, book(item, time))
    assert result is not None
    return result


def value(item: Instrument, price: float, volatility: float, seconds: float) -> float:
    """In price units of the option times SCALE."""
    terms = item.terms
    assert isinstance(terms, OptionTerms)
    total = volatility * math.sqrt(seconds / YEAR)
    return option_value(terms.call, price, float(terms.strike), total) * 10**4 * SCALE


GRID = [BOX[0] + (BOX[1] - BOX[0]) * i // 150 for i in range(151)]


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", ["50000", "36000", "70123.45", "400000"])
@pytest.mark.parametrize(
    ("days", "span", "volatility"),
    [
        (30, 1, ("30%", "150%")),
        (30, 1, ("60%", "60%")),
        (2, 1, ("30%", "150%")),
        (400, 20, ("10%", "90%")),
        (3650, 2, ("100%", "500%")),
        (7, 3, ("0%", "25%")),
    ],
)
def test_an_option_lies_between_on_a_dense_grid_and_each_side_is_near(
    call: bool, strike: str, days: int, span: int, volatility: tuple[str, str]
) -> None:
    item = option(strike, days, call)
    assumed = pricing({"BTC": volatility}, span=span * DAY)
    low, high = (float(v) for v in assumed.volatility["BTC"])
    middle = value(item, PRICE / 100, (low + high) / 2, days * DAY) / SCALE
    mark = max(1, round(middle))
    bounds = found(item, stress(assumed), mark)
    unit = 10**4 * SCALE
    size = max(PRICE / 100, float(strike)) * unit
    gaps = [0.0, 0.0]
    for x in GRID:
        price = PRICE / 100 * (1 + x / SCALE)
        values = [
            value(item, price, low + (high - low) * i / 4, (days - span * j / 4) * DAY)
            for i in range(5)
            for j in range(5)
        ]
        below, above = float(bounds.lower.at(x)), float(bounds.upper.at(x))
        assert below <= min(values) + size * 1e-12
        assert above >= max(values) - size * 1e-12
        gaps = [max(gaps[0], min(values) - below), max(gaps[1], above - max(values))]
    # 0.7 % of the total volatility, as a share of price or strike; its rounding; a unit of move.
    totals = [low * math.sqrt((days - span) / 365), high * math.sqrt(days / 365)]
    dear = max(size, PRICE / 100 * (1 + BOX[1] / SCALE) * unit)
    widened = mark * SCALE / (mark * SCALE - SCALE) if mark > 1 else 2
    assert gaps[0] <= dear * 0.009 * totals[0] + dear * 2 / SCALE
    if totals[1] <= 4:
        assert gaps[1] <= dear * widened * 0.009 * totals[1] + dear * 2 / SCALE
    else:
        assert bounds.upper.most <= (dear if call else float(strike) * unit) + 1


@pytest.mark.parametrize("call", [True, False])
def test_over_a_band_of_decision_prices_the_worst_of_them_counts(call: bool) -> None:
    item, width = option("50000", 30, call), 100_000
    assumed = pricing({"BTC": ("50%", "50%")}, span=DAY)
    mark = round(value(item, PRICE / 100, 0.5, 30 * DAY) / SCALE)
    bounds = found(item, stress(assumed), mark, width)
    for x in GRID:
        for start in (PRICE - width, PRICE, PRICE + width):
            price = start / 100 * (1 + x / SCALE)
            worth = value(item, price, 0.5, 29.5 * DAY)
            assert float(bounds.lower.at(x)) <= worth <= float(bounds.upper.at(x))


@pytest.mark.parametrize("call", [True, False])
def test_without_a_volatility_only_the_payoff_and_no_arbitrage_are_relied_on(call: bool) -> None:
    item = option("50000", 30, call)
    bounds = found(item, stress(Pricing(span=DAY)), 30_000_000)
    unit = 10**4 * SCALE
    for x in GRID:
        price = PRICE / 100 * (1 + x / SCALE)
        payoff = max(0.0, price - 50_000 if call else 50_000 - price) * unit
        most = (price if call else 50_000) * unit
        assert payoff - unit <= float(bounds.lower.at(x)) <= payoff * (1 + 1e-12)
        assert float(bounds.upper.at(x)) == pytest.approx(most, rel=1e-9)


@pytest.mark.parametrize("time", [None, NOW])
def test_what_may_expire_before_the_way_out_ends_is_a_constant(time: int | None) -> None:
    item = option("50000", 1 if time else 300, True)
    assumed = pricing({"BTC": ("30%", "150%")}, span=DAY)
    bounds = found(item, stress(assumed), 20_000_000, time=time)
    assert bounds.lower.points == ((BOX[0], 0), (BOX[1], 0))
    assert bounds.upper.least == bounds.upper.most >= 25_000 * 10**4 * SCALE
    assert bounds.fall.most == 20_000_000 * SCALE


def test_without_a_span_everything_that_expires_may_expire_at_once() -> None:
    item = option("50000", 300, True)
    bounds = found(item, stress(pricing({"BTC": ("30%", "150%")})), 20_000_000)
    assert bounds.lower.most == 0


@pytest.mark.parametrize("stretch", [Fraction(1, 3), Fraction(3)])
def test_a_mark_outside_the_declared_volatility_still_lies_in_the_envelope_at_no_move(
    stretch: Fraction,
) -> None:
    item = option("50000", 30, True)
    assumed = pricing({"BTC": ("50%", "60%")}, span=DAY)
    usual = round(value(item, PRICE / 100, 0.55, 30 * DAY) / SCALE)
    plain, mark = found(item, stress(assumed), usual), int(usual * stretch)
    bounds = found(item, stress(assumed), mark)
    assert bounds.lower.at(0) <= mark * SCALE <= bounds.upper.at(0)
    assert bounds.fall.at(0) >= 0
    assert bounds.rise.at(0) >= 0
    for x in GRID:
        assert bounds.lower.at(x) <= plain.lower.at(x)
        assert bounds.upper.at(x) >= plain.upper.at(x)
        if stretch < 1:
            assert bounds.upper.at(x) == plain.upper.at(x)
        else:
            assert bounds.lower.at(x) == plain.lower.at(x)


def test_at_a_plain_mark_nothing_is_widened_and_no_move_costs_at_most_the_time_value() -> None:
    item = option("50000", 30, True)
    assumed = pricing({"BTC": ("50%", "60%")}, span=DAY)
    mark = round(value(item, PRICE / 100, 0.55, 30 * DAY) / SCALE)
    bounds = found(item, stress(assumed), mark)
    assert 0 <= bounds.fall.at(0) <= mark * SCALE * Fraction(15, 100)
    assert 0 <= bounds.rise.at(0) <= mark * SCALE * Fraction(15, 100)


@pytest.mark.parametrize("box", [BOX, (-SCALE, 9 * SCALE), (0, 0), (-1, 1), (-900_000, 100)])
@pytest.mark.parametrize("fees", [0, 10_000])
def test_a_pool_share_lies_between_and_both_sides_are_near(box: tuple[int, int], fees: int) -> None:
    item, set_ = pool(fees)
    set_ = replace(set_, box=(box,))
    mark = 123_456
    bounds = found(item, set_, mark)
    for i in range(301):
        x = box[0] + (box[1] - box[0]) * i // 300
        worth = mark * math.sqrt((SCALE + x) / SCALE) * SCALE
        below, above = float(bounds.lower.at(x)), float(bounds.upper.at(x))
        assert below <= worth + 1
        assert above >= worth * (1 + fees / SCALE) - 1
        assert float(bounds.fall.at(x)) >= mark * SCALE - worth - 1
        assert float(bounds.rise.at(x)) >= worth * (1 + fees / SCALE) - mark * SCALE - 1
        # A chord over 1/16 of the root misses it by 1/512 of 1/(4 * root) at most, or 1/64 near 0.
        near = mark * SCALE * min(1 / 32, 1 / 2048 / max(1e-9, math.sqrt(1 + x / SCALE)))
        assert below >= worth - near * 1.1 - mark
        assert above <= (worth + near * 1.1) * (1 + fees / SCALE) + mark + 2
    assert bounds.fall.at(0) == 0
    assert mark * fees <= bounds.rise.at(0) <= mark * fees + 1


def test_a_pool_share_over_a_band_of_marks_takes_the_worst_of_them() -> None:
    item, set_ = pool(0)
    band = {"LP": (1_000, 1_100), "BTC": (PRICE, PRICE)}
    bounds = envelope(item, set_, band, book(item))
    assert bounds is not None
    for x in GRID:
        root = math.sqrt(1 + x / SCALE)
        for mark in (1_000, 1_050, 1_100):
            assert float(bounds.lower.at(x)) <= mark * root * SCALE <= float(bounds.upper.at(x))
            assert float(bounds.fall.at(x)) >= mark * (1 - root) * SCALE - 2
            assert float(bounds.rise.at(x)) >= mark * (root - 1) * SCALE - 2


def future(days: int) -> Instrument:
    return Instrument(
        *("FUT", Asset("FUT", 2), USD, VENUE, 2),
        kind=Kind.FUTURE,
        underlying="BTC",
        margin=MARGIN,
        terms=FutureTerms(NOW + days * DAY),
    )


def test_a_future_is_a_line_until_it_may_settle_and_then_its_worst() -> None:
    set_ = Stress(("BTC", "FUT"), (BOX, (-300_000, 200_000)), (), 3, pricing=Pricing(span=DAY))
    band = {"FUT": (990, 1_010)}
    late = future(30)
    assert envelope(late, set_, band, book(late)) is None
    soon = future(1)
    bounds = envelope(soon, set_, band, book(soon))
    assert bounds is not None
    assert (bounds.lowest, bounds.highest) == (990 * 7 // 10, 1_010 * 12 // 10)
    assert (bounds.fall.most, bounds.rise.most) == (1_010 * 300_000, 1_010 * 200_000)


def test_spot_has_no_envelope() -> None:
    assert envelope(COIN, stress(Pricing()), {"BTC": (1, 2)}, Book(USD, 0, {"BTC": COIN})) is None


def test_an_option_on_what_pays_funding_or_has_no_price_is_refused_with_what_to_name() -> None:
    item = option("50000", 30, True)
    funded = Stress(("BTC",), (BOX,), (), 3, carry={"BTC": (1, 1)})
    band = {"BTC": (PRICE, PRICE), "O": (1, 1)}
    with pytest.raises(DomainError, match="name a spot instrument or a dated future"):
        envelope(item, funded, band, book(item))
    with pytest.raises(DomainError, match="price: 'BTC'"):
        envelope(item, stress(Pricing()), {"O": (1, 1)}, book(item))


def test_an_option_on_an_option_is_refused() -> None:
    first = option("50000", 30, True)
    second = replace(first, symbol="OO", terms=OptionTerms("O", Fraction(1), NOW + DAY, True))
    both = Book(USD, 0, {"BTC": COIN, "O": first, "OO": second}, time=NOW)
    set_ = Stress(("BTC", "O"), (BOX, BOX), (), 3)
    with pytest.raises(DomainError, match="name a spot instrument or a dated future"):
        envelope(second, set_, {"O": (1, 1), "OO": (1, 1)}, both)


@pytest.mark.parametrize("price", [9_999_991, 5_000_000, 7])
def test_the_points_above_a_call_hold_it_to_the_last_unit_of_the_driver(price: int) -> None:
    """Between a knot and the next integer driver the call grows; floats see that much."""
    strike, total = 9_876_543, Fraction(1, 4)
    for x, y in _over(price, strike, 1, total, BOX[1]):
        worth = option_value(True, price * (1 + x / SCALE), strike, float(total))
        assert y >= worth * SCALE - 1e-12 * SCALE * price


def test_an_option_goes_with_a_future_that_settles_before_it() -> None:
    terms = OptionTerms("FUT", Fraction(50_000), NOW + 300 * DAY, True)
    item = replace(option("50000", 300, True), terms=terms)
    both = Stress(("BTC", "FUT"), (BOX, BOX), (), 3, pricing=Pricing(span=DAY))
    band = {"FUT": (PRICE, PRICE), "O": (1, 1)}
    for days, constant in ((1, True), (30, False)):
        on = future(days)
        items = {"BTC": COIN, "FUT": on, "O": item}
        bounds = envelope(item, both, band, Book(USD, 0, items, time=NOW))
        assert bounds is not None
        assert (bounds.lower.least == bounds.lower.most) is constant
