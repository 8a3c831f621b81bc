"""An exchange as the fund's adapter; see placement for when orders are sent, booking for trades.

Amounts come from the exchange's own texts and are exact integers from there on; what cannot be
booked exactly is a doubt, and a doubt is never told as a trade.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypedDict

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange import order_book
from agent_fund.execution.exchange.answer import Failure
from agent_fund.execution.exchange.booking import Doubt, moment
from agent_fund.execution.exchange.current_rules import CurrentRules
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.listing import Listing
from agent_fund.execution.exchange.order_report import OrderReports
from agent_fund.execution.exchange.placement import Placement
from agent_fund.execution.exchange.prepaid_coin import PrepaidCoin
from agent_fund.execution.exchange.venue_api import Level, NewOrder, VenueApi, VenueTrade
from agent_fund.execution.live.adapter import (
    Capabilities,
    DoubtfulTrade,
    Execution,
    Holdings,
    Prepared,
    Quote,
    Report,
)
from agent_fund.execution.live.leg_state import LegState

GOODS = ("GTC", "IOC")


class Terms(TypedDict, total=False):
    """The arguments of ExchangeAdapter that have defaults."""

    good: str
    patience: float
    quote_ms: int
    now: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class ExchangeAdapter:
    """One account at one exchange.

    Args:
        name: of the domain Venue whose instruments trade here.
        api: the exchange's interface.
        markets: the exchange's market id by instrument.
        fees: what the account pays.
        good: time in force of every order: GTC rests until it is cancelled, IOC never rests.
        patience: seconds that a placement waits, at most, for a limit on requests to pass.
        quote_ms: how long a quote may be used.
        now: Unix milliseconds. ``monotonic``: seconds. ``sleep``: for so many seconds.
    """

    def __init__(
        self,
        name: str,
        api: VenueApi,
        markets: Mapping[Instrument, str],
        fees: Fees,
        good: str = "GTC",
        patience: float = 2.0,
        quote_ms: int = 1_000,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if good not in GOODS:
            raise ExecutionError("time in force", good, "write GTC or IOC")
        self._name = name
        self._api = api
        self._listing = Listing(name, markets)
        self._rules = CurrentRules(api, self._listing, now)
        self._fees = fees
        self._good = good
        self._quote_ms = quote_ms
        self._now = now
        self._coin = PrepaidCoin(fees)
        self._reports = OrderReports(api, self._listing, self._coin, fees.coin)
        self._placement = Placement(api, self._reports, patience, now, monotonic, sleep)

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Partial fills, resting orders unless IOC, custody of what is traded."""
        return Capabilities(
            partial_fills=True,
            resting=self._good == "GTC",
            finality=0,
            custody=True,
            dead_man=self._api.dead_man,
        )

    def maximum_fee(self, order: Order) -> int:
        """The most that filling ``order`` wholly can cost in fees, in base units of the quote."""
        rules = self._listing.rules[self._listing.market(order.instrument)]
        return self._fees.maximum(order, rules)

    def code(self, asset: Asset) -> str:
        """The exchange's code of ``asset``, in which instruments here are quoted; once started."""
        return self._listing.code(asset)

    def require_steps(self) -> None:
        """See ``Listing.require_steps``; once it has started."""
        self._listing.require_steps()

    async def start(self) -> None:
        """Compare clocks, account and markets with the configuration.

        Raises:
            ExecutionError: with the fix, if they differ; or if the exchange does not answer.
        """
        try:
            self._listing.compare(await self._api.start(self._fees.rate, self._fees.coin))
            self._rules.started()
            self._coin.compare(self._name, self._listing.rules)
            self._coin.look(await self._api.balances())
            self._coin.require(self._name)
        except Failure as failure:
            fix = "is it reachable, and are key and clock right?"
            raise ExecutionError(f"start of {self._name}", failure.reason, fix) from None

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """From the visible order book; the commission is inside, or in ``gas`` if a coin pays it.

        Never firm; None if the book is too thin.
        """
        sides = await self._levels(instrument)
        if sides is None:
            return None
        bids, asks = sides
        buy = side is Side.BUY
        worth = order_book.walk(asks if buy else bids, instrument, quantity)
        if worth is None:
            return None
        charged = self._fees.share(worth)
        inside = 0 if self._fees.coin else charged
        return Quote(
            instrument=instrument,
            side=side,
            quantity=quantity,
            max_spent=worth + inside if buy else quantity,
            min_received=quantity if buy else worth - inside,
            gas=charged - inside,
            valid_until=self._now() + self._quote_ms,
            firm=False,
            detail=f"order book of {self._listing.market(instrument)}",
        )

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        """The request; ``VenueApi.encode`` says what of it is signed now and what at sending.

        Its price is the order's limit on the exchange's grid of now, never beyond the limit.

        Raises:
            ExecutionError: if the exchange's filters would refuse it, or the coin runs out.
        """
        market = self._listing.market(order.instrument)
        fitted = await self._rules.fit(order)
        self._coin.require(self._name)
        leg, buy = order.order_id, order.side is Side.BUY
        new = NewOrder(
            leg, market, buy, fitted.price, fitted.quantity, deadline, closes=fitted.closes
        )
        try:
            payload, void = await self._api.encode(new, self._good)
        except Failure as failure:
            fix = "ask again when it answers"
            raise ExecutionError(f"order at {self._name}", failure.reason, fix) from None
        self._placement.prepared(leg)
        notes = {
            "market": market,
            "side": order.side.value,
            "price": str(fitted.price),
            "quantity": str(fitted.quantity),
        }
        return Prepared(leg, self._api.reference(leg), payload, void or deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send it, or send it again once that is safe."""
        report = await self._placement.submit(prepared)
        if report.state is LegState.REJECTED:
            self._rules.doubt()
        return report

    async def status(self, prepared: Prepared) -> Report:
        """By client id, with all trades; an order that can no longer arrive is CANCELED."""
        return await self._placement.status(prepared)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """An exchange has no such thing."""
        return None

    async def cancel(self, prepared: Prepared) -> Report:
        """Ask to take it out; only an ended state in the answer confirms it."""
        return await self._placement.cancel(prepared)

    async def holdings(self, since: int) -> Holdings:
        """Totals of the assets of these instruments; positions under their base asset.

        Trades of the exchange's own making are not among the executions. One that cannot be booked
        does not keep the rest from being told.

        Raises:
            ExecutionError: if the exchange does not answer.
        """
        try:
            balances = await self._api.balances()
            resting = await self._api.open_references(self._listing.markets)
            pairs = await self._told_since(since)
        except Failure as failure:
            fix = "ask again when it answers"
            raise ExecutionError(f"holdings at {self._name}", failure.reason, fix) from None
        self._coin.look(balances)
        executions, doubtful = self._executed(pairs, forced=False)
        return Holdings(
            assets=self._listing.assets(balances),
            open_references=tuple(resting),
            executions=tuple((reference, made) for reference, _, made in executions),
            coin=self._coin.units,
            doubtful=doubtful,
        )

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """The middle of the best bid and ask, where there are both."""
        found = {}
        for instrument in instruments:
            bids, asks = await self._levels(instrument) or ((), ())
            if bids and asks:
                found[instrument.symbol] = order_book.middle(bids[0][0], asks[0][0], instrument)
        return found

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """What the thinner side of the visible book offers."""
        found = {}
        for instrument in instruments:
            sides = await self._levels(instrument)
            if sides is not None:
                offered = (order_book.total(side, instrument) for side in sides)
                found[instrument.symbol] = min(offered)
        return found

    async def close(self) -> None:
        """Let go of connections; orders stay."""
        await self._api.close()

    async def _levels(
        self, instrument: Instrument
    ) -> tuple[Sequence[Level], Sequence[Level]] | None:
        try:
            return await self._api.levels(self._listing.market(instrument))
        except Failure:
            return None

    async def _told_since(self, since: int) -> list[tuple[str, VenueTrade]]:
        """(client id, trade) of every trade in these markets.

        Raises:
            Failure: if the exchange does not answer.
        """
        return [
            pair
            for market in self._listing.markets
            for pair in await self._api.trades_since(market, since)
        ]

    def _executed(
        self, pairs: Iterable[tuple[str, VenueTrade]], forced: bool
    ) -> tuple[list[tuple[str, VenueTrade, Execution]], tuple[DoubtfulTrade, ...]]:
        """Those that are forced, or those that are not, each once, in order.

        Beside them those that cannot be booked, or were told in two versions.
        """
        found: dict[str, tuple[str, VenueTrade, Execution]] = {}
        doubtful: dict[str, DoubtfulTrade] = {}
        for reference, trade in sorted(pairs, key=lambda pair: moment(pair[1])):
            if trade.forced is not forced:
                continue
            made, key = self._reports.booked(trade), trade.exec_id
            if isinstance(made, Doubt):
                doubtful[key] = DoubtfulTrade(reference, key, made.reason)
            elif found.setdefault(key, (reference, trade, made[0])) != (reference, trade, made[0]):
                doubtful[key] = DoubtfulTrade(reference, key, "it was told in two versions")
        for key in doubtful:
            found.pop(key, None)
        return list(found.values()), tuple(doubtful.values())
