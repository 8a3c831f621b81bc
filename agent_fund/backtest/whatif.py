"""What would the guard say to a trade? The same guard and mandate as in a run, on a stated book.

The book is what the question says it is: positions bought at the closing prices of the bar asked
about, the rest of the run file's cash, no open orders, and NAV at its high-water mark.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_fund.backtest.parts import Parts
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.fund.state import CAPACITY_BARS
from agent_fund.guard.engine import Guard
from agent_fund.guard.verdict import Situation, Verdict, capacity

_TRADE = re.compile(
    r"(?P<side>\S+)\s+(?P<quantity>\S+)\s+(?P<symbol>[^\s@]+)(\s*@\s*(?P<limit>.*))?"
)
_EXAMPLE = '"buy 100 SP500 @ 1200.00"'
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Answer:
    """A question and the guard's verdict on it.

    Attributes:
        close_time: of the bar asked about; ms since the epoch, UTC.
    """

    close_time: int
    situation: Situation
    proposal: Proposal
    verdict: Verdict


def ask(
    parts: Parts,
    trades: Sequence[str],
    *,
    at: dt.date | None = None,
    held: Sequence[str] = (),
    ordered: bool = False,
) -> Answer:
    """The guard's verdict on ``trades``.

    Args:
        trades: each ``"SIDE QUANTITY SYMBOL @ LIMIT"``, or several with ``;`` between them.
        at: judge at the last close on or before this day, UTC; the first bar of the test window
            if None.
        held: each ``"SYMBOL=QUANTITY"``; a perpetual held short has a minus.
        ordered: leg k+1 is sent only after leg k is wholly filled.

    Raises:
        DomainError: a trade, a position or a day that cannot be, with what to write instead.
    """
    bar = bar_at(parts, at)
    instruments = {i.symbol: i for i in parts.instruments}
    test = parts.test
    prices = {symbol: closes[bar] for symbol, closes in test.closes.items()}
    texts = [text.strip() for trade in trades for text in trade.split(";") if text.strip()]
    if not texts:
        raise DomainError("trade", "; ".join(trades), f"write one such as {_EXAMPLE}")
    legs = tuple(parse_trade(text, instruments, prices) for text in texts)
    proposal = Proposal(legs, ordered)
    marks = prices | {symbol: closes[bar] for symbol, closes in test.mark_closes.items()}
    situation = _situation(parts, instruments, bar, marks, held)
    verdict = Guard(parts.mandate).judge(proposal, situation)
    return Answer(parts.test.close_times[bar], situation, proposal, verdict)


def bar_at(parts: Parts, day: dt.date | None) -> int:
    """The number of the last bar of the test window that closed on or before ``day``, UTC."""
    if day is None:
        return 0
    times = parts.test.close_times
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    end = int(start.timestamp()) * 1000 + DAY_MS
    first, last = (
        dt.datetime.fromtimestamp(t // 1000, dt.UTC).date() for t in (times[0], times[-1])
    )
    if not first <= day <= last:
        fix = f"write a day of the test window, {first} to {last}"
        raise DomainError("day", day.isoformat(), fix)
    return max(bar for bar, time in enumerate(times) if time < end)


def parse_trade(text: str, instruments: Mapping[str, Instrument], prices: Mapping[str, int]) -> Leg:
    """The leg that ``text`` states: ``"buy 100 SP500 @ 1200"``, in the instrument's own steps.

    Args:
        prices: closing prices in price units by symbol, for the example in a refusal.

    Raises:
        DomainError: naming what is wrong with it.
    """
    found = _TRADE.fullmatch(text.strip())
    if found is None:
        raise DomainError("trade", text, f"write side, quantity, symbol, limit: {_EXAMPLE}")
    sides = {side.value: side for side in Side}
    side = sides.get(found["side"].lower())
    if side is None:
        raise DomainError(f"side of {text!r}", found["side"], "write buy or sell")
    instrument = _instrument(found["symbol"], instruments)
    if not found["limit"]:
        close = f"{instrument.price_decimal(prices[instrument.symbol]).normalize():f}"
        fix = f"add a limit price, e.g. @ {close}, its close"
        raise DomainError("limit price", text, fix)
    quantity = instrument.quantity(found["quantity"])
    return Leg(instrument, side, quantity, instrument.price(found["limit"]))


def _situation(
    parts: Parts,
    instruments: Mapping[str, Instrument],
    bar: int,
    prices: Mapping[str, int],
    held: Sequence[str],
) -> Situation:
    start = parts.book()
    positions: dict[str, int] = {}
    places = dict(start.places)
    for text in held:
        symbol, equals, quantity = (part.strip() for part in text.partition("="))
        if not equals:
            raise DomainError("position", text, 'write it as "SP500=200"')
        instrument = _instrument(symbol, instruments)
        if symbol in positions:
            raise DomainError("position", text, f"state {symbol} once")
        short = quantity.startswith("-")
        if short and instrument.margin is None:
            raise DomainError("position", text, "only a perpetual can be held short")
        size = instrument.quantity(quantity[1:] if short else quantity)
        positions[symbol] = -size if short else size
        places[instrument.account] -= instrument.notional(positions[symbol], prices[symbol])
        if instrument.margin is None and places[instrument.account] < 0:
            missing = parts.currency.amount(-places[instrument.account])
            cash_there = "the fund's cash" + (
                f" at {instrument.account}" if len(places) > 1 else ""
            )
            fix = f"it costs {missing} {parts.currency.symbol} more than {cash_there}: hold less"
            raise DomainError("position", ", ".join(held), fix)
    cash = sum(places.values())
    book = Book(parts.currency, cash, instruments, positions, places=places)
    nav = book.nav(prices)
    volumes = {
        s: (parts.before.volumes[s] + parts.test.volumes[s][: bar + 1])[-CAPACITY_BARS:]
        for s in prices
    }
    room = capacity(parts.instruments, volumes, parts.terms.participation)
    return Situation(book, prices, nav, nav, bar, room, parts.floor().units)


def _instrument(symbol: str, instruments: Mapping[str, Instrument]) -> Instrument:
    found = instruments.get(symbol)
    if found is None:
        near = difflib.get_close_matches(symbol.upper(), instruments, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(instruments)}"
        raise DomainError("instrument", symbol, known)
    return found
