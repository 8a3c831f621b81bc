"""CowAdapter: a venue where an order is a signature, and a fill is what the settlement says.

An order is signed once, with the hash of the guard's verdict in its app data, and given to the
API. What the API says of it afterwards moves nothing: filled is what the settlement's event and
the transfers say, and canceled is what no block can settle any more. A request to cancel is only a
request. Until one of them is final, the order is open, whatever the API says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.execution.cow.account import Account
from agent_fund.execution.cow.allowance import Allowance
from agent_fund.execution.cow.app_data import app_data
from agent_fund.execution.cow.fate import fate_of
from agent_fund.execution.cow.leg import Leg
from agent_fund.execution.cow.market import CowConfig, Market
from agent_fund.execution.cow.order_book import ApiRefusedError, ApiSilentError, OrderBook
from agent_fund.execution.cow.quotes import Quotes
from agent_fund.execution.cow.settlement import Settlement
from agent_fund.execution.cow.signed_order import cancellation
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.chain import UNCERTAIN, Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState, Outcome
from agent_fund.execution.live.adapter import (
    Capabilities,
    Holdings,
    Prepared,
    Quote,
    Report,
)
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.signing import EvmSigner


class CowAdapter:
    """An ``Adapter``.

    Args:
        signer: whose own assets are traded; the lane is of the same key.
        verdict_of: the leaf hash (32 bytes) of the guard's record that admitted the order of this
            ClOrdID; it goes into what is signed. It raises ExecutionError where there is none.

    Raises:
        ExecutionError: for an instrument of another venue.
    """

    def __init__(
        self,
        config: CowConfig,
        api: OrderBook,
        chain: Chain,
        lane: Lane,
        signer: EvmSigner,
        verdict_of: Callable[[str], bytes],
    ) -> None:
        self._config = config
        self._api = api
        self._chain = chain
        self._lane = lane
        self._signer = signer
        self._verdict_of = verdict_of
        self._settlement = Settlement(chain, config.settlement)
        self._quotes = Quotes(api, signer.address, config.gas)
        self._allowance = Allowance(chain, lane, self._settlement)
        self._markets = {one.pair.instrument.symbol: one for one in config.markets}
        self._account = Account(
            config.venue,
            tuple(self._markets.values()),
            api,
            chain,
            self._settlement,
            signer.address,
        )
        self._given_up: set[str] = set()
        for market in config.markets:
            one = market.pair.instrument
            if one.venue.name != config.venue:
                raise ExecutionError(
                    f"instrument {one.symbol}", one.venue.name, f"this venue is {config.venue}"
                )
        if lane.address != signer.address:
            raise ExecutionError("lane", lane.address, f"orders are signed by {signer.address}")

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        return self._config.venue

    @property
    def capabilities(self) -> Capabilities:
        """Whole or not at all; rests until its deadline, and no longer; nobody holds the assets."""
        return Capabilities(
            partial_fills=False,
            resting=True,
            finality=self._chain.finality,
            custody=False,
            dead_man=True,
        )

    def maximum_fee(self, order: Order) -> int:
        """Less than one price unit's worth: what rounding the price leaves; see Pair."""
        return order.instrument.notional(order.quantity, 1)

    async def start(self) -> None:
        """Check the chain, the tokens' decimals and the settlement.

        Raises:
            ExecutionError: if one of them is not as configured, or the node does not answer.
        """
        await self._chain.start()
        try:
            for market in self._markets.values():
                pair = market.pair
                await pair.base.require(self._chain, pair.instrument.base)
                await pair.quote.require(self._chain, pair.instrument.quote)
            await self._allowance.start()
        except UNCERTAIN as error:
            fix = "check the node and the settlement's address"
            raise ExecutionError(self.name, str(error), fix) from None

    async def restore(self, prepared: Sequence[Prepared]) -> None:
        """Take up the legs of an earlier process that have not ended, before any new order.

        Nothing is asked; any number of times is as good as once.

        Raises:
            ExecutionError: if they are not the bytes that ``prepare`` made for this chain and key.
        """
        legs = [Leg.of(one) for one in prepared]
        await self._lane.restore([leg.batch for leg in legs])
        for one, leg in zip(prepared, legs, strict=True):
            self._allowance.take_up(one.leg_id, leg.order)

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """What the API expects solvers to give or take; an indication."""
        return await self._quotes.quote(self._market(instrument), side, quantity)

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        """The signed order, and the signed allowance of exactly what open orders may sell.

        Raises:
            ExecutionError: without a verdict, after the deadline, or if the chain does not answer;
                nothing has left.
        """
        market = self._market(order.instrument)
        document = app_data(verdict := self._verdict_of(order.order_id))
        signed = market.signed_order(order, self._signer.address, deadline, document)
        typed = signed.typed_data(self._chain.chain_id, self._config.settlement)
        signature = await self._signer.sign_typed_data(typed)
        try:
            first = max(await self._chain.head() - self._chain.finality, 0)
            batch = await self._allowance.raise_for(order.order_id, signed, deadline)
        except UNCERTAIN as error:
            fix = "nothing was sent; try again"
            raise ExecutionError(f"order {order.order_id}", str(error), fix) from None
        leg = Leg(batch, signed.creation(signature))
        notes = {
            "instrument": order.instrument.symbol,
            "side": order.side.value,
            "verdict": "0x" + verdict.hex(),
            "app_data": document,
            "first": str(first),
        }
        uid = self._settlement.uid(signed)
        return Prepared(order.order_id, "0x" + uid.hex(), leg.payload(), deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send the allowance; give the order to the API once it is mined, now or in ``status``."""
        try:
            against = await self._lane.send(Leg.of(prepared).batch)
        except UNCERTAIN as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        if against:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail="; ".join(against))
        return await self.status(prepared)

    async def status(self, prepared: Prepared) -> Report:
        """What the chain says of it; an order that the API lost is given to it again."""
        leg = Leg.of(prepared)
        self._allowance.take_up(prepared.leg_id, leg.order)
        try:
            await self._allowance.tend()
            outcome = await self._lane.outcome(leg.batch)
            market = self._markets[prepared.notes["instrument"]]
            first = int(prepared.notes["first"])
            fate = await fate_of(self._chain, self._settlement, market, leg.order, first)
            if fate is None:
                report = await self._offered(prepared, leg, outcome)
            else:
                trades = () if fate.trade is None else (fate.trade,)
                report = Report(prepared.leg_id, fate.state, trades, detail=fate.detail)
            if report.state.ended:
                self._lane.release(leg.batch)
                await self._allowance.ended(prepared.leg_id)
            elif outcome.state is BatchState.PENDING:
                await self._lane.tend()
        except UNCERTAIN as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        return replace(report, gas=outcome.gas)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same order with a dearer allowance; None once that is mined or if the cap forbids."""
        leg = Leg.of(prepared)
        try:
            if await self._chain.now() > prepared.deadline:
                return None
            higher = await self._lane.bump(leg.batch)
        except (*UNCERTAIN, ExecutionError):
            return None
        return None if higher == leg.batch else replace(prepared, payload=leg.payload(higher))

    async def cancel(self, prepared: Prepared) -> Report:
        """Ask the API to forget the order; CANCELED only once no block can settle it."""
        leg = Leg.of(prepared)
        self._given_up.add(prepared.leg_id)
        uid = self._settlement.uid(leg.order)
        typed = cancellation(self._chain.chain_id, self._config.settlement, [uid])
        signature = await self._signer.sign_typed_data(typed)
        try:
            await self._api.cancel([uid], signature)
        except ApiSilentError as error:
            report = await self.status(prepared)
            return report if report.state.ended else _doubt(prepared, str(error))
        except ApiRefusedError:
            pass  # it does not have it, or it is over there: the chain knows
        return await self.status(prepared)

    async def holdings(self, since: int) -> Holdings:
        """Balances and trades by the chain; resting orders by the API.

        Raises:
            ExecutionError: if one of them does not answer, or a trade's transfers are missing.
        """
        return await self._account.holdings(since)

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """Half way between a quote to buy and one to sell the market's probe, down to the tick."""
        found = {one.symbol: await self._quotes.middle(self._market(one)) for one in instruments}
        return {symbol: price for symbol, price in found.items() if price}

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """As configured."""
        return {one.symbol: self._market(one).depth for one in instruments}

    async def close(self) -> None:
        """Close the connections; orders stay."""
        await self._api.close()
        await self._chain.close()

    async def _offered(self, prepared: Prepared, leg: Leg, outcome: Outcome) -> Report:
        """See to it that the API has the open order."""
        if outcome.state is not BatchState.MINED:
            if not outcome.pooled:
                await self._lane.resend(leg.batch)
            detail = f"its allowance is {outcome.state.value}"
            return Report(prepared.leg_id, LegState.SUBMITTED, detail=detail)
        uid = self._settlement.uid(leg.order)
        detail = ""
        try:
            told = await self._api.order(uid)
            if told is None and prepared.leg_id not in self._given_up:
                await self._api.post(leg.creation)
            elif told is not None and told.get("status") != "open":
                hashes = [str(one.get("txHash")) for one in await self._api.trades(uid)]
                claim = " ".join([str(told.get("status")), *hashes])
                detail = f"the API says {claim}; the chain does not"
        except ApiRefusedError as refusal:
            # Its signature has left all the same, and stands until its time has passed.
            detail = f"the API refused it: {refusal}"
        except ApiSilentError as error:
            return _doubt(prepared, str(error))
        return Report(prepared.leg_id, LegState.SUBMITTED, detail=detail)

    def _market(self, instrument: Instrument) -> Market:
        market = self._markets.get(instrument.symbol)
        if market is None:
            fix = f"it trades {', '.join(self._markets)}"
            raise ExecutionError(self.name, instrument.symbol, fix)
        return market


def _doubt(prepared: Prepared, detail: str) -> Report:
    return Report(prepared.leg_id, LegState.UNKNOWN, detail=detail)
