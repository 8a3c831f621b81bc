"""Certificates for a book and a trade: found by the search, proved by the kernel, and reused.

One leaf each is tried first, and trees where leaves are too loose. A held book's last certificates
are tried at new prices before any search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from agent_fund.domain.order import Proposal
from agent_fund.guard.band import Band, price_band
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.limits import life
from agent_fund.guard.machine import Bounds, is_safe
from agent_fund.guard.obligations import Obligation, Role, obligations
from agent_fund.guard.proof import Proof, bounds_of, checked, trading_of, worst_of
from agent_fund.guard.repair.trial import FAULTS
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.stress_set import percent
from agent_fund.guard.verdict import HOLD, Certified, Situation

Shape = tuple[tuple[Role, str, int], ...]
"""Role, subject and number of hinges of each obligation of a book."""

Scenario = tuple[Fraction, ...]
"""An exact move of every driver."""


class Answer(NamedTuple):
    """What a search came to: a certificate, or None; the worst scenario in words, on demand."""

    certified: Certified | None
    words: Callable[[], str]


class Certifier:
    """Bounds what a book and a trade may lose and gain, under one resolved mandate.

    Attributes:
        finder: the untrusted search; what it finds, the kernel checks.
        last: what was compiled last; the search for a repair begins with it.
    """

    def __init__(self, mandate: ResolvedMandate) -> None:
        self._mandate = mandate
        self.finder = Finder(mandate.stress.kernel)
        self.last: tuple[Proposal, Situation, Sequence[Obligation]] | None = None
        # The certificates found last for obligations of one shape; a look may reuse them.
        self._known: dict[Shape, Proof] = {}

    def safe(self, bounds: Bounds, situation: Situation) -> bool:
        """Whether the fund stays within the drawdown, and above a floor, with these bounds."""
        limit = self._mandate.drawdown.limit
        return is_safe(limit, situation.nav, situation.mark, bounds, situation.floor)

    def held(self, situation: Situation, width: Fraction) -> Certified | None:
        """A certificate of the held book over a band of ``width``, if there is one that is Safe."""
        band = price_band(situation.book, HOLD, situation.prices, width)
        certified = self._again(situation, band)
        if certified is None:
            certified = self.certify(HOLD, situation, band).certified
        safe = certified is not None and self.safe(certified.bounds, situation)
        return certified if safe else None

    def _again(self, situation: Situation, band: Band) -> Certified | None:
        """The held book's last certificates at new prices, if they are still good enough."""
        book, mandate = situation.book, self._mandate
        try:
            every = obligations(mandate, book, HOLD, band)
            known = self._known.get(_shape(every))
            if known is None:
                return None
            bounds = bounds_of(mandate, book, HOLD, band, every, known)
        except FAULTS:
            return None  # a broken finder; the search that follows says so in words
        if not self.safe(bounds, situation):
            return None
        until = situation.bar + life(situation.book)
        return Certified(known, band, bounds, until, until + mandate.stress.horizon)

    def certify(
        self, proposal: Proposal, situation: Situation, band: Band, known: Proof | None = None
    ) -> Answer:
        """The tightest bounds found, as the kernel proves them, and the worst scenario in words.

        A finder that fails or lies proves nothing: then there is no certificate.
        """
        mandate, book = self._mandate, situation.book
        try:
            every = obligations(mandate, book, proposal, band)
            self.last = proposal, situation, every
            answer = self._search(every, proposal, situation, band, known)
        except FAULTS as error:
            reason = f"no proof was found: {error}"
            return Answer(None, lambda: reason)
        if proposal.holds and answer.certified is not None:
            self._known[_shape(every)] = answer.certified.proof
        return answer

    def _search(
        self,
        every: Sequence[Obligation],
        proposal: Proposal,
        situation: Situation,
        band: Band,
        known: Proof | None = None,
    ) -> Answer:
        """Certificates for all: one leaf each, or a tree if that helps; the worst case in words."""
        mandate, book = self._mandate, situation.book
        trading = trading_of(mandate, book, proposal, band)
        leaves = [self.finder.leaf(obligation.form) for obligation in every]
        trees: list[Certificate] = [leaf for leaf, _ in leaves]
        scenarios: list[Callable[[], Scenario]] = [
            partial(self.finder.scenario, point) for _, point in leaves
        ]
        proved = checked(mandate, every, Proof(tuple(trees)))
        bounds = worst_of(every, proved, trading)
        if known is not None and not self.safe(bounds, situation):
            trees = list(known.certificates)
            proved = checked(mandate, every, known)
            bounds = worst_of(every, proved, trading)
        if not self.safe(bounds, situation):
            # One leaf was too loose, or the trade is bad: search for trees, the losses last.
            for roles in ((Role.GAIN, Role.MARGIN), (Role.LOSS,)):
                room = 0 if Role.GAIN in roles else self.loss_room(situation, bounds)
                for number, obligation in enumerate(every):
                    loose = obligation.form.hinges and proved[number] > room
                    if obligation.role in roles and loose:
                        found = self.finder.bound(obligation.form, target=room)
                        trees[number] = found.certificate
                        scenarios[number] = partial(self.finder.scenario, found.point)
                proved = checked(mandate, every, Proof(tuple(trees)))
                bounds = worst_of(every, proved, trading)
        until = situation.bar + (life(book) if proposal.holds else 0)
        latest = until + mandate.stress.horizon
        certified = Certified(Proof(tuple(trees)), band, bounds, until, latest)
        worst = _worst(every, proved, bounds)
        return Answer(certified, lambda: self.words(every[worst], scenarios[worst]()))

    def loss_room(self, situation: Situation, bounds: Bounds) -> int:
        """The largest loss bound that would be Safe with the gain and costs of ``bounds``."""
        nav, kept = situation.nav * SCALE, 1 - self._mandate.drawdown.limit
        peak = max(situation.mark * SCALE, nav + bounds.gain)
        lowest = max(kept * peak, Fraction(situation.floor * SCALE))
        return max(0, int(nav - bounds.costs * SCALE - lowest))

    def words(self, obligation: Obligation, scenario: Scenario) -> str:
        """The worst scenario as a person reads it: the moves, the venue lost, which legs fill."""
        stress, case = self._mandate.stress, obligation.case
        moves = [
            f"{symbol} {percent(scenario[stress.driver(symbol)])}" for symbol in stress.instruments
        ]
        if obligation.about:
            lost = obligation.role is not Role.MARGIN
            moves.append(f"{obligation.about} lost" if lost else f"margin at {obligation.about}")
        filled = [
            f"{leg.symbol} {'buy' if leg.quantity > 0 else 'sell'} fills"
            for leg in (*case.full, *case.options)
        ]
        return ", ".join([*moves, *filled])


def _worst(every: Sequence[Obligation], proved: Sequence[int], bounds: Bounds) -> int:
    """The obligation to tell of: the margin account that falls short, or the largest loss."""
    role = Role.MARGIN if bounds.shortfall else Role.LOSS
    numbers = (number for number, obligation in enumerate(every) if obligation.role is role)
    return max(numbers, key=proved.__getitem__)


def _shape(every: Sequence[Obligation]) -> Shape:
    return tuple((o.role, o.about, len(o.form.hinges)) for o in every)
