"""Quotes: every venue and carrier asked at once, under one deadline; none of them fails the whole.

What is asked twice is asked once. An answer that is late, an error, expired, or about something
else becomes a named absence, and the search goes on without it. Leaving the block cancels what is
still under way, so no task stays behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Adapter, Carrier, Quote, TransferQuote
from agent_fund.execution.route.stages import shown

T = TypeVar("T")


@dataclass(frozen=True)
class Absence:
    """Who did not answer as asked, what was asked, and why that is no quote."""

    who: str
    what: str
    reason: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.who}, {self.what}: {self.reason}"


class NoQuoteError(ExecutionError):
    """No quote to build on.

    Attributes:
        absence: whose, and why.
        declined: whether this very size was declined; another may be offered.
    """

    def __init__(self, absence: Absence, *, declined: bool = False) -> None:
        super().__init__(f"quote of {absence.who}", absence.reason, f"no route for {absence.what}")
        self.absence = absence
        self.declined = declined


class Quotes:
    """The questions of one search; an asynchronous context manager.

    Args:
        adapters: by venue name. ``carriers``: by their names.
        time_out: seconds, from entering the block, for all answers together.
        clock: Unix milliseconds now.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        carriers: Mapping[str, Carrier],
        time_out: float,
        clock: Callable[[], int],
    ) -> None:
        self.adapters = adapters
        self.carriers = carriers
        self._time_out = time_out
        self._clock = clock
        self._deadline = 0.0
        self._asked: dict[tuple[object, ...], asyncio.Task[Any]] = {}
        self._absences: dict[Absence, None] = {}

    @property
    def absences(self) -> tuple[Absence, ...]:
        """Every absence so far, each once, in an order of their names."""
        return tuple(sorted(self._absences, key=lambda a: (a.who, a.what, a.reason)))

    async def __aenter__(self) -> Quotes:
        self._deadline = asyncio.get_running_loop().time() + self._time_out
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        if tasks:
            # What does not stop when it is told to does not hold up the search either.
            done, _ = await asyncio.wait(tasks, timeout=self._time_out)
            for task in done:
                if not task.cancelled():
                    task.exception()

    async def trade(self, instrument: Instrument, side: Side, quantity: int) -> Quote:
        """The venue's quote for ``quantity`` base units.

        Raises:
            NoQuoteError: if there is none to build on.
        """
        venue = instrument.venue.name
        what = f"{side.value} {shown(instrument.base, quantity)} {instrument.symbol}"
        adapter = self.adapters.get(venue)
        if adapter is None:
            raise self._absent(venue, what, "no adapter trades there")
        quote = await self._answer(
            (venue, instrument.symbol, side, quantity),
            lambda: adapter.quote(instrument, side, quantity),
            (venue, what),
        )
        if quote is None:
            raise self._absent(venue, what, "offers none now", declined=True)
        asked = (instrument, side, quantity)
        if (quote.instrument, quote.side, quote.quantity) != asked:
            raise self._absent(venue, what, "answered for another trade")
        spent, received = quote.max_spent, quote.min_received
        given, gotten = (quantity, spent) if side is Side.SELL else (received, quantity)
        if min(spent, received) <= 0 or quote.gas < 0 or gotten > given:
            words = f"offers {received} for {spent}, which is not the whole trade"
            raise self._absent(venue, what, words)
        self._require_valid(quote.valid_until, venue, what)
        return quote

    async def transfer(self, name: str, source: str, target: str, amount: int) -> TransferQuote:
        """What ``amount`` from ``source`` brings at ``target`` by the carrier ``name``.

        Raises:
            NoQuoteError: if there is none to build on.
        """
        carrier = self.carriers[name]
        what = f"{source} to {target}, {amount} base units"
        quote = await self._answer(
            (name, source, target, amount),
            lambda: carrier.quote(source, target, amount),
            (name, what),
        )
        if quote is None:
            raise self._absent(name, what, "does not carry that now", declined=True)
        if (quote.source, quote.target, quote.amount) != (source, target, amount):
            raise self._absent(name, what, "answered for another transfer")
        if not 0 < quote.min_received <= amount or min(quote.gas, quote.seconds) < 0:
            words = f"brings {quote.min_received} of {amount} in {quote.seconds} s"
            raise self._absent(name, what, words)
        self._require_valid(quote.valid_until, name, what)
        return quote

    async def middles(self, lines: Sequence[Instrument]) -> dict[str, int]:
        """Price units by symbol, of the lines whose venues state a middle."""
        by_venue: dict[str, list[Instrument]] = {}
        for line in lines:
            if line.venue.name in self.adapters:
                by_venue.setdefault(line.venue.name, []).append(line)
        found: dict[str, int] = {}
        every = await asyncio.gather(*(self._middles(v, ls) for v, ls in by_venue.items()))
        for prices in every:
            found.update(prices)
        return found

    async def _middles(self, venue: str, lines: list[Instrument]) -> dict[str, int]:
        adapter, what = self.adapters[venue], "middle of the market"
        key = (venue, *(line.symbol for line in lines))
        try:
            prices = await self._answer(key, lambda: adapter.prices(lines), (venue, what))
        except NoQuoteError:
            return {}
        found = {line.symbol: prices.get(line.symbol, 0) for line in lines}
        for symbol in [s for s, price in found.items() if price <= 0]:
            del found[symbol]
            self._absent(venue, f"{what} of {symbol}", "states none")
        return found

    def maximum_fee(self, order: Order) -> int:
        """The most that the order's venue says it may charge.

        Raises:
            NoQuoteError: if it refuses to say.
        """
        venue = order.instrument.venue.name
        try:
            fee = self.adapters[venue].maximum_fee(order)
        except (DomainError, ExecutionError) as error:
            raise self._absent(venue, f"fee of {order.instrument.symbol}", _said(error)) from None
        if fee < 0:
            raise self._absent(venue, f"fee of {order.instrument.symbol}", f"states {fee}")
        return fee

    def fresh(self, valid_until: int) -> bool:
        """Whether something valid until then still is."""
        return self._clock() < valid_until

    async def _answer(
        self,
        key: tuple[object, ...],
        ask: Callable[[], Coroutine[Any, Any, T]],
        subject: tuple[str, str],
    ) -> T:
        """The answer to one question; a question that was asked before is not asked again."""
        who, what = subject
        task: asyncio.Task[T] | None = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(_asking(ask))
            self._asked[key] = task
        left = max(0.0, self._deadline - asyncio.get_running_loop().time())
        await asyncio.wait({task}, timeout=left)
        if not task.done():
            raise self._absent(who, what, f"no answer within {self._time_out:g} s")
        if task.cancelled():
            raise self._absent(who, what, "gave up")
        if error := task.exception():
            raise self._absent(who, what, _said(error))
        return task.result()

    def _require_valid(self, valid_until: int, who: str, what: str) -> None:
        if not self.fresh(valid_until):
            raise self._absent(who, what, "its quote has expired")

    def _absent(self, who: str, what: str, reason: str, *, declined: bool = False) -> NoQuoteError:
        absence = Absence(who, what, reason)
        self._absences[absence] = None
        return NoQuoteError(absence, declined=declined)


async def _asking(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """In the task itself, so that what fails before the first wait is an answer too."""
    return await ask()


def _said(error: BaseException) -> str:
    """Our own errors in full; of others the kind alone, since their text may hold a secret."""
    if isinstance(error, (DomainError, ExecutionError)):
        return str(error)
    return f"failed with {type(error).__name__}"
