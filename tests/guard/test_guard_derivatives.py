"""Books with options, futures and pool shares: no simulated history leaves what was proved."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from guard_derivative_simulation import DRIVERS, Case, history, random_case
from guard_reference import form_value

from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.cases import cases
from agent_fund.guard.compile import gain_form, loss_form
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import Role, obligations
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.proof import Proof, proved_bounds
from agent_fund.guard.search.finder import Finder

SEEDS = range(16)
CASES = 40
PATHS = 6
FLOATS = Fraction(1, 10**9)
"""What the simulation's floats may be off by, as a share of all that it trades."""


def gross(case: Case) -> Fraction:
    tops = {s: high for s, (_, high) in case.band.items()}
    every = cases(case.book, case.proposal)
    return Fraction(
        sum(
            case.book.exposure(s, max(c.largest(s) for c in every), tops)
            for s in case.book.instruments
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_no_history_leaves_the_forms_in_its_own_scenario(seed: int) -> None:
    rng = Random(seed)
    for number in range(CASES):
        case = random_case(rng)
        every = cases(case.book, case.proposal)
        losses = [loss_form(c, case.stress, case.band, case.book) for c in every]
        gains = [gain_form(c, case.stress, case.band, case.book) for c in every]
        off = gross(case) * FLOATS
        for _ in range(PATHS):
            nav: Fraction | None = None
            for fund in history(case, rng):
                now = fund.nav()
                nav = now if nav is None else nav
                moves = [fund.moves[s] for s in DRIVERS]
                loss = max(form_value(form, moves) for form in losses) / SCALE
                gain = max(form_value(form, moves) for form in gains) / SCALE
                assert nav - loss - off <= now <= nav + gain + off, number


def certify(case: Case) -> Bounds:
    """The tightest bounds that are found, as the kernel proves them."""
    finder = Finder(case.stress.kernel)
    trees = []
    for obligation in obligations(case.mandate, case.book, case.proposal, case.band):
        target = 0 if obligation.role is Role.MARGIN else None
        trees.append(finder.bound(obligation.form, target).certificate)
    return proved_bounds(case.mandate, case.book, case.proposal, case.band, Proof(tuple(trees)))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_history_leaves_what_the_kernel_proves_or_falls_below_maintenance(seed: int) -> None:
    rng = Random(100 + seed)
    safe = 0
    for number in range(CASES // 2):
        case = random_case(rng)
        bounds = certify(case)
        off = gross(case) * FLOATS
        owing = any(case.book.instruments[s].margin for s in case.book.positions)
        safe += bool(owing) and not bounds.shortfall
        for _ in range(PATHS):
            nav: Fraction | None = None
            for fund in history(case, rng):
                now = fund.nav() - fund.spent
                nav = now if nav is None else nav
                assert now - fund.closing_cost() >= nav - bounds.costs - off - Fraction(
                    bounds.loss, SCALE
                ), number
                assert now <= nav + Fraction(bounds.gain, SCALE) + off, number
                if not bounds.shortfall:
                    assert fund.missing("deriv") <= off, number
    assert safe >= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_where_nothing_moves_a_held_book_is_never_sure_to_win_or_to_lose(seed: int) -> None:
    rng = Random(200 + seed)
    for _ in range(CASES):
        drawn = random_case(rng)
        book = replace(drawn.book, open_orders=())
        (case,) = cases(book, Proposal())
        still = (0,) * len(DRIVERS)
        assert loss_form(case, drawn.stress, drawn.band, book).at(still) >= 0
        assert gain_form(case, drawn.stress, drawn.band, book).at(still) >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leg_is_worth_its_envelope_and_no_more(seed: int) -> None:
    """Wholly filled, its effect with its sign; while it may fill, the worse of that and nothing."""
    rng = Random(300 + seed)
    checked = 0
    while checked < 10:
        case = random_case(rng)
        plain = replace(case.book, positions={}, open_orders=())
        legs = case.proposal.legs
        found = [g for g in legs if envelope(g.instrument, case.stress, case.band, plain)]
        if len(legs) != 2 or found[:1] != [legs[0]]:
            continue
        checked += 1
        leg = legs[0]
        curve = envelope(leg.instrument, case.stress, case.band, plain)
        assert curve is not None
        size = leg.quantity * leg.instrument.multiplier
        open_, whole = cases(plain, Proposal(legs, ordered=True))
        low, high = curve.lower.low, curve.lower.high
        for x in {low, low // 2, 0, high // 3, high}:
            paid = leg.limit * SCALE
            if leg.side is Side.BUY:
                loss, best = paid - curve.lower.at(x), curve.upper.at(x) - curve.lower.least
            else:
                loss, best = curve.upper.at(x) - paid, curve.upper.most - curve.lower.at(x)
            on = leg.instrument.moves_with
            moves = [x if s == on else 0 for s in DRIVERS]
            # The second leg is an option that is left out: only the first is compared.
            alone = replace(whole, options=())
            first = replace(open_, options=open_.options[:1])
            slack = SCALE * 3
            for form, exact in (
                (loss_form(alone, case.stress, case.band, plain), loss * size),
                (loss_form(first, case.stress, case.band, plain), max(0, loss) * size),
                (gain_form(first, case.stress, case.band, plain), max(0, best) * size),
            ):
                assert exact <= form.at(moves) <= exact + slack + abs(high - low) + size
