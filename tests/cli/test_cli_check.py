from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from cli_workspace import told
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.whatif import ask, bar_at, parse_trade
from agent_fund.cli.check import _holdings
from agent_fund.cli.main import run
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Side
from agent_fund.guard.verdict import Outcome, Situation

Capture = pytest.CaptureFixture[str]

COIN = Instrument("COIN", Asset("COIN", 4), Asset("USD", 8), Venue("simulated"), 2)


@pytest.fixture
def parts(runfile: Path) -> Parts:
    return assemble(runfile)


@given(
    st.sampled_from(Side),
    st.integers(1, 10**12),
    st.integers(1, 10**9),
    st.sampled_from([" ", "   "]),
)
def test_a_trade_is_read_as_it_is_written(side: Side, quantity: int, limit: int, gap: str) -> None:
    words = [
        side.value,
        str(COIN.base.amount(quantity)),
        "COIN",
        "@",
        str(COIN.price_decimal(limit)),
    ]
    leg = parse_trade(gap.join(words), {"COIN": COIN}, {"COIN": 100})
    assert (leg.side, leg.quantity, leg.limit) == (side, quantity, limit)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("buy", "write side, quantity, symbol, limit"),
        ("hold 1 COIN @ 100", "write buy or sell"),
        ("buy 1 COINS @ 100", "did you mean 'COIN'?"),
        ("buy 1 COIN", "add a limit price, e.g. @ 123.45, its close"),
        ("buy one COIN @ 100", "write a decimal number"),
        ("buy 0.00001 COIN @ 100", "at most 4 decimals"),
        ("buy 0 COIN @ 100", "leave a leg out"),
        ("buy 1 COIN @ 100.001", "at most 2 decimals"),
        ("buy 1 COIN @ -5", "at least 1"),
        ("buy 1 COIN @ NaN", "finite"),
    ],
)
def test_a_trade_that_cannot_be_is_refused_with_the_fix(text: str, says: str) -> None:
    with pytest.raises(DomainError, match=says):
        parse_trade(text, {"COIN": COIN}, {"COIN": 12345})


def test_the_book_asked_about_is_worth_the_fund_s_cash(parts: Parts) -> None:
    answer = ask(parts, ["buy 1 COIN @ 300"], held=["COIN=12.5"])
    situation = answer.situation
    assert situation.nav == situation.mark == parts.cash
    spent = parts.cash - situation.book.cash
    price = parts.test.closes["COIN"][0]
    assert spent == parts.instruments[0].notional(125_000, price)


def test_the_last_bar_on_or_before_the_day_is_asked_about(parts: Parts) -> None:
    times = parts.test.close_times
    for bar in (0, 7, len(times) - 1):
        day = dt.datetime.fromtimestamp(times[bar] // 1000, dt.UTC).date()
        assert bar_at(parts, day) == bar
    assert bar_at(parts, None) == 0
    with pytest.raises(DomainError, match="write a day of the test window"):
        bar_at(parts, dt.date(2019, 1, 1))
    with pytest.raises(DomainError, match="write a day of the test window"):
        bar_at(parts, dt.date(2031, 1, 1))


def test_positions_beyond_the_cash_are_refused(parts: Parts) -> None:
    with pytest.raises(DomainError, match="more than the fund's cash"):
        ask(parts, ["sell 1 COIN @ 1"], held=["COIN=1000000"])
    with pytest.raises(DomainError, match="SP500=200"):
        ask(parts, ["sell 1 COIN @ 1"], held=["COIN"])
    with pytest.raises(DomainError, match="once"):
        ask(parts, ["sell 1 COIN @ 1"], held=["COIN=1", "COIN=2"])


def test_several_trades_may_stand_in_one_text_but_one_a_symbol(parts: Parts) -> None:
    with pytest.raises(DomainError, match="give each instrument one leg"):
        ask(parts, ["buy 1 COIN @ 300; sell 1 COIN @ 1"])
    with pytest.raises(DomainError, match="write one such as"):
        ask(parts, [" ; "])


def test_capacity_is_the_venue_s_share_of_the_smallest_recent_volume(parts: Parts) -> None:
    room = ask(parts, ["buy 1 COIN @ 300"]).situation.capacity["COIN"]
    assert room == 10_000_000 * 10**4
    enough = ask(parts, ["sell 1 COIN @ 1"], held=["COIN=1"])
    assert enough.verdict.outcome is Outcome.ADMITTED


def test_an_admitted_trade_is_0(runfile: Path, capsys: Capture) -> None:
    assert run(["check", str(runfile), "--trade", "buy 10 COIN @ 300", "--json"]) == 0
    value = told(capsys)
    assert value["verdict"] == "admitted"
    assert value["proposed"] == value["admissible"]
    assert value["broken"] == []
    assert run(["check", str(runfile), "--trade", "buy 10 COIN @ 300"]) == 0
    assert "ADMITTED" in capsys.readouterr().out


def test_a_repaired_trade_is_8_and_the_repair_is_itself_admitted(
    runfile: Path, capsys: Capture
) -> None:
    assert run(["check", str(runfile), "--trade", "buy 9000 COIN @ 300", "--json"]) == 8
    value = told(capsys)
    assert (value["verdict"], value["exit"]) == ("repaired", 8)
    (leg,) = value["admissible"]  # type: ignore[misc]
    assert 0 < Decimal(leg["quantity"]) < 9000
    text = f"{leg['side']} {leg['quantity']} {leg['instrument']} @ {leg['limit']}"
    assert run(["check", str(runfile), "--trade", text]) == 0
    assert run(["check", str(runfile), "--trade", "buy 9000 COIN @ 300"]) == 8
    assert "REPAIRED" in capsys.readouterr().out


def test_a_refused_trade_is_8_and_says_what_it_breaks(runfile: Path, capsys: Capture) -> None:
    assert run(["check", str(runfile), "--trade", "sell 10 COIN @ 1"]) == 8
    shown = capsys.readouterr().out
    assert "REFUSED" in shown
    assert "BROKEN  solvency" in shown


def test_a_day_that_is_no_day_is_2(runfile: Path, capsys: Capture) -> None:
    trade = ["--trade", "buy 1 COIN @ 300"]
    assert run(["check", str(runfile), *trade, "--at", "yesterday"]) == 2
    assert "YYYY-MM-DD" in capsys.readouterr().err


def test_cash_is_told_with_its_place_where_there_are_several() -> None:
    def told(**places: int) -> str:
        cash = {name: amount * 10**8 for name, amount in places.items()}
        book = Book(Asset("USD", 8), sum(cash.values()), {}, {}, places=cash)
        return _holdings(Situation(book, {}, book.cash, book.cash, 0, {}))

    assert told(one=5) == "The fund holds 5.00 USD in cash."
    both = "5.00 USD in cash at one, 7.00 USD in cash at two"
    assert told(one=5, two=7) == f"The fund holds {both}."
