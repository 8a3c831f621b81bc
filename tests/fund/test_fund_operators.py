"""What persons correct: only of a fund that was halted, exactly, and never to buy back room."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from fund_world import CAPITAL, USD, Market, World, instrument, mandate, world
from hypothesis import given
from hypothesis import strategies as st
from margin_world import PERP
from margin_world import USD as MARGIN_USD

from agent_fund.agents.strategy import HOLD
from agent_fund.audit.canonical import decode
from agent_fund.audit.track_record import ASSUMPTION, guarantee
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Leg, Proposal, Side, Status
from agent_fund.execution.account import Bucket
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.fund.adjustment import Adjustment, count
from agent_fund.guard.machine import Floor, Mode
from agent_fund.guard.relation import WatchedMachine

COIN = instrument("COIN")
PRICE = 100_000  # price units; 1000.00 a coin
LIMIT = Fraction(1, 5)
PLACE = "simulated"


class Once:
    """Buys ``quantity`` at its first turn, then holds."""

    def __init__(self, quantity: int) -> None:
        self.quantity = quantity

    def decide(self, snapshot, book):
        quantity, self.quantity = self.quantity, 0
        if not quantity:
            return HOLD
        return Proposal((Leg(COIN, Side.BUY, quantity, PRICE + 1000),))


def still(bars: int = 12) -> Market:
    return Market((COIN,), {"COIN": [PRICE] * bars}, {"COIN": [PRICE] * bars})


def holding(quantity: int = 10_000, bars: int = 3) -> World:
    """A fund with ``quantity`` of the coin after ``bars`` bars, in a market that stands still."""
    resolved = mandate(("COIN",), Fraction(1, 20), LIMIT)
    return world(still(), resolved, Once(quantity), fee=Fraction(0), spread=Fraction(0)).run(bars)


def ledger_of(found: World):
    return found.fund._orders._desk._ledger


def records(found: World) -> list[dict]:
    return [decode(leaf) for leaf in found.log.leaves()]


def acts(found: World) -> list[str]:
    return [r["act"] for r in records(found) if r["kind"] == "guard"]


# -- adjust -----------------------------------------------------------------------------------


@given(
    amounts=st.lists(
        st.tuples(st.integers(-(10**12), 10**12), st.integers(-500, 500)), min_size=1, max_size=6
    )
)
def test_an_adjustment_moves_nav_by_exactly_its_value_and_every_asset_still_sums_to_zero(
    amounts: list[tuple[int, int]],
) -> None:
    found = holding()
    fund, ledger = found.fund, ledger_of(found)
    fund.hold("ann: a look")
    for money, coins in amounts:
        units = {k: v for k, v in (("USD", money), ("COIN", coins)) if v}
        if not units or fund.book.position("COIN") + coins < 0:
            continue
        before, value = fund.machine.v, money + COIN.notional(coins, PRICE)
        fund.adjust(Adjustment(PLACE, units), "ann: as they have it")
        assert fund.machine.v - before == value
        assert fund.machine.v == fund.book.nav(fund.prices)
        assert fund.figures["nav"] == fund.machine.v
        assert fund.figures["positions"] == (fund.book.position("COIN"),)
    sums: Counter[object] = Counter()
    for account, left in ledger.balances().items():
        sums[account.asset] += left
    assert not any(sums.values())
    nav = fund.machine.v
    taken = -ledger.balance("outside", USD, Bucket.ADJUSTMENT)
    taken -= COIN.notional(ledger.balance("outside", COIN.base, Bucket.ADJUSTMENT), PRICE)
    assert nav == CAPITAL + taken


def test_the_books_of_a_fund_that_nobody_halted_are_not_adjusted() -> None:
    found = holding()
    with pytest.raises(DomainError, match="halt or flatten the fund first"):
        found.fund.adjust(Adjustment(PLACE, {"USD": 5}), "ann: a gift")
    with pytest.raises(DomainError, match="halt or flatten the fund first"):
        found.fund.adjustment(PLACE, {"USD": "5"})
    assert "adjust" not in acts(found)


@pytest.mark.parametrize(
    ("place", "amounts", "said"),
    [
        ("elsewhere", {"USD": "1"}, "the fund's places are"),
        (PLACE, {"EUR": "1"}, "the fund has there: COIN, USD"),
        (PLACE, {"USD": "0"}, "state what is more or less"),
        (PLACE, {}, "state an asset"),
        (PLACE, {"USD": "0.000000001"}, "at most 8 decimals"),
        (PLACE, {"USD": "1e40"}, "state what is more or less"),
        (PLACE, {"USD": "nan"}, "finite"),
        (PLACE, {"USD": "-2000000"}, "the books have"),
        (PLACE, {"COIN": "-100.01"}, "the books have 100.00"),
    ],
)
def test_what_no_place_can_have_is_refused_and_leaves_no_record(place, amounts, said) -> None:
    found = holding()
    found.fund.hold("ann: a look")
    size = len(records(found))
    with pytest.raises(DomainError, match=said):
        found.fund.adjustment(place, amounts)
    assert len(records(found)) == size


def test_a_margin_account_may_owe_cash_and_contracts() -> None:
    ledger = Ledger(MARGIN_USD, {PERP.symbol: PERP})
    place = PERP.account
    ledger.deposit(MARGIN_USD, 1000, place, "capital")
    found = Adjustment(place, {"USD": -5000, PERP.base.symbol: -7 * PERP.lot})
    found.require(ledger.book())
    ledger.adjust(place, found.assets(ledger.book()), "one")
    book = ledger.book()
    assert (book.places[place], book.position(PERP.symbol)) == (-4000, -7 * PERP.lot)
    assert found.value(book, {PERP.symbol: 3}) == -5000 - PERP.notional(7 * PERP.lot, 3)


def test_less_than_a_lot_is_not_adjusted() -> None:
    book = holding().fund.book
    line = replace(COIN, lot=10)
    book = replace(book, instruments={"COIN": line})
    with pytest.raises(DomainError, match=r"whole lots of 0\.10"):
        Adjustment(PLACE, {"COIN": 5}).require(book)


def test_after_an_adjustment_the_guard_looks_anew_at_the_next_bar() -> None:
    found = holding()
    fund = found.fund
    fund.hold("ann: a look")
    looks = acts(found).count("look")
    found.run(4)
    assert acts(found).count("look") == looks  # the certificate in force was enough
    fund.adjust(Adjustment(PLACE, {"COIN": 1000}), "ann: theirs")
    found.run(5)
    assert acts(found).count("look") == looks + 1
    assert fund.machine.mode is Mode.ACTIVE


def test_a_position_beyond_what_is_safe_is_reduced_at_the_next_bar() -> None:
    found = holding(50_000)
    found.fund.hold("ann: a look")
    found.fund.adjust(Adjustment(PLACE, {"USD": -CAPITAL * 19 // 100}), "ann: it is gone")
    found.run(6)
    assert "reduce" in acts(found)


def test_a_loss_that_breaks_the_limit_stops_the_fund_at_once_and_is_no_defect_of_ours() -> None:
    found = holding()
    found.fund.hold("ann: a look")
    found.fund.adjust(Adjustment(PLACE, {"USD": -CAPITAL * 21 // 100}), "ann: it is gone")
    assert acts(found)[-2:] == ["adjust", "kill"]
    assert found.fund.leaving
    (breach,) = found.monitor.breaches
    assert {f.assumption for f in breach.failures} == {"A4"}
    assert guarantee(found.monitor) == ASSUMPTION
    found.run()
    assert found.fund.machine.mode is Mode.HALTED
    assert not found.fund.resume("ann: go on")


def test_a_loss_that_a_later_move_carries_over_the_limit_is_no_defect_either() -> None:
    size = Fraction(1, 20)
    falls = [PRICE] * 5 + [PRICE * 96 // 100] * 8
    market = Market((COIN,), {"COIN": falls}, {"COIN": falls})
    resolved = mandate(("COIN",), size, LIMIT)
    found = world(market, resolved, Once(50_000), fee=Fraction(0), spread=Fraction(0)).run(4)
    found.fund.hold("ann: a look")
    found.fund.adjust(Adjustment(PLACE, {"USD": -CAPITAL * 199 // 1000}), "ann: it is gone")
    assert not found.fund.machine.breached
    found.run()
    assert found.fund.machine.breached
    assert guarantee(found.monitor) == ASSUMPTION


# -- what the machine makes of it -------------------------------------------------------------

VALUES = st.lists(st.integers(-300, 300).filter(bool), min_size=1, max_size=12)


@given(values=VALUES, start=st.integers(900, 1000), floor=st.integers(0, 400))
def test_a_loss_leaves_the_mark_and_a_gain_makes_up_no_drawdown_but_what_adjustments_took(
    values: list[int], start: int, floor: int
) -> None:
    machine = WatchedMachine(Fraction(1, 2), 1000, Floor(floor))
    machine.tick(start)
    taken = 0
    for value in values:
        nav, mark, breached, before = machine.v, machine.h, machine.breached, taken
        if nav + value <= 0:
            continue
        taken = count(machine, value, taken)
        assert machine.v == nav + value
        assert machine.h >= mark
        assert taken == max(0, before - value)
        if value < 0:
            assert machine.h == mark
        else:
            assert machine.breached == breached  # no gain breaks a limit
            given_back = min(value, before)
            beyond = value - given_back
            middle, top = nav + given_back, max(mark, nav + given_back)
            # The share below the mark is what it was, but for less than one unit of the mark.
            assert machine.h == max(top * (middle + beyond) // middle, machine.v)


@given(loss=st.integers(1, 400), start=st.integers(600, 1000))
def test_a_loss_that_was_stated_by_mistake_is_taken_back_whole(loss: int, start: int) -> None:
    machine = WatchedMachine(Fraction(1), 1000)
    machine.tick(start)
    taken = count(machine, -loss, 0)
    assert count(machine, loss, taken) == 0
    assert (machine.v, machine.h) == (start, 1000)


def test_a_gain_at_the_mark_is_a_new_mark_and_below_it_room_in_proportion() -> None:
    machine = WatchedMachine(Fraction(1, 5), 1000)
    assert count(machine, 100, 0) == 0
    assert (machine.v, machine.h) == (1100, 1100)
    machine.tick(880)
    count(machine, 120, 0)
    assert (machine.v, machine.h, machine.breached) == (1000, 1250, False)


# -- settle -----------------------------------------------------------------------------------


class Losing(SimulatedVenue):
    """From the first cancel on it does not know what became of an order."""

    lost = frozenset[str]()

    def submit(self, order, bar):
        super().submit(order, bar)
        super().settle(order.order_id)
        self.lost |= {order.order_id}
        return order.with_status(Status.UNKNOWN)

    def cancel(self, order_id, bar):
        return next(o for o in self.known if o.order_id == order_id)

    def settle(self, order_id):
        self.lost -= {order_id}


def losing(monkeypatch, bars: int) -> World:
    monkeypatch.setattr("fund_world.SimulatedVenue", Losing)
    found = holding(bars=0)
    venue = found.fund._orders._desk._venues[PLACE]
    desk = found.fund._orders._desk
    type(venue).known = property(lambda self: desk.open_orders)
    return found.run(bars)


def test_an_order_in_doubt_is_settled_and_what_it_held_back_is_free(monkeypatch) -> None:
    found = losing(monkeypatch, 3)
    fund, ledger = found.fund, ledger_of(found)
    (order,) = fund.book.open_orders
    assert ledger.reserved(order.order_id) > 0
    with pytest.raises(DomainError, match="halt or flatten the fund first"):
        fund.settle(order.order_id, "ann: theirs")
    fund.hold("ann: a look")
    fund.settle(order.order_id, "ann: they never had it")
    assert not fund.book.open_orders
    assert ledger.reserved(order.order_id) == 0
    assert ledger.balance(PLACE, USD, Bucket.AVAILABLE) == CAPITAL
    told = [r for r in records(found) if r["kind"] == "status" or r.get("act") == "settle"]
    assert [r.get("act", r.get("status")) for r in told] == ["unknown", "settle", "canceled"]
    found.run()
    assert fund.resume("ann: go on")
    assert fund.machine.mode is Mode.ACTIVE


def test_a_doubt_of_this_bar_is_none_yet(monkeypatch) -> None:
    found = losing(monkeypatch, 1)
    found.fund.hold("ann: a look")
    (order,) = found.fund.book.open_orders
    assert order.status is Status.UNKNOWN
    with pytest.raises(DomainError, match="asked again at the next open"):
        found.fund.settle(order.order_id, "ann: theirs")
    found.run(2)
    found.fund.settle(order.order_id[:6], "ann: theirs")
    assert not found.fund.book.open_orders


def test_an_order_that_its_venue_knows_is_not_settled() -> None:
    found = holding(bars=3)
    found.fund.kill("ann: enough")
    found.run(4)
    (order,) = found.fund.book.open_orders
    with pytest.raises(DomainError, match="its venue says new: only an order in doubt"):
        found.fund.settle(order.order_id, "ann: theirs")


@pytest.mark.parametrize("begin", ["", "nobody's"])
def test_only_one_known_order_is_settled(monkeypatch, begin: str) -> None:
    found = losing(monkeypatch, 3)
    found.fund.hold("ann: a look")
    with pytest.raises(DomainError, match="see agent-fund status"):
        found.fund.settle(begin, "ann: theirs")


def test_nothing_is_adjusted_beside_an_open_order(monkeypatch) -> None:
    found = losing(monkeypatch, 3)
    found.fund.hold("ann: a look")
    with pytest.raises(DomainError, match="settle it first"):
        found.fund.adjust(Adjustment(PLACE, {"USD": 1}), "ann: theirs")
    (order,) = found.fund.book.open_orders
    found.fund.settle(order.order_id, "ann: theirs")
    found.fund.adjust(Adjustment(PLACE, {"USD": 1}), "ann: theirs")
    assert found.fund.machine.v == CAPITAL + 1


def test_a_doubt_keeps_the_way_out_waiting_until_a_person_settles_it(monkeypatch) -> None:
    found = losing(monkeypatch, 3)
    found.fund.kill("ann: enough")
    found.run(6)
    assert found.fund.machine.mode is Mode.EXITING
    (order,) = found.fund.book.open_orders
    found.fund.settle(order.order_id, "ann: theirs")
    found.run(7)
    assert found.fund.machine.mode is Mode.HALTED
