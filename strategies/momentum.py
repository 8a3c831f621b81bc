"""Cross-sectional momentum: long what rose most, short what rose least, rebalanced when asked.

Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers", Journal of Finance 48:
rank by the return of a lookback that skips the last bars, hold equal weights. For coins: Liu,
Tsyvinski and Wu (2022), "Common Risk Factors in Cryptocurrency", Journal of Finance 77. Ranks are
exact, so that no rounding ever decides one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from agent_fund.agents.errors import Abstain, ConfigurationError
from agent_fund.agents.overlay import integer
from agent_fund.agents.sizing import free_cash, legs_of, limit_price, share, whole_lots
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact, ratio
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.snapshot import Snapshot

SYMBOLS = ("BTC-PERP", "ETH-PERP", "XRP-PERP", "ADA-PERP", "LTC-PERP", "BCH-PERP")


class CrossSectionalMomentum:
    """The best ``k`` long and the worst ``k`` short, each with an equal part of ``gross``.

    An instrument with open orders is left alone until they have ended.

    Args:
        symbols: what is ranked, each once; perpetuals, or with ``short = false`` spot.
        lookback, skip: bars of the ranked return, and bars after it that are left out.
        k: how many on each side.
        gross: longs and shorts together, as a share of NAV.
        short: whether the worst are sold short; if not, ``gross`` is all in the best.
        minimum_trade: share of NAV below which a leg is left out, but for one that closes.
        tolerance: how far beyond the last close a limit may stand.
        reserve: share of NAV that purchases of spot leave in cash, for fees.
    """

    def __init__(
        self,
        symbols: Sequence[str] = SYMBOLS,
        *,
        lookback: int = 672,
        skip: int = 24,
        k: int = 2,
        gross: Exact = "60%",
        short: bool = True,
        minimum_trade: Exact = "1%",
        tolerance: Exact = "1%",
        reserve: Exact = "1%",
    ) -> None:
        self.symbols = tuple(symbols)
        self.lookback = integer(lookback, "lookback")
        self.skip = integer(skip, "skip", 0)
        self.k = integer(k, "k")
        self.gross = ratio(gross, "gross")
        self.short = short
        self.minimum_trade = share(minimum_trade, "minimum_trade")
        self.tolerance = share(tolerance, "tolerance", below_one=True)
        self.reserve = share(reserve, "reserve")
        sides = 2 if short else 1
        if len(set(self.symbols)) != len(self.symbols) or len(self.symbols) < sides * self.k:
            fix = f"name at least {sides * self.k}, each once, or lower k from {k}"
            raise ConfigurationError("symbols", f"{list(symbols)} is refused; {fix}")
        if self.gross < 0:
            raise ConfigurationError("gross", f"{gross!r} is refused; write a share of 0% or more")
        self.weight = self.gross / (sides * self.k)

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """Legs from the book to the target: sales first.

        Raises:
            Abstain: an instrument lacks the bars of the lookback.
            ConfigurationError: an instrument is unknown, or spot and to be sold short.
        """
        ranked = self.ranked(snapshot)
        best, worst = ranked[: self.k], ranked[-self.k :] if self.short else ()
        nav = book.nav(snapshot.prices)
        if nav <= 0:
            return HOLD
        changes = {}
        for symbol in self.symbols:
            instrument, price = snapshot.instruments[symbol], snapshot.prices[symbol]
            sign = (symbol in best) - (symbol in worst)
            target = sign * whole_lots(instrument, int(nav * self.weight), price)
            change = target - book.position(symbol)
            small = abs(instrument.notional(change, price)) < nav * self.minimum_trade
            busy = any(order.instrument == instrument for order in book.open_orders)
            if change and not busy and not (small and target):
                changes[symbol] = change
        legs = [
            leg
            for symbol, change in changes.items()
            for leg in self._leg(snapshot.instruments[symbol], Side.SELL, -change, snapshot)
        ]
        legs += self._buys(changes, nav, snapshot, book)
        if not legs:
            return HOLD
        against = f", against {', '.join(worst)}" if worst else ""
        return Proposal(tuple(legs), reason=f"long {', '.join(best)}{against}")

    def ranked(self, snapshot: Snapshot) -> list[str]:
        """The symbols from the highest past return to the lowest; ties as they were named."""
        bars = self.lookback + self.skip + 1
        returns: dict[str, Fraction] = {}
        for symbol in self.symbols:
            instrument = snapshot.instruments.get(symbol)
            if instrument is None:
                known = ", ".join(sorted(snapshot.instruments))
                raise ConfigurationError("symbols", f"{symbol!r} is unknown; the fund has: {known}")
            if self.short and instrument.margin is None:
                fix = "it is spot and cannot be sold short; write short = false"
                raise ConfigurationError(f"momentum in {symbol}", fix)
            closes = snapshot.closes(symbol, bars)
            if len(closes) < bars:
                raise Abstain(f"{len(closes)} bars of {symbol} are known, {bars} are needed")
            returns[symbol] = Fraction(closes[self.lookback], closes[0])
        return sorted(self.symbols, key=lambda symbol: returns[symbol], reverse=True)

    def _buys(self, changes: dict[str, int], nav: int, snapshot: Snapshot, book: Book) -> list[Leg]:
        """Spot is paid from cash that is there; what a sale brings is spent at the next turn."""
        buys = {snapshot.instruments[s]: change for s, change in changes.items() if change > 0}
        limits = {
            i: limit_price(i, snapshot.last_close(i.symbol), Side.BUY, self.tolerance) for i in buys
        }
        total: dict[str, int] = {}
        for instrument, wanted in buys.items():
            if instrument.margin is None:
                cost = instrument.notional(wanted, limits[instrument])
                total[instrument.account] = total.get(instrument.account, 0) + cost
        kept = int(nav * self.reserve)
        cash = {place: max(free_cash(book, place) - kept, 0) for place in total}
        legs: list[Leg] = []
        for instrument, wanted in buys.items():
            quantity, place = wanted, instrument.account
            if instrument.margin is None and total[place] > cash[place]:
                # Each purchase may spend its proportion of the cash, at the worst price.
                cost = instrument.notional(wanted, limits[instrument])
                part = cash[place] * cost // total[place]
                quantity = whole_lots(instrument, part, limits[instrument])
            legs += self._leg(instrument, Side.BUY, quantity, snapshot)
        return legs

    def _leg(
        self, instrument: Instrument, side: Side, quantity: int, snapshot: Snapshot
    ) -> tuple[Leg, ...]:
        close = snapshot.last_close(instrument.symbol)
        return legs_of(instrument, side, quantity, close, self.tolerance)
