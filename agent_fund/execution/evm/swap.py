"""SwapAdapter: a venue made of an automated market maker's pools on one chain.

An order is one swap, whole or not at all. The router reverts one that costs more or brings less
than its limit says, as the pool reckons; what a token keeps of a transfer it does not see. So what
would miss the limit by the account's own balances, simulated, is not signed. A fee that a token
switches on after that is not caught at a plain key's account, and such a trade is no fill of its
order; a Safe's module looks at the balances in the transaction itself. What moved is read from the
transfers in the receipt. An order is CANCELED only when its nonce is taken for good by something
that moved nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.account import Account
from agent_fund.execution.evm.amm import Amm
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Action, Call
from agent_fund.execution.evm.chain import UNCERTAIN, Chain, ChainSilent
from agent_fund.execution.evm.history import trades_since
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState, Outcome
from agent_fund.execution.evm.pools import Pools, SwapConfig
from agent_fund.execution.evm.terms import Terms
from agent_fund.execution.live.adapter import (
    Capabilities,
    Execution,
    Holdings,
    Prepared,
    Quote,
    Report,
)
from agent_fund.execution.live.leg_state import LegState

_NOW = 1_000_000  # nanoseconds in a millisecond


class SwapAdapter:
    """An ``Adapter``.

    Args:
        clock: Unix milliseconds.

    Raises:
        ExecutionError: for an instrument of another venue, or an asset without a token.
    """

    def __init__(
        self,
        config: SwapConfig,
        amm: Amm,
        account: Account,
        chain: Chain,
        lane: Lane,
        clock: Callable[[], int] = lambda: time.time_ns() // _NOW,
    ) -> None:
        self._pools = Pools(config, amm, chain)
        self._name = config.venue
        self._validity = config.validity
        self._amm = amm
        self._account = account
        self._chain = chain
        self._lane = lane
        self._clock = clock

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Whole or nothing, nothing rests, nobody is trusted; final at the chain's depth."""
        return Capabilities(
            partial_fills=False, resting=False, finality=self._chain.finality, custody=False
        )

    def maximum_fee(self, order: Order) -> int:
        """Less than one price unit's worth: what rounding the price leaves; see Pair."""
        return order.instrument.notional(order.quantity, 1)

    async def start(self) -> None:
        """Check the chain, the tokens' decimals and every pool.

        Raises:
            ExecutionError: if one of them is not as configured, or the node does not answer.
        """
        await self._chain.start()
        try:
            await self._pools.start()
        except UNCERTAIN as error:
            raise ExecutionError(self._name, str(error), "check the node and start again") from None

    async def restore(self, prepared: Sequence[Prepared]) -> None:
        """Take up the legs of an earlier process that have not ended, before any new order.

        Raises:
            ExecutionError: if the chain does not answer.
        """
        try:
            await self._lane.restore([Batch.decode(one.payload) for one in prepared])
        except UNCERTAIN as error:
            raise ExecutionError(self._name, str(error), "check the node and start again") from None

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """What the pool would give or take in the state it is in; an indication."""
        pair = self._pools.pair(instrument.symbol)
        try:
            spent, received = await self._pools.offer(pair, side, quantity)
            gas, detail = await self._pools.gas(await self._lane.price())
        except UNCERTAIN:
            return None
        until = self._clock() + self._validity
        return Quote(
            instrument, side, quantity, spent, received, gas, until, firm=False, detail=detail
        )

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        """The signed batch for ``order``: an exact allowance, the swap, and no allowance again.

        Raises:
            ExecutionError: if the swap cannot happen within its limit now, by what would leave the
                account and reach it, or the chain does not answer; nothing has left, and nothing
                that was signed will.
        """
        action = self._action(order, deadline)
        try:
            calls = await self._account.calls(action, order.order_id, deadline)
            terms = Terms(self._account.address, action)
            batch = await self._lane.sign(calls, deadline, terms)
        except UNCERTAIN as error:
            raise ExecutionError(
                f"order {order.order_id}", str(error), "nothing was sent; try again"
            ) from None
        notes = {"instrument": order.instrument.symbol, "side": order.side.value}
        return Prepared(order.order_id, batch.reference, batch.encode(), deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send the bytes, or send them again."""
        try:
            against = await self._lane.send(Batch.decode(prepared.payload))
        except ChainSilent as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        if against:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail="; ".join(against))
        return Report(prepared.leg_id, LegState.SUBMITTED)

    async def status(self, prepared: Prepared) -> Report:
        """What became of it.

        What this process sent and the node lost, by a reorganisation or a full pool, is sent again
        as it was; of a cancelled order, its replacement.
        """
        batch = Batch.decode(prepared.payload)
        try:
            outcome = await self._lane.outcome(batch)
            late = await self._chain.now() > prepared.deadline
            if not outcome.pooled:
                await self._lane.resend(batch)
            if outcome.state is BatchState.PENDING:
                await self._lane.tend()
        except UNCERTAIN as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        return self._report(prepared, outcome, late=late)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same batch with fees raised by an eighth or more; None if the cap forbids it.

        None too after the deadline, when nothing is left to be mined, or without an answer.
        """
        batch = Batch.decode(prepared.payload)
        try:
            if await self._chain.now() > prepared.deadline:
                return None
            higher = await self._lane.bump(batch)
        except (*UNCERTAIN, ExecutionError):
            return None
        if higher == batch:
            return None
        return replace(prepared, payload=higher.encode())

    async def cancel(self, prepared: Prepared) -> Report:
        """Put a transfer of nothing in its place; CANCELED once that is final."""
        batch = Batch.decode(prepared.payload)
        try:
            await self._lane.cancel(batch)
        except UNCERTAIN as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        except ExecutionError as error:
            return replace(await self.status(prepared), detail=str(error))
        return await self.status(prepared)

    async def holdings(self, since: int) -> Holdings:
        """Balances of tokens and coin, and trades by the pools' events; nothing rests here.

        Raises:
            ExecutionError: if the chain does not answer.
        """
        owner = self._account.address
        try:
            assets = {}
            for asset in self._pools.assets:
                token = self._pools.config.tokens[asset.symbol]
                balance = await token.balance(self._chain, owner)
                assets[asset.symbol] = token.arrived(balance, asset)
            trades = await trades_since(
                self._chain, self._amm.swapped, self._pools.pairs, owner, since
            )
            coin = await self._chain.coin(self._lane.address)
        except UNCERTAIN as error:
            raise ExecutionError(self._name, str(error), "ask again") from None
        return Holdings(assets, (), tuple(trades), coin)

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """Each pool's price now, without its fee, rounded down to the tick."""
        return await self._pools.prices(instruments)

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """What each pool holds of the base asset, in base units."""
        return await self._pools.depth(instruments)

    async def close(self) -> None:
        """Close the chain's connections; what was sent goes on."""
        await self._chain.close()

    def _action(self, order: Order, deadline: int) -> Action:
        pair = self._pools.pair(order.instrument.symbol)
        base, quote = pair.base.address, pair.quote.address
        amount = pair.base.exactly(order.quantity, order.instrument.base)
        owner, router = self._account.address, self._amm.router
        if order.side is Side.BUY:
            most = pair.most_spent(order.quantity, order.limit)
            data = self._amm.exact_out(quote, base, amount, most, owner, deadline)
            return Action(Call(router, data), router, quote, most, base, amount)
        least = pair.least_received(order.quantity, order.limit)
        data = self._amm.exact_in(base, quote, amount, least, owner, deadline)
        return Action(Call(router, data), router, base, amount, quote, least)

    def _report(self, prepared: Prepared, outcome: Outcome, *, late: bool) -> Report:
        leg_id, gas = prepared.leg_id, outcome.gas
        if outcome.state is BatchState.MINED:
            trades = self._trades(prepared, outcome)
            if not trades:
                detail = "mined, but the transfers of a swap are not in its receipt"
                return Report(leg_id, LegState.UNKNOWN, gas=gas, detail=detail)
            state = LegState.SETTLED if outcome.final else LegState.FILLED
            return Report(leg_id, state, trades, gas=gas)
        why = {
            BatchState.REVERTED: "reverted: nothing moved",
            BatchState.REPLACED: "its nonce was taken by another transaction",
            BatchState.PENDING: "" if outcome.pooled else "the node does not have it",
        }[outcome.state]
        if outcome.final:
            return Report(leg_id, LegState.CANCELED, gas=gas, detail=why)
        if late and outcome.state is BatchState.PENDING:
            why = "its deadline has passed; cancel it to free its nonce"
            return Report(leg_id, LegState.EXPIRED, gas=gas, detail=why)
        return Report(leg_id, LegState.SUBMITTED, gas=gas, detail=why)

    def _trades(self, prepared: Prepared, outcome: Outcome) -> tuple[Execution, ...]:
        pair, side = self._pools.pair(prepared.notes["instrument"]), Side(prepared.notes["side"])
        owner = self._account.address
        found = [pair.execution(one, owner, final=outcome.final) for one in outcome.essential]
        return tuple(one[1] for one in found if one is not None and one[0] is side)
