"""An adversary that sees the coming bars stays within the limit; without the guard, or with any
part of the proof left out, the same adversary breaks the promise."""

from __future__ import annotations

from fractions import Fraction

import fund_world
import pytest
from fund_world import (
    CAPITAL,
    HOUR,
    Adversary,
    Market,
    edge_market,
    instrument,
    mandate,
    world,
)

from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.fund.flow_queue import FlowQueue
from agent_fund.fund.flows import Flow
from agent_fund.fund.unguarded import Unguarded
from agent_fund.guard import certifier, machine, obligations, proof
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.machine import Bounds, Machine

SIZE, LIMIT = Fraction(15, 100), Fraction(20, 100)
DEAR = Fraction(2, 100)


@pytest.mark.parametrize("symbols", [("A",), ("A", "B")])
@pytest.mark.parametrize("seed", range(4))
def test_with_the_guard_every_assumption_and_the_limit_hold(seed, symbols):
    market = edge_market(seed, symbols, SIZE)
    resolved = mandate(symbols, SIZE, LIMIT)
    run = world(market, resolved, Adversary(market, Guard(resolved))).run()
    assert run.monitor.failures == []
    assert run.monitor.breaches == ()
    assert run.outside_band == 0
    assert run.drawdown <= LIMIT
    assert run.drawdown > LIMIT * Fraction(4, 5), "the adversary must come near the limit"
    decided = sum(b'"act":"decide"' in leaf for leaf in run.log.leaves())
    assert decided > 5


@pytest.mark.parametrize(
    ("latency", "order_bars", "exit_bars", "volume"),
    [(1, 1, 1, 10**12), (0, 3, 1, 10**12), (2, 3, 1, 10**12), (0, 1, 3, 10**6), (1, 2, 3, 10**6)],
)
def test_the_limit_holds_with_slow_orders_long_lives_and_exits_in_slices(
    monkeypatch, latency, order_bars, exit_bars, volume
):
    monkeypatch.setattr(fund_world, "VOLUME", volume)
    horizon = 1 + (1 + latency) * (1 + exit_bars)
    symbols = ("A", "B")
    market = edge_market(latency + order_bars, symbols, SIZE, horizon=horizon)
    resolved = mandate(symbols, SIZE, LIMIT, horizon=horizon, exit_bars=exit_bars)
    run = world(
        market,
        resolved,
        Adversary(market, Guard(resolved)),
        latency=latency,
        order_bars=order_bars,
        exit_bars=exit_bars,
        participation=Fraction(1, 20),
    ).run()
    assert run.monitor.failures == []
    assert run.drawdown <= LIMIT
    assert run.outside_band == 0
    assert any(any(tick.positions) for tick in run.ticks)


def _breaks(market, resolved, **options):
    gate = options.pop("gate", None)
    guard = None if gate is not None else Guard(resolved)
    adversary = Adversary(market, gate or guard)
    return world(market, resolved, adversary, gate=gate, guard=guard, **options).run()


def test_without_the_guard_the_same_adversary_breaks_the_limit():
    market = edge_market(0, ("A",), SIZE)
    resolved = mandate(("A",), SIZE, LIMIT)
    run = _breaks(market, resolved, gate=Unguarded(resolved.costs), limit=Fraction(1))
    assert run.drawdown > LIMIT


def _rise_then_fall(size: Fraction) -> Market:
    """Each decision's interval rises to the edge at its open and ends at the other edge."""
    opens, closes, price = [100_000], [100_000], 100_000
    for bar in range(1, 24):
        up = int(price * (1 + size))
        down = -int(-price * (1 - size) // 1)
        quiet = bar % 4 != 2
        opens.append(price if quiet else up)
        closes.append(price if quiet else down)
        price = closes[-1]
    return Market((instrument("A"),), {"A": opens}, {"A": closes})


def test_mutant_without_the_gain_is_broken_by_a_rise_and_a_fall(monkeypatch):
    market, resolved = _rise_then_fall(SIZE), mandate(("A",), SIZE, LIMIT, Fraction(0), Fraction(0))
    free = {"fee": Fraction(0), "spread": Fraction(0)}
    sound = _breaks(market, resolved, **free)
    assert sound.monitor.failures == []
    assert sound.drawdown <= LIMIT

    def nothing(case, venue, stress, band, book):
        return Form(0, (0,) * len(stress.box), ())

    monkeypatch.setattr(obligations, "_gain", nothing)
    mutant = _breaks(market, resolved, **free)
    assert mutant.monitor.failures == []
    assert mutant.drawdown > LIMIT


def test_mutant_without_the_costs_is_broken_by_dear_exits(monkeypatch):
    market = edge_market(3, ("A",), SIZE)
    resolved = mandate(("A",), SIZE, LIMIT, DEAR, DEAR)
    dear = {"fee": DEAR, "spread": DEAR}
    sound = _breaks(market, resolved, **dear)
    assert sound.monitor.failures == []
    assert sound.drawdown <= LIMIT
    for module in (obligations, proof):
        monkeypatch.setattr(module, "cost_bound", lambda *rest: 0)
    mutant = _breaks(market, resolved, **dear)
    assert mutant.drawdown > LIMIT


def _slide(step: Fraction) -> Market:
    """Falls by ``step`` at each open and each close, after a quiet beginning."""
    opens, closes, price = [100_000], [100_000], 100_000
    for bar in range(1, 16):
        move = step if bar >= 3 else Fraction(0)
        opens.append(-int(-price * (1 - move) // 1))
        price = -int(-opens[-1] * (1 - move) // 1)
        closes.append(price)
    return Market((instrument("A"),), {"A": opens}, {"A": closes})


def test_mutant_whose_horizon_ends_before_the_way_out_is_broken_by_a_slide():
    step = Fraction(10, 100)
    market = _slide(step)
    way_out = 1 - (1 - step) ** 5  # five marks: three opens and the two closes between them
    sound = _breaks(market, mandate(("A",), way_out, LIMIT))
    assert sound.monitor.failures == []
    assert sound.drawdown <= LIMIT
    one_bar = 1 - (1 - step) ** 2
    mutant = _breaks(market, mandate(("A",), one_bar, LIMIT))
    assert mutant.drawdown > LIMIT
    # The monitor sees it too: the moves left the set that was declared.
    assert mutant.monitor.breaches[0].failures[0].assumption == "A1"


class BuyOnce:
    """Buys all it may at bar 0, a limit far above the price."""

    def __init__(self, share: Fraction = Fraction(9, 10)) -> None:
        self.share = share

    def decide(self, snapshot, book):
        if snapshot.bar:
            return Proposal()
        inst = next(iter(snapshot.instruments.values()))
        limit = int(snapshot.last_close(inst.symbol) * Fraction(103, 100))
        quantity = int(book.cash * self.share / inst.notional(1, limit))
        return Proposal((Leg(inst, Side.BUY, quantity, limit),))


def test_mutant_that_forgets_fills_below_the_limit_leaves_the_certified_band(monkeypatch):
    """NAV rises above V + gain: the invariant on which the theorem rests is gone.

    The drawdown itself survives this one: a better fill lifts peak and trough alike.
    """
    low, high = int(100_000 * (1 - SIZE)), int(100_000 * (1 + SIZE))
    market = Market(
        (instrument("A"),),
        {"A": [100_000, low, 100_000, 100_000]},
        {"A": [100_000, high, 100_000, 100_000]},
    )
    resolved = mandate(("A",), SIZE, LIMIT, Fraction(0), Fraction(0))
    free = {"fee": Fraction(0), "spread": Fraction(0)}

    def peak_leaves_band() -> bool:
        run = world(market, resolved, BuyOnce(), **free)
        run.run(1)
        decided = run.fund.machine
        highest = decided.V * SCALE + decided.bounds.gain
        run.run(2)
        return run.ticks[1].nav * SCALE > highest

    assert not peak_leaves_band()

    def at_the_limit(leg, stress, band):
        size, sign = abs(leg.quantity) * leg.instrument.multiplier, 1 if leg.quantity > 0 else -1
        price = band[leg.symbol][1]
        return sign * size * price, sign * size * SCALE * (price - leg.limit)

    monkeypatch.setattr(obligations, "best_fill", obligations.best_fill._replace(line=at_the_limit))
    assert peak_leaves_band()


def test_mutant_that_lets_money_out_without_a_certificate_is_broken(monkeypatch):
    size = Fraction(30, 100)
    down = -int(-100_000 * (1 - size) // 1)
    market = Market(
        (instrument("A"),),
        {"A": [100_000] * 5 + [down] * 4},
        {"A": [100_000] * 5 + [down] * 4},
    )
    resolved = mandate(("A",), size, LIMIT)
    redemption = [Flow(4 * HOUR, -CAPITAL * 70 // 100, "investor")]
    sound = world(market, resolved, BuyOnce(), flows=redemption).run()
    assert sound.monitor.failures == []
    assert sound.drawdown <= LIMIT

    def uncertified(self: FlowQueue, before, state: Machine) -> bool:
        flow = self._waiting.pop(0)
        self._ledger.withdraw(before.book.currency, -flow.amount, self._place, "flow")
        state.h = machine.scaled_mark(state.h, state.v, state.v + flow.amount)
        state.v += flow.amount
        state.V, state.H = state.v, state.h
        return True

    monkeypatch.setattr(FlowQueue, "attempt", uncertified)
    mutant = world(market, resolved, BuyOnce(), flows=redemption).run()
    assert mutant.drawdown > LIMIT


def test_a_redemption_waits_until_the_book_after_it_is_certified():
    resolved = mandate(("A",), Fraction(30, 100), LIMIT)
    quiet = Market((instrument("A"),), {"A": [100_000] * 8}, {"A": [100_000] * 8})
    greedy = [Flow(4 * HOUR, -CAPITAL * 55 // 100, "investor")]
    run = world(quiet, resolved, BuyOnce(), flows=greedy).run()
    assert run.ticks[-1].nav > CAPITAL * 9 // 10, "it stays queued"
    modest = [Flow(4 * HOUR, -CAPITAL // 100, "investor"), Flow(5 * HOUR, CAPITAL // 2, "other")]
    run = world(quiet, resolved, BuyOnce(Fraction(1, 5)), flows=modest).run()
    assert run.ticks[-1].nav > CAPITAL * 14 // 10
    assert run.ticks[-1].mark * 100 < run.ticks[-1].nav * 101, "the mark scales with NAV"


def test_a_killed_fund_goes_flat_and_halts():
    market = Market((instrument("A"),), {"A": [100_000] * 9}, {"A": [100_000] * 9})
    resolved = mandate(("A",), SIZE, LIMIT)
    run = world(market, resolved, BuyOnce(Fraction(1, 3)))
    run.run(5)
    assert any(run.ticks[-1].positions)
    run.fund.kill("the operator says so")
    run.run()
    assert run.ticks[-1].mode is machine.Mode.HALTED
    assert not any(run.ticks[-1].positions)


def test_a_broken_limit_with_every_assumption_intact_is_called_a_defect(monkeypatch):
    """The monitor tells our own defect from a failed assumption."""
    market = _rise_then_fall(SIZE)
    resolved = mandate(("A",), SIZE, LIMIT, Fraction(0), Fraction(0))
    monkeypatch.setattr(certifier, "is_safe", lambda *rest: True)
    monkeypatch.setattr(machine, "is_safe", lambda *rest: True)
    monkeypatch.setattr(Machine, "try_decide", lambda self, bounds: not self.decide(bounds))
    run = _breaks(market, resolved, gate=None, fee=Fraction(0), spread=Fraction(0))
    assert run.monitor.breaches
    assert run.monitor.breaches[0].failures == ()
    assert run.ticks[-1].mode is machine.Mode.HALTED


def test_costs_beyond_the_declared_ones_are_a_failed_assumption():
    market = edge_market(3, ("A",), SIZE)
    resolved = mandate(("A",), SIZE, LIMIT, Fraction(1, 10_000), Fraction(1, 10_000))
    run = _breaks(market, resolved, fee=DEAR, spread=DEAR)
    assert {f.assumption for f in run.monitor.failures} >= {"A3"}


def test_bounds_are_never_negative():
    with pytest.raises(machine.MachineError):
        Bounds(-1, 0, 0)
    assert Costs(Fraction(0), Fraction(0)).exit(10) == 0


def test_after_a_crash_beyond_the_set_the_fund_still_gets_out():
    """A1 fails, so nothing is promised; the way out follows the market all the same."""
    prices = [100_000] * 5 + [40_000, 39_000, 38_000, 37_500, 37_000, 36_800]
    market = Market((instrument("A"),), {"A": prices}, {"A": prices})
    run = world(market, mandate(("A",), SIZE, LIMIT), BuyOnce()).run()
    assert run.monitor.breaches
    assert "A1" in {f.assumption for f in run.monitor.breaches[0].failures}
    assert run.ticks[-1].mode is machine.Mode.HALTED
    assert not any(run.ticks[-1].positions)


def _falling(bars: int, volumes: dict[int, int]) -> Market:
    prices = [100_000] * 3
    while len(prices) < bars:
        prices.append(-int(-prices[-1] * 97 // 100))
    return Market((instrument("A"),), {"A": prices}, {"A": prices}, volumes)


def test_one_empty_bar_of_the_past_does_not_hold_up_the_way_out():
    run = world(
        _falling(30, {4: 0}), mandate(("A",), SIZE, LIMIT), BuyOnce(), participation=Fraction(1, 20)
    ).run()
    assert run.monitor.breaches == ()
    assert run.drawdown <= LIMIT


def test_a_market_that_stops_trading_is_a_failed_assumption_and_no_defect():
    """Nothing can be sold while the market falls on inside the set: A2 says so."""
    dry = dict.fromkeys(range(4, 40), 10)
    run = world(
        _falling(40, dry), mandate(("A",), SIZE, LIMIT), BuyOnce(), participation=Fraction(1, 20)
    ).run()
    assert run.monitor.breaches
    assert "A2" in {f.assumption for f in run.monitor.breaches[0].failures}
    assert "A1" not in {f.assumption for f in run.monitor.failures}


def test_a_kill_leaves_the_guards_own_orders_on_their_way():
    """Cancelling them would make the way out longer, and excuse a breach that is our own."""
    resolved = mandate(("A",), SIZE, LIMIT, horizon=5)
    run = world(_falling(40, {}), resolved, BuyOnce(), latency=1)
    for bars in range(1, 40):
        run.run(bars)
        if run.ticks[-1].mode is machine.Mode.REDUCING:
            break
    orders = run.fund._orders.book.open_orders
    assert orders
    run.fund.kill("the operator says so")
    assert run.fund._orders.book.open_orders == orders
    run.run()
    assert run.ticks[-1].mode is machine.Mode.HALTED
    assert run.monitor.failures == []


def test_cancelling_open_orders_is_tried_before_anything_is_sold():
    """The held book alone is Safe; only with its open purchase it is not."""

    class Patient(BuyOnce):
        def decide(self, snapshot, book):
            inst = snapshot.instruments["A"]
            if snapshot.bar == 2:  # far more than is Safe: the guard cuts it to the very limit
                quantity = int(book.cash * Fraction(9, 10) / inst.notional(1, 97_000))
                return Proposal((Leg(inst, Side.BUY, quantity, 97_000),))
            return super().decide(snapshot, book)

    prices = [100_000] * 4 + [97_500] * 6
    market = Market((instrument("A"),), {"A": prices}, {"A": prices})
    run = world(market, mandate(("A",), SIZE, LIMIT), Patient(Fraction(1, 5)), order_bars=9).run()
    leaves = list(run.log.leaves())
    assert any(b'"status":"canceled"' in leaf for leaf in leaves)
    assert not any(b'"act":"reduce"' in leaf for leaf in leaves)
    assert run.ticks[-1].positions == run.ticks[1].positions != (0,)
