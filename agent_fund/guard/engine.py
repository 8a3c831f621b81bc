"""The guard itself, in the design's decision order: exact limits, certificates, repair, refusal.

Pre-trade limits are judged first, in exact integers over every way the orders may fill. Then the
finder looks for certificates and the kernel says what they prove. What fails is scaled to its
largest share that certifies, rounded to lots, and judged again as the exact integers that will be
sent. What cannot be certified is refused, with the reason computed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Proposal
from agent_fund.guard.compile import (
    Band,
    Case,
    TooManyCasesError,
    cases,
    cost_bound,
    gain_form,
    loss_form,
)
from agent_fund.guard.finder import Finder, Found
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import max_drawdown
from agent_fund.guard.kernel.form import SCALE, Form, KernelError
from agent_fund.guard.limits import LIFE, always, pre_trade
from agent_fund.guard.machine import Bounds, is_safe
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.proof import Proof, proved_bounds
from agent_fund.guard.repair import STEPS, scale
from agent_fund.guard.stress import percent
from agent_fund.guard.verdict import Certified, Outcome, Situation, Verdict

HOLD = Proposal()

_FAULTS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError)
"""What a broken or lying finder may raise; whatever it is, nothing has been proved."""


class Guard:
    """Judges proposals and looks at held books, under one resolved mandate."""

    def __init__(self, mandate: ResolvedMandate) -> None:
        self.mandate = mandate
        self._finder = Finder(mandate.stress.kernel)

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The verdict on ``proposal``; never raises for what an agent can write."""
        findings, certified = self._try(proposal, situation)
        broken = tuple(f for f in findings if not f.holds)
        if certified is not None:
            return Verdict(Outcome.ADMITTED, proposal, Fraction(1), findings, (), certified)
        low, high = 0, STEPS  # the admissible shares are an interval that holds 0, if 0 certifies
        best: tuple[Proposal, tuple[Finding, ...], Certified] | None = None
        while high - low > 1:
            middle = (low + high) // 2
            scaled = scale(proposal, Fraction(middle, STEPS))
            found, proof = self._try(scaled, situation, brief=True) if scaled.legs else ((), None)
            if proof is not None:
                best, low = (scaled, found, proof), middle
            elif scaled.legs:
                high = middle
            else:
                low = middle  # nothing left after rounding to lots: look higher
        if best is None:
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), findings, broken, None)
        scaled, findings, proof = best
        share = Fraction(low, STEPS)
        return Verdict(Outcome.REPAIRED, scaled, share, findings, broken, proof)

    def look(self, situation: Situation) -> Certified | None:
        """A certificate for the book held, over a band of prices if one is Safe; None if not Safe.

        A guardrail marked ``always`` must hold too, at the prices of this look.
        """
        if any(not f.holds for f in self._always(situation)):
            return None
        # A guardrail judged at the prices of each look is not proved over a band of them.
        exact = any(g.always and g.kind != "max_drawdown" for g in self.mandate.guardrails)
        for width in (Fraction(0),) if exact else (self.mandate.band, Fraction(0)):
            band = price_band(situation.book, HOLD, situation.prices, width)
            certified, _ = self._certify(HOLD, situation, band)
            limit, nav, mark = self.mandate.drawdown.limit, situation.nav, situation.mark
            if certified is not None and is_safe(limit, nav, mark, certified.bounds):
                return self._until(certified, situation.bar) if exact else certified
        return None

    def _until(self, certified: Certified, bar: int) -> Certified:
        return replace(certified, until=bar, latest=bar + self.mandate.stress.horizon)

    def explain(self, situation: Situation) -> Finding:
        """What of the held book is broken first, or else how it stands within the drawdown."""
        for finding in self._always(situation):
            if not finding.holds:
                return finding
        band = price_band(situation.book, HOLD, situation.prices, Fraction(0))
        certified, words = self._certify(HOLD, situation, band)
        return self._drawdown(situation, certified, words)

    def bounds(self, proposal: Proposal, situation: Situation) -> Bounds:
        """What can be proved of a trade at the prices of ``situation``, Safe or not.

        Raises:
            KernelError: if nothing can be.
        """
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        certified, words = self._certify(proposal, situation, band)
        if certified is None:
            raise KernelError(words)
        return certified.bounds

    def _drawdown(self, situation: Situation, certified: Certified | None, words: str) -> Finding:
        bounds = None if certified is None else certified.bounds
        return max_drawdown.judge(
            self.mandate.drawdown, situation.nav, situation.mark, bounds, words
        )

    def _always(self, situation: Situation) -> list[Finding]:
        every = cases(situation.book, HOLD)
        return always(self.mandate, every, situation.book, situation.prices)

    def _try(
        self, proposal: Proposal, situation: Situation, *, brief: bool = False
    ) -> tuple[tuple[Finding, ...], Certified | None]:
        """Every guardrail's finding, and the certificate if all of them hold.

        Args:
            brief: stop at the exact limits if one of them is broken.
        """
        try:
            every = cases(situation.book, proposal)
        except TooManyCasesError as error:
            finding = Finding("cases", False, "a bounded number of ways", str(error), "any fills")
            return (finding,), None
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        findings = pre_trade(
            self.mandate,
            every,
            situation.book,
            proposal,
            situation.prices,
            situation.capacity,
        )
        if brief and not all(f.holds for f in findings):
            return tuple(findings), None
        certified, words = self._certify(proposal, situation, band)
        findings.append(self._drawdown(situation, certified, words))
        holds = all(f.holds for f in findings)
        return tuple(findings), certified if holds else None

    def _certify(
        self, proposal: Proposal, situation: Situation, band: Band
    ) -> tuple[Certified | None, str]:
        """The tightest bounds found, as the kernel proves them, and the worst scenario in words.

        A finder that fails or lies proves nothing: then there is no certificate.
        """
        mandate, book = self.mandate, situation.book
        stress = mandate.stress
        every = cases(book, proposal)
        forms = [
            (loss_form(c, stress, band, book), gain_form(c, stress, band, book)) for c in every
        ]
        costs = cost_bound(every, stress, mandate.costs, band, book, mandate.exit_bars)
        try:
            found = self._search(forms, costs, situation)
            proof = Proof(tuple((loss.certificate, gain.certificate) for loss, gain in found))
            proved = proved_bounds(mandate, book, proposal, band, proof)
            worst = max(range(len(found)), key=lambda i: found[i][0].bound)
            words = self._words(every[worst], found[worst][0])
        except _FAULTS as error:
            return None, f"no proof was found: {error}"
        until = situation.bar + (0 if proposal.legs else LIFE)
        return Certified(proof, band, proved, until, until + stress.horizon), words

    def _search(
        self, forms: list[tuple[Form, Form]], costs: int, situation: Situation
    ) -> list[tuple[Found, Found]]:
        """Certificates of (loss, gain) for each case: one leaf each, or a tree if that helps."""
        limit, nav, mark = self.mandate.drawdown.limit, situation.nav, situation.mark
        found = [(self._finder.bound(lo), self._finder.bound(up)) for lo, up in forms]
        if is_safe(limit, nav, mark, _bounds(found, costs)):
            return found
        # One leaf was too loose, or the trade is bad: search for a tree, gain first.
        found = [
            (loss, self._finder.bound(up, target=0) if up.hinges else gain)
            for (loss, gain), (_, up) in zip(found, forms, strict=True)
        ]
        room = _loss_room(limit, nav, mark, _bounds(found, costs))
        return [
            (self._finder.bound(lo, target=room) if lo.hinges else loss, gain)
            for (loss, gain), (lo, _) in zip(found, forms, strict=True)
        ]

    def _words(self, case: Case, loss: Found) -> str:
        """The worst scenario as a person reads it: the moves, and which legs fill."""
        stress = self.mandate.stress
        moves = [
            f"{symbol} {percent(loss.scenario[stress.driver(symbol)])}"
            for symbol in stress.instruments
        ]
        filled = [
            f"{leg.symbol} {'buy' if leg.quantity > 0 else 'sell'} fills"
            for leg in (*case.full, *case.options)
        ]
        return ", ".join([*moves, *filled])


def price_band(book: Book, proposal: Proposal, prices: Mapping[str, int], width: Fraction) -> Band:
    """``width`` around the price of every instrument that is held or may be.

    Raises:
        DomainError: for one of them without a positive integer price.
    """
    symbols = {s for s, q in book.positions.items() if q}
    symbols |= {order.instrument.symbol for order in book.open_orders}
    symbols |= {leg.instrument.symbol for leg in proposal.legs}
    band = {}
    for symbol in sorted(symbols):
        if symbol not in prices:
            raise DomainError("price", symbol, "every instrument held or traded needs one")
        price = require_int(prices[symbol], f"price of {symbol}", minimum=1)
        half = int(price * width)
        band[symbol] = (price - half, price + half)
    return band


def _bounds(found: list[tuple[Found, Found]], costs: int) -> Bounds:
    loss = max((loss.bound for loss, _ in found), default=0)
    gain = max((gain.bound for _, gain in found), default=0)
    return Bounds(max(0, loss), max(0, gain), costs)


def _loss_room(limit: Fraction, nav: int, mark: int, bounds: Bounds) -> int:
    """The largest loss bound that would be Safe with the gain and costs of ``bounds``."""
    peak = max(mark * SCALE, nav * SCALE + bounds.gain)
    room = nav * SCALE - bounds.costs * SCALE - (1 - limit) * peak
    return int(room) if room >= 0 else 0
