"""The guard itself, in the design's decision order: exact limits, certificates, repair, refusal.

Pre-trade limits are judged first, in exact integers over every way the orders may fill. Then the
finder looks for certificates and the kernel says what they prove. What fails is repaired, to its
largest share or to the nearest trade, and judged again as the exact integers that will be sent.
What cannot be certified is refused, with the reason computed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Proposal
from agent_fund.guard.clauses import checked_demands, demanded, demands_of, facts_of
from agent_fund.guard.compile import Band, Case, TooManyCasesError, cases
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import fixed_floor, margin_safety, max_drawdown
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.form import SCALE, KernelError
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.limits import ALWAYS, always, life, pre_trade
from agent_fund.guard.machine import Bounds, is_safe
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.obligations import Obligation, Role, obligations
from agent_fund.guard.proof import Proof, bounds_of, checked, trading_of, worst_of
from agent_fund.guard.repair.nearest import nearest
from agent_fund.guard.repair.scaled import STEPS, bisected, scale
from agent_fund.guard.repair.share import largest_share
from agent_fund.guard.repair.trial import FAULTS, Trials
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.stress_set import percent
from agent_fund.guard.verdict import Certified, Outcome, Situation, Verdict

HOLD = Proposal()

Shape = tuple[tuple[Role, str, int], ...]
"""Role, subject and number of hinges of each obligation of a book."""


Scenario = tuple[Fraction, ...]
"""An exact move of every driver."""


class Answer(NamedTuple):
    """What a search came to: a certificate, or None; the worst scenario in words, on demand."""

    certified: Certified | None
    words: Callable[[], str]


class Guard:
    """Judges proposals and looks at held books, under one resolved mandate.

    Attributes:
        watchful: whether a limit is marked ``always``, so that every look has to ask ``holds``.
    """

    def __init__(self, mandate: ResolvedMandate) -> None:
        self.mandate = mandate
        self._finder = Finder(mandate.stress.kernel)
        # The certificates found last for obligations of one shape; a look may reuse them.
        self._known: dict[Shape, Proof] = {}
        # What was compiled last; the search for a repair begins with it.
        self._last: tuple[Proposal, Situation, Sequence[Obligation]] | None = None
        ready_made = any(g.always and g.kind in ALWAYS for g in mandate.guardrails)
        self.watchful = ready_made or any(clause.always for clause in mandate.clauses)

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The verdict on ``proposal``; what cannot be judged is refused, and nothing raises."""
        try:
            _require_known(proposal, situation.book)
            return self._judge(proposal, situation)
        except (DomainError, ArithmeticError, LookupError) as error:
            words = ("a fund and a trade that can be judged", str(error), "nothing was proved")
            finding = Finding("judgement", False, *words)
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), (finding,), (finding,), None)

    def _judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        findings, certified = self._try(proposal, situation)
        broken = tuple(f for f in findings if not f.holds)
        if certified is not None:
            return Verdict(Outcome.ADMITTED, proposal, Fraction(1), findings, (), certified)
        if not proposal.legs:
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), findings, broken, None)
        for kept, theta, known in self._repairs(proposal, situation):
            found, certified = self._try(kept, situation, known=known)
            if certified is not None:
                asked = proposal if self.mandate.repair.nearest else None
                return Verdict(Outcome.REPAIRED, kept, theta, found, broken, certified, asked)
        return Verdict(Outcome.REFUSED, HOLD, Fraction(0), findings, broken, None)

    def _repairs(
        self, proposal: Proposal, situation: Situation
    ) -> Iterator[tuple[Proposal, Fraction, Proof | None]]:
        """What may be sent instead, as far as trials can tell, the share that it keeps, a proof.

        Should the guard not certify that, a plain bisection by its own judgement follows.
        """

        def demanded(kept: Proposal) -> tuple[str, ...]:
            found, _ = self._demands(cases(situation.book, kept), situation, kept)
            return tuple(finding.guardrail for finding in found if not finding.holds)

        trials = Trials(
            self.mandate,
            situation,
            self._finder,
            lambda kept: price_band(situation.book, kept, situation.prices, Fraction(0)),
            lambda bounds: self._safe(bounds, situation),
            lambda bounds: self._loss_room(situation, bounds),
            demanded,
            self._last,
        )
        repair = self.mandate.repair

        def theta(kept: Proposal, share: int) -> Fraction:
            near = repair.nearest
            return repair.kept(proposal, kept, situation.prices) if near else Fraction(share, STEPS)

        share, trial = 0, None
        if repair.nearest:
            trial = nearest(trials, proposal)
        else:
            share, trial = largest_share(trials, proposal)
        if trial is None:
            return
        yield trial.proposal, theta(trial.proposal, share), trial.proof

        def admits(kept: Proposal) -> bool:
            return self._try(kept, situation, brief=True)[1] is not None

        if share := bisected(proposal, admits):
            kept = scale(proposal, Fraction(share, STEPS))
            yield kept, theta(kept, share), None

    def look(self, situation: Situation) -> Certified | None:
        """A certificate for the book held, over a band of prices if one is Safe; None if not Safe.

        The limits marked ``always`` must hold too, at the prices of this look and of every coming
        one that rests on the certificate; see ``holds``.
        """
        if situation.nav <= 0 or not self.holds(situation):
            return None
        return self._held(situation, self.mandate.band) or self._held(situation, Fraction(0))

    def passes(self, situation: Situation) -> bool:
        """Whether the held book would pass a look at the very prices of ``situation``."""
        return self.holds(situation) and self._held(situation, Fraction(0)) is not None

    def holds(self, situation: Situation) -> bool:
        """Whether every limit marked ``always`` holds for the book held, at these prices."""
        return all(finding.holds for finding in self._always(situation))

    def _safe(self, bounds: Bounds, situation: Situation) -> bool:
        limit = self.mandate.drawdown.limit
        return is_safe(limit, situation.nav, situation.mark, bounds, situation.floor)

    def _held(self, situation: Situation, width: Fraction) -> Certified | None:
        """A certificate of the held book over a band of ``width``, if there is one that is Safe."""
        band = price_band(situation.book, HOLD, situation.prices, width)
        certified = self._again(situation, band)
        if certified is None:
            certified = self._certify(HOLD, situation, band).certified
        safe = certified is not None and self._safe(certified.bounds, situation)
        return certified if safe else None

    def _again(self, situation: Situation, band: Band) -> Certified | None:
        """The held book's last certificates at new prices, if they are still good enough."""
        book, mandate = situation.book, self.mandate
        try:
            every = obligations(mandate, book, HOLD, band)
            known = self._known.get(_shape(every))
            if known is None:
                return None
            bounds = bounds_of(mandate, book, HOLD, band, every, known)
        except FAULTS:
            return None  # a broken finder; the search that follows says so in words
        if not self._safe(bounds, situation):
            return None
        until = situation.bar + life(situation.book)
        return Certified(known, band, bounds, until, until + mandate.stress.horizon)

    def explain(self, situation: Situation) -> Finding:
        """What of the held book is broken first, or else how it stands within the drawdown."""
        for finding in self._always(situation):
            if not finding.holds:
                return finding
        band = price_band(situation.book, HOLD, situation.prices, Fraction(0))
        drawdown, *others = self._proved(situation, self._certify(HOLD, situation, band))
        return next((finding for finding in others if not finding.holds), drawdown)

    def bounds(self, proposal: Proposal, situation: Situation) -> Bounds:
        """What can be proved of a trade at the prices of ``situation``, Safe or not.

        Raises:
            KernelError: if nothing can be.
        """
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        answer = self._certify(proposal, situation, band)
        if answer.certified is None:
            raise KernelError(answer.words())
        return answer.certified.bounds

    def _proved(self, situation: Situation, answer: Answer) -> list[Finding]:
        """What the certificates say: of the drawdown, of a floor, and of margin accounts if any."""
        mandate, nav, words = self.mandate, situation.nav, answer.words()
        bounds = None if answer.certified is None else answer.certified.bounds
        found = [max_drawdown.judge(mandate.drawdown, nav, situation.mark, bounds, words)]
        if mandate.guardrail("fixed_floor") is not None:
            currency = situation.book.currency
            found.append(fixed_floor.judge(situation.floor, nav, bounds, currency, words))
        if any(i.margin is not None for i in situation.book.instruments.values()):
            found.append(margin_safety.judge(mandate.margin_multiple, nav, bounds, words))
        return found

    def _always(self, situation: Situation) -> list[Finding]:
        every = cases(situation.book, HOLD)
        return always(self.mandate, every, situation.book, situation.prices)

    def _try(
        self,
        proposal: Proposal,
        situation: Situation,
        *,
        brief: bool = False,
        known: Proof | None = None,
    ) -> tuple[tuple[Finding, ...], Certified | None]:
        """Every guardrail's finding, and the certificate if all of them hold.

        Args:
            brief: stop at the exact limits if one of them is broken.
            known: certificates that may do where one leaf is too loose.
        """
        try:
            every = cases(situation.book, proposal)
        except TooManyCasesError as error:
            finding = Finding("cases", False, "a bounded number of ways", str(error), "any fills")
            return (finding,), None
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        findings = pre_trade(self.mandate, every, situation, proposal)
        if brief and not all(f.holds for f in findings):
            return tuple(findings), None
        answer = self._certify(proposal, situation, band, known)
        certified = answer.certified
        if brief and (certified is None or not self._safe(certified.bounds, situation)):
            return tuple(findings), None
        findings += self._proved(situation, answer)
        demanded, demands = self._demands(every, situation, proposal)
        findings += demanded
        if certified is None or not all(f.holds for f in findings):
            return tuple(findings), None
        proof = replace(certified.proof, demands=demands)
        return tuple(findings), replace(certified, proof=proof)

    def _demands(
        self, every: Sequence[Case], situation: Situation, proposal: Proposal
    ) -> tuple[list[Finding], tuple[Certificate, ...]]:
        """What the mandate's own stressed clauses say of a trade, and the certificates for it."""
        mandate, facts = self.mandate, facts_of(situation, proposal)
        if proposal.holds or not any(clause.stressed for clause in mandate.clauses):
            return [], ()
        try:
            asked = demands_of(mandate, every, facts)
            found = [self._finder.bound(demand.form, target=0) for _, demand in asked]
            certificates = tuple(one.certificate for one in found)
            bounds = checked_demands(mandate, asked, certificates)
        except FAULTS as error:
            reason = f"no proof was found: {error}"
            return demanded(mandate, (), None, facts, lambda clause, number: reason), ()

        def words(clause: Clause, number: int) -> str:
            demand = asked[number][1]
            about = Obligation(Role.LOSS, "", demand.case, demand.form)
            return self._words(about, found[number].scenario)

        return demanded(mandate, asked, bounds, facts, words), certificates

    def _certify(
        self, proposal: Proposal, situation: Situation, band: Band, known: Proof | None = None
    ) -> Answer:
        """The tightest bounds found, as the kernel proves them, and the worst scenario in words.

        A finder that fails or lies proves nothing: then there is no certificate.
        """
        mandate, book = self.mandate, situation.book
        try:
            every = obligations(mandate, book, proposal, band)
            self._last = proposal, situation, every
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
        mandate, book = self.mandate, situation.book
        trading = trading_of(mandate, book, proposal, band)
        leaves = [self._finder.leaf(obligation.form) for obligation in every]
        trees: list[Certificate] = [leaf for leaf, _ in leaves]
        scenarios: list[Callable[[], Scenario]] = [
            partial(self._finder.scenario, point) for _, point in leaves
        ]
        proved = checked(mandate, every, Proof(tuple(trees)))
        bounds = worst_of(every, proved, trading)
        if known is not None and not self._safe(bounds, situation):
            trees = list(known.certificates)
            proved = checked(mandate, every, known)
            bounds = worst_of(every, proved, trading)
        if not self._safe(bounds, situation):
            # One leaf was too loose, or the trade is bad: search for trees, the losses last.
            for roles in ((Role.GAIN, Role.MARGIN), (Role.LOSS,)):
                room = 0 if Role.GAIN in roles else self._loss_room(situation, bounds)
                for number, obligation in enumerate(every):
                    loose = obligation.form.hinges and proved[number] > room
                    if obligation.role in roles and loose:
                        found = self._finder.bound(obligation.form, target=room)
                        trees[number] = found.certificate
                        scenarios[number] = partial(self._finder.scenario, found.point)
                proved = checked(mandate, every, Proof(tuple(trees)))
                bounds = worst_of(every, proved, trading)
        until = situation.bar + (life(book) if proposal.holds else 0)
        latest = until + mandate.stress.horizon
        certified = Certified(Proof(tuple(trees)), band, bounds, until, latest)
        worst = _worst(every, proved, bounds)
        return Answer(certified, lambda: self._words(every[worst], scenarios[worst]()))

    def _loss_room(self, situation: Situation, bounds: Bounds) -> int:
        """The largest loss bound that would be Safe with the gain and costs of ``bounds``."""
        nav, kept = situation.nav * SCALE, 1 - self.mandate.drawdown.limit
        peak = max(situation.mark * SCALE, nav + bounds.gain)
        lowest = max(kept * peak, Fraction(situation.floor * SCALE))
        return max(0, int(nav - bounds.costs * SCALE - lowest))

    def _words(self, obligation: Obligation, scenario: Scenario) -> str:
        """The worst scenario as a person reads it: the moves, the venue lost, which legs fill."""
        stress, case = self.mandate.stress, obligation.case
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


def _require_known(proposal: Proposal, book: Book) -> None:
    """Every leg trades an instrument of the fund, as the fund knows it.

    Raises:
        DomainError: for another, or for one of the same name and other terms.
    """
    for leg in proposal.legs:
        if book.instruments.get(leg.instrument.symbol) != leg.instrument:
            fix = f"the fund trades: {', '.join(book.instruments)}"
            raise DomainError("instrument of a leg", leg.instrument.symbol, fix)


def price_band(book: Book, proposal: Proposal, prices: Mapping[str, int], width: Fraction) -> Band:
    """``width`` around the price of every instrument that is held or may be, or moves one that is.

    Raises:
        DomainError: for one of them without a positive integer price.
    """
    symbols = {s for s, q in book.positions.items() if q}
    symbols |= {order.instrument.symbol for order in book.open_orders}
    symbols |= {leg.instrument.symbol for leg in proposal.legs}
    symbols |= {book.instruments[s].moves_with for s in symbols if s in book.instruments}
    band = {}
    for symbol in sorted(symbols):
        if symbol not in prices:
            raise DomainError("price", symbol, "every instrument held or traded needs one")
        price = require_int(prices[symbol], f"price of {symbol}", minimum=1)
        half = int(price * width)
        band[symbol] = (price - half, price + half)
    return band
