"""What a throttle draws, what it refuses until it has refilled, and what no splitting beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from guard_world import AAA, BBB, PRICES, buy, make_book, make_mandate, make_situation, sell
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.activity import NOTHING_SENT, Activity
from agent_fund.guard.cases import cases
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.limits import activity_after, pre_trade
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Outcome, Situation, Verdict

START = make_situation(make_book(positions={"AAA": 500, "BBB": 5_000}))
UNIT = AAA.notional(1, PRICES["AAA"])
DOLLAR = 10**4


class Sender:
    """An agent behind a guard: what is let through is sent, and counts from then on."""

    def __init__(self, *rails: Guardrail, nav: int | None = None) -> None:
        self.mandate = make_mandate("60%", *rails)
        self._guard = Guard(self.mandate)
        self._nav = START.nav if nav is None else nav
        self.activity = NOTHING_SENT

    def situation(self, bar: int) -> Situation:
        return replace(START, nav=self._nav, mark=self._nav, bar=bar, activity=self.activity)

    def ask(self, bar: int, *legs: Leg, ordered: bool = False) -> Verdict:
        situation = self.situation(bar)
        verdict = self._guard.judge(Proposal(legs, ordered), situation)
        if verdict.certified is not None:
            self.activity = activity_after(self.mandate, situation, verdict.proposal)
        return verdict

    def sends(self, bar: int, *legs: Leg, ordered: bool = False) -> bool:
        return self.ask(bar, *legs, ordered=ordered).outcome is Outcome.ADMITTED


def limits_hold(mandate: ResolvedMandate, situation: Situation, proposal: Proposal) -> bool:
    found = pre_trade(mandate, cases(situation.book, proposal), situation, proposal)
    return all(f.holds for f in found if f.guardrail.endswith("throttle"))


# -- repeated executions --------------------------------------------------------------------------


def test_the_sixth_time_is_refused_until_the_allowance_has_refilled() -> None:
    agent = Sender(repeated_execution_throttle(times=5, bars=24))
    assert [agent.sends(10, buy(AAA, 1, 10_000)) for _ in range(6)] == [True] * 5 + [False]
    assert not agent.sends(14, buy(AAA, 1, 10_000))  # 24 / 5 bars have not passed
    assert agent.sends(15, buy(AAA, 1, 10_000))
    assert not agent.sends(19, buy(AAA, 1, 10_000))
    assert agent.sends(20, buy(AAA, 1, 10_000))  # 10 bars bring two, one of them is used
    verdict = agent.ask(20, buy(AAA, 1, 10_000))
    assert [f.text for f in verdict.broken] == [
        "repeated_execution_throttle is broken: 1 order in one instrument and side against "
        "0 orders in one instrument and side left of 5 orders in one instrument and side in "
        "24 bars (sent, whether or not it fills)"
    ]


def test_another_instrument_and_the_other_side_have_allowances_of_their_own() -> None:
    agent = Sender(repeated_execution_throttle(times=1, bars=9))
    assert agent.sends(3, buy(AAA, 1, 10_000))
    assert not agent.sends(3, buy(AAA, 1, 10_000))
    assert agent.sends(3, sell(AAA, 1, 9_000))
    assert agent.sends(3, buy(BBB, 10, 5_000))
    assert not agent.sends(3, sell(BBB, 10, 4_000), buy(AAA, 1, 10_000))
    assert agent.sends(3, sell(BBB, 10, 4_000))


# -- messages -------------------------------------------------------------------------------------


def test_every_order_is_a_message_and_one_that_waits_is_two() -> None:
    legs = (buy(AAA, 1, 10_000), sell(BBB, 10, 4_000))
    for ordered, most in ((False, 2), (True, 3)):
        assert Sender(message_throttle(orders=most, bars=5)).sends(1, *legs, ordered=ordered)
        few = Sender(message_throttle(orders=most - 1, bars=5))
        assert not few.sends(1, *legs, ordered=ordered)


def test_a_transfer_is_a_message() -> None:
    transfer = Transfer(1, "sim", "elsewhere")
    mandate = make_mandate("60%", message_throttle(orders=2, bars=5))
    two = Proposal((buy(AAA, 1, 10_000),), transfers=(transfer,))
    three = Proposal((buy(AAA, 1, 10_000),), transfers=(transfer, transfer))
    assert limits_hold(mandate, START, two)
    assert not limits_hold(mandate, START, three)
    later = replace(START, activity=activity_after(mandate, START, two))
    assert not limits_hold(mandate, later, Proposal(transfers=(transfer,)))
    assert limits_hold(mandate, replace(later, bar=START.bar + 3), Proposal(transfers=(transfer,)))


def test_messages_of_all_instruments_are_one_allowance() -> None:
    agent = Sender(message_throttle(orders=3, bars=6))
    assert agent.sends(0, buy(AAA, 1, 10_000))
    assert agent.sends(0, sell(BBB, 10, 4_000), buy(AAA, 1, 10_000))
    assert not agent.sends(1, sell(AAA, 1, 9_000))
    assert agent.sends(2, sell(AAA, 1, 9_000))


# -- turnover -------------------------------------------------------------------------------------


def test_turnover_is_a_share_of_nav_at_the_limit_or_the_market_whichever_is_higher() -> None:
    nav = 100 * UNIT
    for limit, most in ((10_000, 50), (9_000, 50), (12_500, 40)):
        for trade, expected in ((most, True), (most + 1, False)):
            agent = Sender(turnover_throttle("50%", bars=10), nav=nav)
            situation = agent.situation(4)
            proposal = Proposal((buy(AAA, trade, limit),))
            assert limits_hold(agent.mandate, situation, proposal) is expected
    selling = Sender(turnover_throttle("50%", bars=10), nav=nav)
    assert limits_hold(selling.mandate, selling.situation(4), Proposal((sell(AAA, 50, 1),)))
    assert not limits_hold(selling.mandate, selling.situation(4), Proposal((sell(AAA, 51, 1),)))


def test_what_goes_out_and_comes_back_counts_twice() -> None:
    agent = Sender(turnover_throttle(f"{30 * UNIT // DOLLAR} USD", bars=10))
    assert agent.sends(1, buy(AAA, 10, 10_000))
    assert agent.sends(1, sell(AAA, 10, 10_000))
    assert agent.sends(1, buy(AAA, 10, 10_000))
    assert not agent.sends(1, sell(AAA, 1, 10_000))
    assert agent.sends(2, sell(AAA, 3, 10_000))
    assert not agent.sends(2, sell(AAA, 1, 10_000))


def test_what_is_too_much_is_cut_to_what_is_left_and_that_is_what_counts() -> None:
    agent = Sender(turnover_throttle(f"{100 * UNIT // DOLLAR} USD", bars=10))
    assert agent.sends(1, buy(AAA, 60, 10_000))
    verdict = agent.ask(1, buy(AAA, 80, 10_000))
    assert verdict.outcome is Outcome.REPAIRED
    (kept,) = verdict.proposal.legs
    assert 39 <= kept.quantity <= 40
    assert agent.sends(2, buy(AAA, 10 + 40 - kept.quantity, 10_000))
    assert not agent.sends(2, buy(AAA, 1, 10_000))


def test_the_allowance_follows_nav_and_a_fall_leaves_it_overdrawn() -> None:
    rail = turnover_throttle("50%", bars=10)
    agent = Sender(rail, nav=100 * UNIT)
    situation = agent.situation(1)
    activity = activity_after(agent.mandate, situation, Proposal((buy(AAA, 50, 10_000),)))

    def room(nav: int, bar: int) -> int:
        seen = replace(situation, nav=nav, bar=bar, activity=activity)
        most = 0
        while limits_hold(agent.mandate, seen, Proposal((buy(AAA, most + 1, 10_000),))):
            most += 1
        return most

    assert [room(100 * UNIT, bar) for bar in (1, 2, 6, 11, 99)] == [0, 5, 25, 50, 50]
    assert [room(40 * UNIT, bar) for bar in (1, 11, 16, 21, 26, 99)] == [0, 0, 0, 10, 20, 20]
    assert room(-5 * UNIT, 99) == 0


# -- all of them ----------------------------------------------------------------------------------

RAILS = (
    turnover_throttle(f"{60 * UNIT // DOLLAR} USD", bars=7),
    message_throttle(orders=9, bars=11),
    repeated_execution_throttle(times=4, bars=13),
)
TRADES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.lists(
            st.tuples(st.sampled_from([AAA, BBB]), st.sampled_from(list(Side)), st.integers(1, 40)),
            min_size=1,
            max_size=2,
            unique_by=lambda trade: trade[0].symbol,
        ),
        st.booleans(),
    ),
    max_size=20,
)


@settings(deadline=None)
@given(TRADES)
def test_whatever_is_sent_stays_within_each_allowance_over_every_stretch_of_bars(
    trades: Sequence[tuple[int, list, bool]],
) -> None:
    mandate, activity, bar = make_mandate("60%", *RAILS), NOTHING_SENT, 0
    sent: list[tuple[int, Proposal]] = []
    for passed, wanted, ordered in trades:
        bar += passed
        legs = tuple(Leg(i, side, lots * i.lot, PRICES[i.symbol]) for i, side, lots in wanted)
        proposal = Proposal(legs, ordered)
        situation = replace(START, bar=bar, activity=activity)
        if limits_hold(mandate, situation, proposal):
            activity = activity_after(mandate, situation, proposal)
            sent.append((bar, proposal))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            stretch = [proposal for _, proposal in sent[first : last + 1]]
            passed = sent[last][0] - sent[first][0]
            for used, size, bars in measured(stretch):
                assert used <= size + Fraction(size * passed, bars)


def measured(stretch: Sequence[Proposal]) -> list[tuple[int, int, int]]:
    """What the proposals came to, in a second way, with size and bars of each allowance."""
    legs = [leg for proposal in stretch for leg in proposal.legs]
    value = sum(g.quantity * PRICES[g.instrument.symbol] * g.instrument.multiplier for g in legs)
    messages = sum(len(p.legs) * (2 if p.ordered else 1) - p.ordered for p in stretch)
    times = [
        sum((g.instrument, g.side) == (i, side) for g in legs) for i in (AAA, BBB) for side in Side
    ]
    return [(value, 60 * UNIT, 7), (messages, 9, 11), *((n, 4, 13) for n in times)]


def test_a_mandate_without_throttles_remembers_nothing() -> None:
    agent = Sender()
    assert agent.sends(1, buy(AAA, 1, 10_000))
    assert agent.activity == Activity()


def test_a_look_is_never_throttled() -> None:
    agent = Sender(*RAILS)
    while agent.sends(5, buy(AAA, 20, 10_000)):
        pass
    guard = Guard(agent.mandate)
    assert guard.look(agent.situation(5)) is not None
    assert guard.passes(agent.situation(5))
