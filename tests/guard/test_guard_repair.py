"""Repairs: they certify, only take away, and are as near as an exhaustive search finds."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from guard_repairs import (
    OPTION,
    SPOTS,
    Repairing,
    every_repair,
    instruments,
    repairing,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.instrument_allow_list import instrument_allow_list
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.certificate import ONE, Leaf
from agent_fund.guard.kernel.form import Form, KernelError
from agent_fund.guard.machine import is_safe
from agent_fund.guard.mandate import Mandate, calibrated, costs
from agent_fund.guard.proof import proved_bounds
from agent_fund.guard.repair.distance import BY_SCALE, Repair, departure, nearest
from agent_fund.guard.repair.scaled import STEPS, bisected, of_lots, scale
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Outcome, Verdict

SEEDS = st.integers(0, 2**32)
NEAREST = nearest()


def judged(case: Repairing, repair: Repair) -> Verdict:
    return case.guard(repair).judge(case.proposal, case.situation)


def kept(case: Repairing, verdict: Verdict) -> Fraction:
    """The share of the proposal that a verdict leaves, by the distance without weights."""
    return NEAREST.kept(case.proposal, verdict.proposal, case.situation.prices)


def certifies(case: Repairing, trade: Proposal) -> bool:
    return case.guard(BY_SCALE).judge(trade, case.situation).outcome is Outcome.ADMITTED


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 6), st.booleans(), st.sampled_from([BY_SCALE, NEAREST]))
def test_a_repair_certifies_and_only_takes_away(
    seed: int, legs: int, option: bool, repair: Repair
) -> None:
    case = repairing(seed, legs=legs, option=option)
    verdict = judged(case, repair)
    if verdict.outcome is not Outcome.REPAIRED:
        assert (verdict.certified is None) == (verdict.outcome is Outcome.REFUSED)
        return
    assert departure(case.proposal, verdict.proposal) is None
    assert 0 < verdict.theta < 1
    assert certifies(case, verdict.proposal)
    certified = verdict.certified
    assert certified is not None
    bounds = proved_bounds(
        case.mandate, case.situation.book, verdict.proposal, certified.band, certified.proof
    )
    assert bounds == certified.bounds
    situation = case.situation
    assert is_safe(case.mandate.drawdown.limit, situation.nav, situation.mark, bounds)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 6), st.booleans())
def test_the_nearest_trade_is_never_further_than_the_largest_share(
    seed: int, legs: int, option: bool
) -> None:
    case = repairing(seed, legs=legs, option=option)
    scaled, near = judged(case, BY_SCALE), judged(case, NEAREST)
    assert kept(case, near) >= kept(case, scaled)
    if near.outcome is Outcome.REPAIRED:
        assert near.theta == kept(case, near)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(1, 5))
def test_the_largest_share_is_the_one_that_plain_bisection_finds(seed: int, legs: int) -> None:
    case = repairing(seed, legs=legs)
    verdict = judged(case, BY_SCALE)
    if verdict.outcome is Outcome.ADMITTED:
        return
    plain = bisected(case.proposal, lambda trade: certifies(case, trade))
    assert verdict.theta == Fraction(plain, STEPS)
    if plain:
        assert verdict.proposal == scale(case.proposal, verdict.theta)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("legs", "most"), [(2, 14), (3, 6)])
def test_the_nearest_trade_is_within_a_lot_of_the_best_of_all(
    seed: int, legs: int, most: int
) -> None:
    case = repairing(seed, legs=legs, most=most)
    prices = case.situation.prices
    verdict = judged(case, NEAREST)
    if verdict.outcome is Outcome.ADMITTED:
        return
    guard = case.guard(NEAREST)
    best = max(
        (
            NEAREST.kept(case.proposal, trade, prices)
            for trade in every_repair(case.proposal)
            if guard.judge(trade, case.situation).outcome is Outcome.ADMITTED
        ),
        default=Fraction(0),
    )
    lots = of_lots(case.proposal, [1] * legs)
    lot = max(NEAREST.value(leg, prices) for leg in lots.legs)
    whole = sum(NEAREST.value(leg, prices) for leg in case.proposal.legs)
    assert best - lot / whole <= kept(case, verdict) <= best


def test_most_proposals_keep_far_more_of_themselves_by_the_nearest_trade() -> None:
    shares = [
        [kept(case, judged(case, repair)) for repair in (BY_SCALE, NEAREST)]
        for case in (repairing(seed, legs=4) for seed in range(20))
    ]
    scaled, near = (sum(column) for column in zip(*shares, strict=True))
    assert near > scaled * Fraction(11, 10)


@settings(deadline=None, max_examples=25)
@given(SEEDS, st.sampled_from([BY_SCALE, NEAREST]))
def test_the_same_repair_twice_to_the_last_byte(seed: int, repair: Repair) -> None:
    case = repairing(seed, legs=3)
    first, second = (judged(case, repair) for _ in range(2))
    assert first == second
    if first.certified is not None and second.certified is not None:
        assert first.certified.proof.encode() == second.certified.proof.encode()


# -- what a repair may not do -----------------------------------------------------------------

KNOWN = instruments(10)
BUY = Leg(KNOWN["S0"], Side.BUY, 1_000, 10_000)
SELL = Leg(KNOWN["P0"], Side.SELL, 1_000, 9_990)
OTHER = Leg(KNOWN["S1"], Side.BUY, 1_000, 10_000)
PAIR = Proposal((BUY, SELL))
QUEUE = Proposal((BUY, SELL), ordered=True)


def of(*legs: Leg, ordered: bool = False) -> Proposal:
    return Proposal(legs, ordered)


@pytest.mark.parametrize(
    ("asked", "trade", "why"),
    [
        (PAIR, of(replace(BUY, quantity=1_010)), "more of S0"),
        (PAIR, of(replace(BUY, side=Side.SELL)), "another side"),
        (PAIR, of(replace(BUY, limit=9_999)), "another side, limit"),
        (PAIR, of(BUY, OTHER), "adds no leg"),
        (PAIR, of(OTHER), "adds no leg"),
        (PAIR, of(SELL, replace(BUY, quantity=10)), "or place"),
        (PAIR, of(), "leaves something"),
        (PAIR, PAIR, "and not all"),
        (PAIR, of(BUY, ordered=True), "order of legs"),
        (QUEUE, of(replace(BUY, quantity=500), SELL, ordered=True), "P0 waits for S0"),
        (QUEUE, of(SELL, ordered=True), "P0 waits for S0"),
        (
            QUEUE,
            of(replace(BUY, quantity=500), replace(SELL, quantity=510), ordered=True),
            "P0 waits for S0",
        ),
    ],
)
def test_what_is_no_repair_is_named(asked: Proposal, trade: Proposal, why: str) -> None:
    assert why in (departure(asked, trade) or "")


@pytest.mark.parametrize(
    ("asked", "trade"),
    [
        (PAIR, of(BUY)),
        (PAIR, of(SELL)),
        (PAIR, of(replace(BUY, quantity=10), SELL)),
        (QUEUE, of(BUY, ordered=True)),
        (QUEUE, of(replace(BUY, quantity=500), replace(SELL, quantity=500), ordered=True)),
    ],
)
def test_a_share_for_every_leg_is_a_repair(asked: Proposal, trade: Proposal) -> None:
    assert departure(asked, trade) is None


@given(st.integers(1, STEPS), st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_whatever_scaling_leaves_is_a_repair_of_ordered_legs_too(
    share: int, lots: list[int]
) -> None:
    legs = [
        Leg(KNOWN[symbol], Side.BUY, 10 * number, 10_000)
        for symbol, number in zip(SPOTS, lots, strict=False)
    ]
    asked = Proposal(tuple(legs), ordered=True)
    trade = scale(asked, Fraction(share, STEPS))
    if trade.legs and trade.legs != asked.legs:
        assert departure(asked, trade) is None


@settings(deadline=None, max_examples=25)
@given(SEEDS)
def test_shares_do_not_rise_along_an_ordered_proposal(seed: int) -> None:
    case = repairing(seed, legs=3)
    ordered = replace(case, proposal=replace(case.proposal, ordered=True))
    verdict = judged(ordered, NEAREST)
    left = {leg.instrument.symbol: leg.quantity for leg in verdict.proposal.legs}
    shares = [
        Fraction(left.get(leg.instrument.symbol, 0), leg.quantity) for leg in ordered.proposal.legs
    ]
    lot = Fraction(1, min(leg.quantity for leg in ordered.proposal.legs))
    assert all(later < sooner + lot for sooner, later in itertools.pairwise(shares))


# -- single cases -----------------------------------------------------------------------------


def flat(*guardrails: Any, legs: tuple[Leg, ...], drawdown: str = "90%") -> Repairing:
    """A fund of cash that proposes ``legs``."""
    case = repairing(1, legs=1)
    book = replace(case.situation.book, positions={}, cash=10**14, places={"sim": 10**14})
    known = {symbol: KNOWN[symbol] for symbol in book.instruments}
    situation = replace(
        case.situation, book=replace(book, instruments=known), nav=10**14, mark=10**14
    )
    mandate = replace(case.mandate, guardrails=(max_drawdown(drawdown), *guardrails))
    return Repairing(mandate, situation, Proposal(legs))


HEDGED = (Leg(KNOWN["S0"], Side.BUY, 800_000, 10_000), Leg(KNOWN["P0"], Side.SELL, 800_000, 9_990))


def test_a_hedge_that_a_limit_asks_for_is_not_lost_to_a_repair() -> None:
    # With gross leverage short, what counts less in the distance goes first: the hedge.
    wanted = nearest({"S0": "10"})
    gross = gross_leverage("100%")
    bare = judged(flat(gross, legs=HEDGED), wanted)
    naked = {leg.instrument.symbol: leg.quantity for leg in bare.proposal.legs}
    assert naked["S0"] > 2 * naked.get("P0", 0)
    coverage = hedge_coverage("S0", at_least="100%", at_most="100%", legging="20%")
    verdict = judged(flat(gross, coverage, legs=HEDGED), wanted)
    assert verdict.outcome is Outcome.REPAIRED
    sizes = {leg.instrument.symbol: leg.quantity for leg in verdict.proposal.legs}
    # 20 % of a million at 100 each: 2,000 units may be uncovered, in lots of a tenth.
    assert abs(sizes["S0"] - sizes.get("P0", 0)) <= 200_000
    assert all(finding.holds for finding in verdict.findings)


def test_weights_say_which_leg_is_kept() -> None:
    legs = (
        Leg(KNOWN["S0"], Side.BUY, 600_000, 10_000),
        Leg(KNOWN["S1"], Side.BUY, 600_000, 10_000),
    )
    case = flat(gross_leverage("60%"), legs=legs)
    for symbol in ("S0", "S1"):
        verdict = judged(case, nearest({symbol: "9"}))
        sizes = {leg.instrument.symbol: leg.quantity for leg in verdict.proposal.legs}
        assert sizes[symbol] > 590_000
        assert verdict.text.startswith("repaired to ")


@pytest.mark.parametrize(("kept_one", "gone"), [("S0", "S1"), ("S1", "S0")])
@pytest.mark.parametrize("size", [1_000, 400_000])
def test_legs_that_no_size_admits_are_left_out_and_the_others_kept(
    kept_one: str, gone: str, size: int
) -> None:
    legs = {s: Leg(KNOWN[s], Side.BUY, size, 10_000) for s in ("S0", "S1")}
    case = flat(instrument_allow_list(kept_one), legs=tuple(legs.values()))
    assert judged(case, BY_SCALE).outcome is Outcome.REFUSED
    verdict = judged(case, NEAREST)
    assert verdict.proposal.legs == (legs[kept_one],)
    assert f"none of {gone}" in verdict.text
    assert f"all of {kept_one}" in verdict.text
    assert "instrument_allow_list is broken" in verdict.text
    assert verdict.theta == Fraction(1, 2)


def test_a_leg_of_which_nothing_can_be_proved_is_left_out() -> None:
    unknown = replace(KNOWN["S0"], symbol="X", base=Asset("X", 2), underlying="X")
    legs = (Leg(unknown, Side.BUY, 1_000, 10_000), Leg(KNOWN["S1"], Side.BUY, 1_000, 10_000))
    case = flat(legs=legs)
    book = replace(case.situation.book, instruments={**KNOWN, "X": unknown})
    prices = {**case.situation.prices, "X": 10_000}
    capacity = {**case.situation.capacity, "X": 10**15}
    situation = replace(case.situation, book=book, prices=prices, capacity=capacity)
    case = replace(case, situation=situation)
    assert judged(case, NEAREST).proposal.legs == legs[1:]
    ordered = replace(case, proposal=replace(case.proposal, ordered=True))
    assert judged(ordered, NEAREST).outcome is Outcome.REFUSED


@pytest.mark.parametrize("repair", [BY_SCALE, NEAREST])
@pytest.mark.parametrize("lots", [1, 3])
def test_what_vanishes_when_rounded_to_lots_is_refused(repair: Repair, lots: int) -> None:
    leg = Leg(KNOWN["S0"], Side.BUY, 10 * lots, 10_000)
    verdict = judged(flat(gross_leverage("1/1000000"), legs=(leg,)), repair)
    assert verdict.outcome is Outcome.REFUSED
    assert not verdict.proposal.legs
    assert verdict.theta == 0


@pytest.mark.parametrize("repair", [BY_SCALE, NEAREST])
def test_a_fund_that_owes_more_than_it_has_repairs_nothing(repair: Repair) -> None:
    case = flat(legs=HEDGED)
    broke = replace(case, situation=replace(case.situation, nav=-(10**10)))
    assert judged(broke, repair).outcome is Outcome.REFUSED


@pytest.mark.parametrize("repair", [BY_SCALE, NEAREST])
def test_under_a_stress_set_of_nothing_no_part_of_a_trade_is_admitted(repair: Repair) -> None:
    case = flat(legs=HEDGED)
    empty = replace(case, mandate=replace(case.mandate, stress=Stress((), (), (), 3)))
    assert judged(empty, repair).outcome is Outcome.REFUSED


@pytest.mark.parametrize("repair", [BY_SCALE, NEAREST])
def test_a_held_book_that_is_not_safe_admits_no_part_of_a_trade(repair: Repair) -> None:
    case = flat(legs=HEDGED, drawdown="30%")
    fallen = replace(case.situation, mark=case.situation.nav * 2)
    assert judged(replace(case, situation=fallen), repair).outcome is Outcome.REFUSED


def test_a_repair_by_scale_is_told_as_it_always_was() -> None:
    verdict = judged(flat(gross_leverage("60%"), legs=HEDGED), BY_SCALE)
    whole = Fraction(verdict.proposal.legs[0].quantity, HEDGED[0].quantity)
    assert abs(whole - verdict.theta) < Fraction(1, 1000)
    percent = f"{float(verdict.theta) * 100:.2f}"
    assert verdict.text.startswith(f"repaired to {percent[:2]}")
    assert "% of the proposal: " in verdict.text
    assert verdict.asked is None


# -- lies -------------------------------------------------------------------------------------

NOISE = (0.0, -1.0, 1e300, float("nan"), float("inf"), 0.3)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(1, 4), st.sampled_from([BY_SCALE, NEAREST]))
def test_no_lie_of_the_finder_yields_an_inadmissible_repair(
    seed: int, legs: int, repair: Repair
) -> None:
    case, rng = repairing(seed, legs=legs), Random(seed)
    honest = Finder.leaf

    def lying(self: Finder, form: Form) -> Any:
        leaf, point = honest(self, form)
        how = rng.randrange(8)
        if how == 0:
            raise KernelError("the solver died")
        if how == 1:
            return Leaf(leaf.tangents, ((0, ONE), (0, ONE))), point
        if how == 2:
            return Leaf(leaf.tangents, tuple((row, -y) for row, y in leaf.multipliers)), point
        if how == 3:
            return leaf, np.array([rng.choice(NOISE) for _ in point])
        if how == 4:
            return leaf, np.array([])
        if how == 5:
            return None, None
        return leaf, point

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Finder, "leaf", lying)
        try:
            verdict = judged(case, repair)
        except (TypeError, ValueError):
            return  # nothing was admitted
    if verdict.certified is None:
        assert not verdict.proposal.legs
        return
    proved = proved_bounds(
        case.mandate,
        case.situation.book,
        verdict.proposal,
        verdict.certified.band,
        verdict.certified.proof,
    )
    limit, situation = case.mandate.drawdown.limit, case.situation
    assert is_safe(limit, situation.nav, situation.mark, proved)
    assert all(finding.holds for finding in verdict.findings)
    if verdict.outcome is Outcome.REPAIRED:
        assert departure(case.proposal, verdict.proposal) is None


def test_a_trial_that_was_wrong_costs_a_bisection_and_not_safety(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = flat(gross_leverage("60%"), legs=HEDGED)
    right = judged(case, BY_SCALE)
    whole = "agent_fund.guard.engine.largest_share"

    def wrong(trials: Any, proposal: Proposal) -> Any:
        found = trials.attempt(proposal)
        return STEPS - 1, replace(found, proposal=scale(proposal, Fraction(STEPS - 1, STEPS)))

    monkeypatch.setattr(whole, wrong)
    verdict = judged(case, BY_SCALE)
    assert (verdict.proposal, verdict.theta) == (right.proposal, right.theta)


# -- what a mandate declares ------------------------------------------------------------------


def written(**changes: Any) -> Mandate:
    parts: dict[str, Any] = {
        "name": "m",
        "stress": calibrated("2"),
        "costs": costs(fee="0.1%", slippage="0.2%"),
        "guardrails": [max_drawdown("20%")],
    }
    return Mandate(**{**parts, **changes})


def test_a_mandate_says_how_it_repairs_only_if_it_is_not_by_scale() -> None:
    stress = repairing(1, legs=1).mandate.stress
    plain = written().resolve(stress, 1)
    assert written(repair="scale").resolve(stress, 1).digest == plain.digest
    assert "repair" not in plain.to_json()
    digests = {plain.digest}
    for repair in ("nearest", nearest({"S0": "2"}), nearest({"S0": "1/3", "S1": 4})):
        mandate = written(repair=repair).resolve(stress, 1)
        value = json.loads(json.dumps(mandate.to_json()))
        assert ResolvedMandate.from_json(value) == mandate
        digests.add(mandate.digest)
        for wrong in ({"method": "best", "weights": {}}, {"method": "scale", "weights": {}}):
            with pytest.raises(DomainError):
                ResolvedMandate.from_json({**value, "repair": wrong})
    assert len(digests) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: written(repair="closest"),
        lambda: written(repair=""),
        lambda: Repair("scale", {"S0": Fraction(2)}),
        lambda: nearest({"S0": "0"}),
        lambda: nearest({"S0": "-1"}),
        lambda: nearest({"S0": 0.5}),  # type: ignore[dict-item]
        lambda: nearest({"": "1"}),
        lambda: written(repair=nearest({"TYPO": "1"})).resolve(
            repairing(1, legs=1).mandate.stress, 1
        ),
    ],
)
def test_an_absurd_repair_is_refused(make: Any) -> None:
    with pytest.raises(DomainError):
        make()


def test_an_option_weighs_as_what_moves_it() -> None:
    leg = Leg(KNOWN[OPTION], Side.BUY, 100, 1_000)
    prices = {OPTION: 1_000}
    assert nearest({"S2": "3"}).value(leg, prices) == 3 * NEAREST.value(leg, prices)


def test_the_share_kept_is_of_notional_and_exact() -> None:
    prices = {"S0": 10_000, "P0": 5_000}
    half = Proposal((replace(BUY, quantity=500), SELL))
    assert NEAREST.kept(PAIR, half, prices) == Fraction(2, 3)
    assert nearest({"P0": "2"}).kept(PAIR, half, prices) == Fraction(3, 4)
    assert NEAREST.kept(PAIR, Proposal(), prices) == 0
    assert Guard(repairing(1, legs=1).mandate).mandate.repair == BY_SCALE
