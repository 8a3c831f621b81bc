"""A language model splits the fund between two index trackers and cash, once a week.

The prompt states the market alone, never the book or what the guard said: one recording of the
model then serves the guarded run and its unguarded twin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import Abstain
from agent_fund.agents.language_model import Answer, LanguageModelStrategy
from agent_fund.agents.sizing import free_cash, limit_price, sellable, share, whole_lots
from agent_fund.agents.wording import moved, percent, volatility
from agent_fund.domain.book import Book
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.snapshot import Snapshot

SYMBOLS = ("SP500", "NASDAQ")
PROMPT = Path(__file__).parent / "prompts" / "index_allocator.md.j2"

WEEK, YEAR = 5, 252
"""Sessions in a week, in a year."""


class Allocation(Answer):
    """The model's answer. The reasoning is first, so that the decision follows from it."""

    view: Annotated[str, Field(max_length=120)]
    stance: Literal["risk-on", "neutral", "risk-off"]
    nasdaq_percent: Annotated[int, Field(ge=0, le=100)]


class IndexAllocator(LanguageModelStrategy[Allocation]):
    """Stance decides how much of NAV is invested, ``nasdaq_percent`` how that is split.

    Args:
        risk_on, neutral, risk_off: share of NAV invested under each stance.
        minimum_trade: share of NAV below which a leg is left out.
        tolerance: how far beyond the last close a limit may stand.
        reserve: share of NAV that stays in cash, for fees.
    """

    answer_model = Allocation

    def __init__(
        self,
        model: ChatModel,
        model_name: str,
        prompt: Path = PROMPT,
        *,
        temperature: str = "0",
        seed: int = 0,
        max_tokens: int = 120,
        risk_on: str = "100%",
        neutral: str = "75%",
        risk_off: str = "50%",
        minimum_trade: str = "1%",
        tolerance: str = "2%",
        reserve: str = "1%",
    ) -> None:
        super().__init__(
            model, model_name, prompt, temperature=temperature, seed=seed, max_tokens=max_tokens
        )
        self.invested = {
            "risk-on": share(risk_on, "risk_on"),
            "neutral": share(neutral, "neutral"),
            "risk-off": share(risk_off, "risk_off"),
        }
        self.minimum_trade = share(minimum_trade, "minimum_trade")
        self.tolerance = share(tolerance, "tolerance", below_one=True)
        self.reserve = share(reserve, "reserve", below_one=True)

    def context(self, snapshot: Snapshot, book: Book) -> Mapping[str, object]:
        """``indices``: for each index its name, close, moves, drawdown and volatility, as texts.

        Raises:
            Abstain: half a year of closes is not known yet.
        """
        if snapshot.bar < 26 * WEEK:
            raise Abstain(f"{snapshot.bar} sessions are known, {26 * WEEK} are needed")
        return {"indices": [self._describe(symbol, snapshot) for symbol in SYMBOLS]}

    def proposal(self, answer: Allocation, snapshot: Snapshot, book: Book) -> Proposal:
        """Legs from the book to the target, sales first.

        Buys are paid from cash that is there: what a sale brings is spent a week later.
        """
        nav = book.nav(snapshot.prices)
        invested = min(self.invested[answer.stance], 1 - self.reserve)
        split = {"NASDAQ": answer.nasdaq_percent, "SP500": 100 - answer.nasdaq_percent}
        sales: list[Leg] = []
        wanted: dict[str, int] = {}
        for symbol in SYMBOLS:
            instrument, close = snapshot.instruments[symbol], snapshot.last_close(symbol)
            target = int(nav * invested) * split[symbol] // 100
            missing = target - instrument.notional(book.position(symbol), close)
            if abs(missing) < nav * self.minimum_trade:
                continue
            if missing > 0:
                wanted[symbol] = missing
                continue
            surplus = whole_lots(instrument, -missing, close)
            quantity = min(surplus, sellable(book, instrument))
            if quantity:
                limit = limit_price(instrument, close, Side.SELL, self.tolerance)
                sales.append(Leg(instrument, Side.SELL, quantity, limit))
        cash = max(free_cash(book) - math.ceil(nav * self.reserve), 0)
        total = sum(wanted.values())
        buys: list[Leg] = []
        for symbol, missing in wanted.items():
            instrument, close = snapshot.instruments[symbol], snapshot.last_close(symbol)
            limit = limit_price(instrument, close, Side.BUY, self.tolerance)
            # Each buy may spend its proportion of the cash, at the worst price it may get.
            affordable = whole_lots(instrument, cash * missing // total, limit)
            quantity = min(affordable, whole_lots(instrument, missing, close))
            if quantity:
                buys.append(Leg(instrument, Side.BUY, quantity, limit))
        return Proposal((*sales, *buys), reason=f"{answer.stance}: {answer.view}")

    def _describe(self, symbol: str, snapshot: Snapshot) -> Mapping[str, str]:
        year = snapshot.closes(symbol, 52 * WEEK)
        last = year[-1]
        weeks = {n: moved(year[-1 - n * WEEK], last) for n in (4, 13, 26)}
        return {
            "name": symbol,
            "close": str(snapshot.price(symbol)),
            "weeks_4": weeks[4],
            "weeks_13": weeks[13],
            "weeks_26": weeks[26],
            "drawdown": percent(max(year) - last, max(year)),
            "volatility": percent(*volatility(year[-1 - 4 * WEEK :], YEAR)),
        }
