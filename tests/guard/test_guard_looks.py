"""Looks over margined books: reuse of certificates, and a finder that lies about any obligation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from guard_margin_simulation import PRICES, Case, history, random_case

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.certificate import SHIFT, Leaf
from agent_fund.guard.kernel.form import SCALE, KernelError
from agent_fund.guard.machine import is_safe
from agent_fund.guard.obligations import obligations
from agent_fund.guard.proof import Proof, proved_bounds
from agent_fund.guard.reduction import reduction
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.search.program import Optimum
from agent_fund.guard.search.relaxation import Box, FloatForm
from agent_fund.guard.verdict import Certified, Outcome, Situation
from agent_fund.guard.wayout import closing

ONE = 1 << SHIFT
HOLD = Proposal()


def seen_at(book: Book, prices: Mapping[str, int]) -> Situation | None:
    nav = book.nav(prices)
    room = dict.fromkeys(prices, 10**15)
    return Situation(book, prices, nav, nav, 7, room) if nav > 0 else None


def require_sound(
    mandate: ResolvedMandate, case: Case, proposal: Proposal, certified: Certified, rng: Random
) -> None:
    """What was accepted is what its written proof proves, is Safe, and holds in histories."""
    proof = Proof.decode(json.loads(certified.proof.encode()))
    proved = proved_bounds(mandate, case.book, proposal, certified.band, proof)
    assert proved == certified.bounds
    assert proved.shortfall == 0
    band = {s: certified.band.get(s, (p, p)) for s, p in PRICES.items()}
    sent = replace(case, mandate=mandate, proposal=proposal, band=band)
    for _ in range(4):
        nav: Fraction | None = None
        for fund in history(sent, rng):
            nav = fund.nav() if nav is None else nav
            assert nav - Fraction(proved.loss, SCALE) - proved.costs <= fund.nav()
            assert fund.nav() <= nav + Fraction(proved.gain, SCALE)
            for account in fund.accounts():
                assert fund.missing(account) <= 0


def moved(rng: Random, case: Case, percent: int) -> tuple[Case, dict[str, int]]:
    """The same positions some bars later: other prices, and a little funding paid or received."""
    prices = {s: p * rng.randrange(100 - percent, 101 + percent) // 100 for s, p in PRICES.items()}
    change = rng.randrange(-(10**6), 10**6)
    places = {**case.book.places, "perp": case.book.places["perp"] + change}
    return replace(
        case, book=replace(case.book, cash=case.book.cash + change, places=places)
    ), prices


@pytest.mark.parametrize("seed", range(6))
def test_a_look_that_reuses_certificates_accepts_only_what_they_prove(seed: int) -> None:
    rng = Random(4_000 + seed)
    reused = refused = 0
    for _ in range(25):
        case = random_case(rng)
        if rng.random() < 0.7:
            case = replace(case, book=replace(case.book, open_orders=()))
        mandate = replace(case.mandate, band=Fraction(1, 100))
        guard = Guard(mandate)
        for _ in range(4):
            later, prices = moved(rng, case, 3)
            situation = seen_at(later.book, prices)
            if situation is None:
                continue
            every = obligations(
                mandate, later.book, HOLD, {s: (prices[s], prices[s]) for s in prices}
            )
            limit = mandate.drawdown.limit
            warm, fresh = guard.look(situation), Guard(mandate).look(situation)
            assert every
            if fresh is not None:
                assert warm is not None
            for certified in filter(None, (warm, fresh)):
                assert is_safe(limit, situation.nav, situation.mark, certified.bounds)
                for symbol, (low, high) in certified.band.items():
                    assert low <= prices[symbol] <= high
                proof = Proof.decode(json.loads(certified.proof.encode()))
                proved = proved_bounds(mandate, later.book, HOLD, certified.band, proof)
                assert proved == certified.bounds
            refused += warm is None
            reused += warm is not None and fresh is not None and warm.proof != fresh.proof
    assert reused > 2
    assert refused > 2


@pytest.mark.parametrize("seed", range(4))
def test_no_history_liquidates_a_book_that_a_reusing_look_found_safe(seed: int) -> None:
    rng = Random(5_000 + seed)
    for _ in range(25):
        case = random_case(rng)
        guard = Guard(case.mandate)
        situation = seen_at(case.book, PRICES)
        if situation is None:
            continue
        for look in range(2):
            certified = guard.look(situation)
            if certified is not None and look:
                require_sound(case.mandate, case, HOLD, certified, rng)


def test_a_look_solves_no_program_while_its_certificates_are_good_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = Random(6)
    found = 0
    while found < 5:
        case = random_case(rng)
        situation = seen_at(case.book, PRICES)
        guard = Guard(case.mandate)
        if situation is None or guard.look(situation) is None:
            continue
        found += 1

        def solve(self: Finder, form: FloatForm, box: Box) -> Optimum:
            raise AssertionError("a program was solved")

        with monkeypatch.context() as patch:
            patch.setattr(Finder, "_relax", solve)
            assert guard.look(situation) is not None


def lie(patch: pytest.MonkeyPatch, rng: Random) -> None:
    """Leaves, and whole results of searching, are as false as they can be written."""
    honest = Finder._leaf
    numbers: list[Any] = [0, 1, -1, ONE, -ONE, 10**30, -(10**30), 0.5, None, True]

    def leaf(self: Finder, form: FloatForm, relaxed: Optimum) -> Leaf:
        found = honest(self, form, relaxed)
        how = rng.randrange(6)
        if how == 0:
            weights = tuple((row, rng.choice(numbers)) for row, _ in found.multipliers)
            return Leaf(found.tangents, weights)
        if how == 1:
            return Leaf(tuple(rng.choice(numbers) for _ in found.tangents), ())
        if how == 2:
            duals = tuple((row, rng.choice([1, ONE, 5 * ONE])) for row, _ in found.multipliers)
            return Leaf(found.tangents, duals)
        return found

    patch.setattr(Finder, "_leaf", leaf)


@pytest.mark.parametrize("seed", range(6))
def test_no_lie_about_an_obligation_admits_what_a_history_refutes(seed: int) -> None:
    rng = Random(6_000 + seed)
    accepted = 0
    for _ in range(30):
        case = random_case(rng)
        case = replace(case, proposal=replace(case.proposal, transfers=()))
        situation = seen_at(case.book, PRICES)
        if situation is None:
            continue
        guard = Guard(case.mandate)
        with pytest.MonkeyPatch.context() as patch:
            lie(patch, rng)
            verdict = guard.judge(case.proposal, situation)
            looks: list[Certified | None] = []
            for _ in range(2):
                looks.append(guard.look(situation))
        if verdict.outcome is not Outcome.REFUSED:
            assert verdict.certified is not None
            accepted += 1
            require_sound(case.mandate, case, verdict.proposal, verdict.certified, rng)
        for certified in filter(None, looks):
            require_sound(case.mandate, case, HOLD, certified, rng)
    assert accepted > 1


def test_a_certificate_that_no_longer_fits_is_a_look_without_reuse() -> None:
    rng = Random(8)
    while True:
        case = random_case(rng)
        situation = seen_at(case.book, PRICES)
        guard = Guard(case.mandate)
        if situation is not None and guard.look(situation) is not None:
            break

    known = guard._certifier._known
    for shape, proof in known.items():
        known[shape] = Proof(tuple(Leaf((7,), ((99, 1),)) for _ in proof.certificates))
    assert guard.look(situation) is not None


@pytest.mark.parametrize("seed", range(3))
def test_a_missing_certificate_or_one_too_many_proves_nothing(seed: int) -> None:
    rng = Random(7_000 + seed)
    tried = 0
    while tried < 10:
        case = random_case(rng)
        situation = seen_at(case.book, PRICES)
        certified = Guard(case.mandate).look(situation) if situation is not None else None
        if certified is None or len(certified.proof.certificates) < 2:
            continue
        tried += 1
        trees = certified.proof.certificates
        for changed in (trees[:-1], trees[1:], (*trees, trees[0]), ()):
            with pytest.raises(KernelError):
                proved_bounds(case.mandate, case.book, HOLD, certified.band, Proof(tuple(changed)))


@pytest.mark.parametrize("seed", range(4))
def test_a_reduction_leaves_a_margined_book_that_is_safe(seed: int) -> None:
    rng = Random(8_000 + seed)
    reduced = 0
    while reduced < 6:
        case = random_case(rng)
        book = replace(case.book, open_orders=())
        situation = seen_at(book, PRICES)
        guard = Guard(case.mandate)
        if situation is None or guard.look(situation) is not None:
            continue
        if guard.look(replace(situation, book=flat(book, case))) is None:
            continue  # not even flat is it Safe: nothing to reduce to
        reduced += 1
        part = reduction(guard, situation)
        assert 0 < part <= 1
        after, paid = book, 0
        for leg in closing(case.mandate, situation, part, PRICES).legs:
            item, size = leg.instrument, leg.side.sign * leg.quantity
            worth = item.notional(size, PRICES[item.symbol])
            cost = case.mandate.costs.exit(abs(worth))
            places = {**after.places, item.account: after.places[item.account] - worth - cost}
            held = {**after.positions, item.symbol: after.positions[item.symbol] + size}
            after = replace(after, cash=after.cash - worth - cost, positions=held, places=places)
            paid += cost
        assert (
            sum(after.places.values()) + sum(t.transfer.amount for t in after.transit) == after.cash
        )
        left = replace(situation, book=after, nav=situation.nav - paid)
        assert guard.look(left) is not None


def flat(book: Book, case: Case) -> Book:
    """``book`` sold at its prices, what that costs paid."""
    places = dict(book.places)
    for symbol, quantity in book.positions.items():
        worth = book.instruments[symbol].notional(quantity, PRICES[symbol])
        places[book.instruments[symbol].account] += worth - case.mandate.costs.exit(abs(worth))
    under_way = sum(t.transfer.amount for t in book.transit)
    return replace(book, cash=sum(places.values()) + under_way, positions={}, places=places)
