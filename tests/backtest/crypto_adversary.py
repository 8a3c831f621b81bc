"""An adversary that reads the coming hours from the catalog and bets all of its leverage on losing.

It is copied into a test's workspace as a strategy; nothing of the fund gives it the future.
"""

from __future__ import annotations

from pathlib import Path

from agent_fund.agents.sizing import limit_price
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Kind
from agent_fund.domain.money import ratio
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.catalog import Catalog
from agent_fund.market.snapshot import Snapshot

AHEAD = 6
LEVERAGE = 12


class FarSighted:
    """Holds LEVERAGE times NAV of the perpetual and the side that lose most in the coming bars."""

    def __init__(self) -> None:
        self._closes: dict[str, dict[int, int]] = {}

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        perpetuals = [i for i in snapshot.instruments.values() if i.kind is Kind.PERPETUAL]
        account = perpetuals[0].account
        equity = book.equity(account, snapshot.prices)
        if equity <= 0:
            return Proposal()
        moves = []
        for instrument in perpetuals:
            now = snapshot.mark(instrument.symbol)
            coming = self._coming(instrument, snapshot.time)
            for side, worst in ((Side.BUY, min(coming)), (Side.SELL, max(coming))):
                moves.append(((worst - now) * side.sign / now, instrument.symbol, side))
        _, chosen, side = min(moves, key=lambda move: move[:2])
        legs = []
        for instrument in perpetuals:
            wanted = 0
            if instrument.symbol == chosen:
                unit = instrument.notional(instrument.lot, snapshot.mark(chosen))
                wanted = side.sign * (LEVERAGE * equity // unit) * instrument.lot
            change = wanted - book.position(instrument.symbol)
            if change:
                way = Side.BUY if change > 0 else Side.SELL
                close = snapshot.last_close(instrument.symbol)
                limit = limit_price(instrument, close, way, ratio("1%"))
                legs.append(Leg(instrument, way, abs(change), limit))
        return Proposal(tuple(legs), reason="the coming hours are known")

    def _coming(self, instrument, time):
        symbol = instrument.symbol
        if symbol not in self._closes:
            catalog = Catalog(Path(__file__).resolve().parents[1] / "catalog")
            bars = catalog.read_bars(f"binance-{instrument.underlying}USDT-mark-1h")
            bars = bars.rescaled(instrument.price_scale, bars.volume_scale)
            self._closes[symbol] = dict(zip(bars.close_times, bars.closes, strict=True))
        closes = self._closes[symbol]
        hours = (time + step * 3_600_000 for step in range(1, AHEAD + 1))
        return [closes[hour] for hour in hours if hour in closes] or [closes[time]]
