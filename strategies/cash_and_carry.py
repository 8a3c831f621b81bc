"""Long spot and short the same quantity of its perpetual, for the funding that longs pay.

The trade of Koijen, Moskowitz, Pedersen and Vrugt (2018), "Carry", with the funding rate as the
carry: what price does to one leg it undoes at the other, and what remains is funding, basis, costs.
The strategy keeps the legs even, the futures account margined, and each step small enough that one
leg without the other is a loss that the mandate allows for.

``CashAndCarry`` is code alone. ``CarryWithOverlay`` asks a language model once a week how much of
it to run; the prompt states the market alone, so that one recording serves every run over it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import Abstain, ConfigurationError
from agent_fund.agents.overlay import Overlay, integer
from agent_fund.agents.sizing import (
    Pair,
    free_cash,
    legs_of,
    limit_price,
    margin_transfer,
    share,
    underlying,
)
from agent_fund.agents.strategy import HOLD
from agent_fund.agents.wording import moved, percent, signed, volatility
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact, ratio
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.domain.transfer import Transfer
from agent_fund.market.snapshot import Snapshot

PAIRS = (("BTC", "BTC-PERP"), ("ETH", "ETH-PERP"))
PROMPT = Path(__file__).parent / "prompts" / "carry_overlay.md.j2"


@dataclass(frozen=True)
class Line:
    """A pair at one decision; money in base units of the currency.

    Attributes:
        spot, short: base units held, of each instrument.
        steps, goal: steps held on both sides, and wanted.
        value: of a step, at the dearer of its sides; ``notional``: of a step of the perpetual.
        shorted: notional that is short, open sales included.
        busy: orders are open; the pair is left alone until they have ended.
        home, account: where spot is paid, and where the perpetual is margined.
    """

    pair: Pair
    spot: int
    short: int
    steps: int
    goal: int
    value: int
    notional: int
    shorted: int
    busy: bool
    home: str
    account: str


class CashAndCarry:
    """Holds ``scale`` x ``target`` of NAV in spot, an equal part for each pair, hedged one to one.

    A pair is entered while its mean funding of the last ``window`` payments is above ``enter``, and
    unwound once it is below ``leave``. Legs that have come apart, after a partial fill or a
    liquidation, are evened before anything else, by reducing the larger: that needs no cash.

    Args:
        pairs: symbols of spot and perpetual of one underlying; no symbol twice.
        target: share of NAV held in spot at scale 1.
        chunk: share of NAV by which one decision opens or closes, all pairs together; or one step.
        margin: of the short notional, what should stand as equity at the futures account.
        rebalance: share of NAV by which it may be off, for the target book, before cash is moved.
        idle: share of NAV that stays at the futures account even if nothing is short.
        minimum_trade: share of NAV below which a leg or transfer is left out, but for the last one.
        tolerance: how far beyond the last close a limit may stand.
        reserve: share of NAV that stays in cash at the spot venue, for fees.
        window, enter, leave: payments averaged, and shares of notional a payment.
        ordered: the perpetual's leg is sent only after the spot leg is wholly filled.
    """

    def __init__(
        self,
        pairs: Sequence[Sequence[str]] = PAIRS,
        *,
        target: Exact = "60%",
        chunk: Exact = "6%",
        margin: Exact = "45%",
        rebalance: Exact = "5%",
        idle: Exact = "0%",
        minimum_trade: Exact = "2%",
        tolerance: Exact = "1%",
        reserve: Exact = "1%",
        window: int = 42,
        enter: Exact = "0.002%",
        leave: Exact = "-0.005%",
        ordered: bool = False,
    ) -> None:
        self.pairs = _names(pairs)
        self.target = share(target, "target", below_one=True)
        self.chunk = share(chunk, "chunk")
        self.margin = share(margin, "margin")
        self.rebalance = share(rebalance, "rebalance")
        self.idle = share(idle, "idle", below_one=True)
        self.minimum_trade = share(minimum_trade, "minimum_trade")
        self.tolerance = share(tolerance, "tolerance", below_one=True)
        self.reserve = share(reserve, "reserve")
        self.window = integer(window, "window")
        self.enter, self.leave = ratio(enter, "enter"), ratio(leave, "leave")
        self.ordered = ordered
        self.scale = Fraction(1)
        self._known: list[Pair] | None = None
        if self.leave > self.enter:
            problem = f"leave {leave} is above enter {enter}; a pair would leave as it enters"
            raise ConfigurationError("funding thresholds", problem)
        if self.target * (1 + self.margin) + self.reserve > 1:
            problem = f"target {target} and margin {margin} on it and reserve {reserve} exceed NAV"
            raise ConfigurationError("cash and carry", problem)
        if not self.rebalance < self.margin * self.target:
            problem = f"{rebalance} is not below margin x target; nothing would ever be moved"
            raise ConfigurationError("rebalance", problem)
        # Equity that a short needs to be opened: at the target, what the dead band leaves.
        self.least = self.margin - self.rebalance / self.target

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """Evens uneven legs; else moves cash, and opens or closes a chunk, as far as cash is there.

        Raises:
            DomainError: for a pair that the run's instruments do not make.
        """
        nav = book.nav(snapshot.prices)
        lines = [self._line(pair, nav, snapshot, book) for pair in self.read(snapshot)]
        if uneven := [leg for line in lines for leg in self._evened(line, snapshot)]:
            return Proposal(tuple(uneven), reason="the legs are uneven")
        if nav <= 0:
            return HOLD
        kept = int(nav * self.reserve)
        cash = {home: free_cash(book, home) - kept for home in sorted({x.home for x in lines})}
        equity = {
            account: book.equity(account, snapshot.prices)
            for account in sorted({line.account for line in lines})
        }
        transfers = self._transfers(lines, nav, cash, equity, book)
        room = {
            account: int(there / self.least) - sum(x.shorted for x in lines if x.account == account)
            for account, there in equity.items()
        }
        legs, reasons = self._legs(lines, nav, cash, room, snapshot)
        if transfers:
            reasons.append("cash is moved")
        if not reasons:
            return HOLD
        return Proposal(tuple(legs), self.ordered, "; ".join(reasons), tuple(transfers))

    def read(self, snapshot: Snapshot) -> list[Pair]:
        """The pairs, of the run's instruments."""
        if self._known is None:
            self._known = [Pair.of(spot, perp, snapshot.instruments) for spot, perp in self.pairs]
        return self._known

    def _line(self, pair: Pair, nav: int, snapshot: Snapshot, book: Book) -> Line:
        mark, close = snapshot.mark(pair.perp.symbol), snapshot.last_close(pair.spot.symbol)
        spot, short = book.position(pair.spot.symbol), -book.position(pair.perp.symbol)
        steps = max(min(spot // pair.spot_step, short // pair.perp_step), 0)
        cost = pair.spot.notional(pair.spot_step, close)
        notional = pair.perp.notional(pair.perp_step, mark)
        value = max(cost, notional)
        goal = 0
        if self._pays(pair, steps > 0, snapshot):
            goal = max(int(nav * self.target * self.scale / len(self.pairs)), 0) // cost
            if goal and abs(goal - steps) * value < nav * self.minimum_trade:
                goal = steps
        orders = [o for o in book.open_orders if o.instrument in (pair.spot, pair.perp)]
        selling = sum(
            o.remaining for o in orders if o.instrument == pair.perp and o.side is Side.SELL
        )
        shorted = pair.perp.notional(max(short, 0) + selling, mark)
        goal = steps if orders else goal
        places = pair.spot.account, pair.perp.account
        return Line(pair, spot, short, steps, goal, value, notional, shorted, bool(orders), *places)

    def _pays(self, pair: Pair, held: bool, snapshot: Snapshot) -> bool:
        rates = snapshot.funding_rates(pair.perp.symbol, self.window)
        if len(rates) < self.window:
            return held
        mean = Fraction(sum(rates), len(rates) * 10**RATE_SCALE)
        return mean >= self.leave if held else mean > self.enter

    def _evened(self, line: Line, snapshot: Snapshot) -> tuple[Leg, ...]:
        """What reduces the larger side to the smaller, if they differ by a lot of either."""
        pair = line.pair
        net = underlying(pair.spot, line.spot) - underlying(pair.perp, line.short)
        if line.busy or abs(net) < max(underlying(i, i.lot) for i in (pair.spot, pair.perp)):
            return ()
        side = Side.SELL if net > 0 else Side.BUY
        larger, held = pair.perp, abs(line.short)
        if net > 0 and line.short >= 0:
            larger, held = pair.spot, line.spot
        return self._leg(larger, side, min(int(abs(net) / underlying(larger, 1)), held), snapshot)

    def _transfers(
        self,
        lines: Sequence[Line],
        nav: int,
        cash: dict[str, int],
        equity: dict[str, int],
        book: Book,
    ) -> list[Transfer]:
        """What brings each futures account to its margin; it leaves ``cash`` or ``equity``.

        A withdrawal leaves the margin of what is short now, whatever the target is.
        """
        found = []
        for account in equity:
            of_it = [line for line in lines if line.account == account]
            home = of_it[0].home
            short = sum(x.shorted + max(x.goal - x.steps, 0) * x.notional for x in of_it)
            transfer = margin_transfer(
                book,
                home,
                account,
                free=cash[home],
                equity=equity[account],
                needed=math.ceil(max(self.margin * short, self.idle * nav)),
                band=int(nav * self.rebalance),
            )
            if transfer is None or transfer.amount < nav * self.minimum_trade:
                continue
            found.append(transfer)
            (cash if transfer.source == home else equity)[transfer.source] -= transfer.amount
        return found

    def _legs(
        self,
        lines: Sequence[Line],
        nav: int,
        cash: dict[str, int],
        room: dict[str, int],
        snapshot: Snapshot,
    ) -> tuple[list[Leg], list[str]]:
        """Legs of all pairs in turn, closing ones first, each within its part of the chunk."""
        changing = [
            line
            for line in lines
            if not line.busy
            and (line.goal != line.steps or (not line.goal and (line.spot or line.short)))
        ]
        changing.sort(key=lambda line: line.goal > line.steps)
        legs: list[Leg] = []
        reasons: list[str] = []
        left = int(nav * self.chunk)
        for number, line in enumerate(changing):
            pair, budget = line.pair, left // (len(changing) - number)
            opens = line.goal > line.steps
            # What closes goes by a step at least, or a fund that shrank could never get out.
            steps = max(budget // line.value, 0 if opens else 1)
            steps = min(steps, abs(line.goal - line.steps))
            if opens:
                limit = limit_price(
                    pair.spot, snapshot.last_close(pair.spot.symbol), Side.BUY, self.tolerance
                )
                cost = pair.spot.notional(pair.spot_step, limit)
                steps = min(steps, cash[line.home] // cost, room[line.account] // line.notional)
                steps = max(steps, 0)
                cash[line.home] -= steps * cost
                room[line.account] -= steps * line.notional
            spot, perp = steps * pair.spot_step, steps * pair.perp_step
            if not line.goal and steps == line.steps:
                # The last of it: each side whole, odd lots included.
                spot, perp = line.spot, max(line.short, 0)
            sides = (Side.BUY, Side.SELL) if opens else (Side.SELL, Side.BUY)
            traded = [
                *self._leg(pair.spot, sides[0], spot, snapshot),
                *self._leg(pair.perp, sides[1], perp, snapshot),
            ]
            if traded:
                left -= steps * line.value
                legs += traded
                reasons.append(f"{'opens' if opens else 'closes'} {pair.spot.underlying}")
        return legs, reasons

    def _leg(
        self, instrument: Instrument, side: Side, quantity: int, snapshot: Snapshot
    ) -> tuple[Leg, ...]:
        close = snapshot.last_close(instrument.symbol)
        return legs_of(instrument, side, quantity, close, self.tolerance)


class CarryWithOverlay(Overlay):
    """Cash and carry, scaled by a model that is told of funding, basis, prices and volatility.

    Args:
        bars_a_day, payments_a_day: of the run's bars, and of funding.
        high: funding a year from which the prompt calls it high; small models read words better.
        parameters: what ``Overlay`` and ``CashAndCarry`` take.
    """

    def __init__(
        self,
        model: ChatModel,
        model_name: str,
        prompt: Path = PROMPT,
        *,
        bars_a_day: int = 24,
        payments_a_day: int = 3,
        high: Exact = "15%",
        **parameters: Any,
    ) -> None:
        super().__init__(model, model_name, prompt, CashAndCarry, **parameters)
        self.bars_a_day = integer(bars_a_day, "bars_a_day")
        self.payments_a_day = integer(payments_a_day, "payments_a_day")
        self.high = ratio(high, "high")

    def context(self, snapshot: Snapshot, book: Book) -> Mapping[str, object]:
        """``pairs``: for each its name, funding, basis, moves and volatility, as texts.

        Raises:
            Abstain: a month of bars and of funding is not known yet.
        """
        carry = cast(CashAndCarry, self.strategy)
        return {"pairs": [self._describe(pair, snapshot) for pair in carry.read(snapshot)]}

    def _describe(self, pair: Pair, snapshot: Snapshot) -> Mapping[str, str]:
        closes = snapshot.closes(pair.spot.symbol, 30 * self.bars_a_day + 1)
        rates = snapshot.funding_rates(pair.perp.symbol, 30 * self.payments_a_day)
        if len(closes) <= 30 * self.bars_a_day or len(rates) < 30 * self.payments_a_day:
            raise Abstain(f"a month of bars and funding of {pair.spot.underlying} is not known yet")
        spot, perp = (
            Fraction(item.notional(1, price)) / underlying(item, 1)
            for item, price in (
                (pair.spot, closes[-1]),
                (pair.perp, snapshot.mark(pair.perp.symbol)),
            )
        )
        week, month = (self._yearly(kept) for kept in (rates[-7 * self.payments_a_day :], rates))
        return {
            "name": pair.spot.underlying,
            "level": "negative" if week < 0 else "high" if week >= self.high else "low",
            "funding_week": signed(week, "earn", "pay"),
            "funding_month": signed(month, "earn", "pay"),
            "basis": signed(perp / spot - 1, "above", "below"),
            "week": moved(closes[-1 - 7 * self.bars_a_day], closes[-1]),
            "month": moved(closes[0], closes[-1]),
            "volatility": percent(*volatility(closes, 365 * self.bars_a_day)),
        }

    def _yearly(self, rates: Sequence[int]) -> Fraction:
        mean = Fraction(sum(rates), len(rates) * 10**RATE_SCALE)
        return mean * 365 * self.payments_a_day


def _names(pairs: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    found = tuple(tuple(pair) for pair in pairs)
    named = [symbol for pair in found for symbol in pair]
    if not found or any(len(pair) != 2 for pair in found) or len(set(named)) != len(named):
        fix = 'write [["BTC", "BTC-PERP"], ...], each symbol once'
        raise ConfigurationError("pairs", f"{pairs!r} is refused; {fix}")
    return tuple((spot, perp) for spot, perp in found)
