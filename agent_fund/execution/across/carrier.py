"""AcrossCarrier: currency from one chain to another; what arrives, or comes back, is booked once.

A transfer is a deposit at its source, opened by ERC-7683, for a stated amount at its target until
a stated time. A relayer that brings exactly that is its fill. After that time no pool accepts a
fill any more: so once a final block of the target says that it has passed without one, and only
then, a refund at the source ends the transfer, and a fill and a refund can never both count.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transit
from agent_fund.execution.across.contracts import OPEN
from agent_fund.execution.across.delivery import Delivery
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.place import Place
from agent_fund.execution.across.relay import BridgeOrder, Relay
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import UNCERTAIN
from agent_fund.execution.evm.outcome import BatchState, Outcome
from agent_fund.execution.evm.past import settled
from agent_fund.execution.live.adapter import Prepared, Report, TransferQuote
from agent_fund.execution.live.leg_state import LegState

_VALID = 60_000  # milliseconds: a relayer owes nothing, so a quote is only an expectation


class AcrossCarrier:
    """Carries ``currency`` between ``places``, each on a chain of its own.

    Args:
        fee: what is offered to relayers. ``seconds``: how long a fill is expected to take.
        refund_seconds: after the fill deadline, how long the hub may take with a refund; a leg is
            STUCK after that, and still ends if the refund comes.
    """

    def __init__(
        self,
        name: str,
        currency: Asset,
        places: Sequence[Place],
        fee: RelayerFee,
        *,
        seconds: int,
        refund_seconds: int,
    ) -> None:
        self._name = name
        self._currency = currency
        self._places = {place.name: place for place in places}
        self._chains = {place.chain.chain_id: place for place in places}
        self._fee = fee
        self._seconds = seconds
        self._refund_seconds = refund_seconds
        if len(self._chains) != len(places) or len(self._places) != len(places):
            names = [place.name for place in places]
            raise ExecutionError(f"places of {name}", names, "name one place for each chain")

    @property
    def name(self) -> str:
        """The name by which run files and mandates know it."""
        return self._name

    def carries(self, source: str, target: str) -> bool:
        """Whether both are places of this carrier."""
        return source != target and source in self._places and target in self._places

    async def start(self) -> None:
        """Compare every place with its chain.

        Raises:
            ExecutionError: with the fix, if it does not hold.
        """
        for place in self._places.values():
            await place.check(self._currency)

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        """What is offered to relayers; None if nothing is left, or no deposit is taken now."""
        if not self.carries(source, target):
            return None
        here, there = self._places[source], self._places[target]
        left = max(self._fee.after(amount), 0)
        arriving = there.token.arrived(there.token.down(left, self._currency), self._currency)
        try:
            if not arriving or not await here.pool.accepts(
                here.token.address, there.chain.chain_id
            ):
                return None
            valid_until = await here.chain.now() * 1000 + _VALID
        except UNCERTAIN:
            return None
        return TransferQuote(
            source,
            target,
            amount,
            arriving,
            here.gas,
            valid_until,
            self._seconds,
            # Until it is filled or refunded, it is the pool's, and the hub decides on refunds.
            trusted=self._name,
        )

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        """An exact allowance and the opening of the deposit, signed; nothing is sent.

        Raises:
            ExecutionError: if it cannot be made; nothing has left its source then.
        """
        transfer, currency = transit.transfer, self._currency
        if not self.carries(transfer.source, transfer.target):
            pair = (transfer.source, transfer.target)
            raise ExecutionError("transfer", pair, f"{self._name} serves {sorted(self._places)}")
        if not 0 < min_received <= transfer.amount:
            fix = f"ask for something, and no more than the {transfer.amount} that leave"
            raise ExecutionError(f"transfer {transit.transfer_id}", min_received, fix)
        here, there = self._places[transfer.source], self._places[transfer.target]
        order = BridgeOrder(
            depositor=here.account.address,
            recipient=there.account.address,
            input_token=here.token.address,
            output_token=there.token.address,
            input_amount=here.token.exactly(transfer.amount, currency),
            output_amount=there.token.up(min_received, currency),
            origin_chain=here.chain.chain_id,
            destination_chain=there.chain.chain_id,
            fill_deadline=deadline,
        )
        opening = Call(here.depositor, call_data(OPEN, order.onchain))
        action = Action(
            opening, here.depositor, order.input_token, order.input_amount, NOTHING, min_out=0
        )
        try:
            first = max(await there.chain.head() - there.chain.finality, 0)
            calls = await here.account.calls(action, transit.transfer_id, deadline)
            batch = await here.lane.sign(calls, deadline)
        except UNCERTAIN as error:
            fix = "nothing was signed; ask again when it answers"
            raise ExecutionError(f"transfer {transit.transfer_id}", str(error), fix) from None
        notes = order.notes() | {"first": str(first)}
        return Prepared(transit.transfer_id, batch.reference, batch.encode(), deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send the bytes, or send them again; one deposit at most comes of it."""
        lane = self._order(prepared)[1].lane
        try:
            against = await lane.send(Batch.decode(prepared.payload))
        except UNCERTAIN as error:
            return _doubt(prepared, str(error))
        if against:
            return _doubt(prepared, "; ".join(against))
        return Report(prepared.leg_id, LegState.SUBMITTED)

    async def status(self, prepared: Prepared) -> Report:
        """What became of it; see the module for what ends it."""
        _, here, _ = self._order(prepared)
        batch = Batch.decode(prepared.payload)
        try:
            report = await self._status(prepared)
            if report.state.ended:
                # What it leaves of its nonces is the lane's to free, now or before it signs again.
                here.lane.release(batch)
                with suppress(ExecutionError):
                    await here.lane.tend()
        except UNCERTAIN as error:
            return _doubt(prepared, str(error))
        return report

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same deposit at a higher fee; None once it is mined, or if the cap forbids it."""
        _, here, _ = self._order(prepared)
        batch = Batch.decode(prepared.payload)
        try:
            if await here.chain.now() > prepared.deadline:
                return None
            higher = await here.lane.bump(batch)
        except (*UNCERTAIN, ExecutionError):
            return None
        return None if higher == batch else replace(prepared, payload=higher.encode())

    async def restore(self, prepared: Sequence[Prepared]) -> None:
        """Take up the legs of an earlier process that have not ended, before any new transfer.

        Nothing is asked; any number of times is as good as once.

        Raises:
            ExecutionError: if they are not the bytes that ``prepare`` made for these places.
        """
        for one in prepared:
            _, here, _ = self._order(one)
            await here.lane.restore([Batch.decode(one.payload)])

    async def close(self) -> None:
        """Let go of connections; what is under way stays under way."""
        for place in self._places.values():
            await place.chain.close()

    async def _status(self, prepared: Prepared) -> Report:
        order, here, there = self._order(prepared)
        last = await settled(here.chain)
        batch = Batch.decode(prepared.payload)
        outcome = await here.lane.outcome(batch)

        def report(state: LegState, detail: str = "", received: int | None = None) -> Report:
            return Report(prepared.leg_id, state, (), received, outcome.gas, detail)

        match outcome.state:
            case BatchState.REPLACED:
                return report(LegState.CANCELED, "another transaction took its nonce")
            case BatchState.REVERTED if outcome.final:
                return report(LegState.REJECTED, "opening the deposit reverted: nothing left")
            case BatchState.REVERTED:
                return report(LegState.SUBMITTED, "opening the deposit reverted, not yet final")
            case BatchState.PENDING if last is not None and last.time > order.fill_deadline:
                # From that block on the pool refuses the deposit.
                return report(LegState.CANCELED, "not opened before its deadline")
            case BatchState.PENDING:
                if not outcome.pooled:
                    await here.lane.resend(batch)
                await here.lane.tend()
                return report(LegState.SUBMITTED, "" if outcome.pooled else "sent again")
        relay = _deposit(order, outcome, here)
        if relay is None:
            return report(LegState.UNKNOWN, "opened, but the pool tells of no such deposit")
        delivery = Delivery(relay, here, there, self._chains, self._refund_seconds)
        state, units, detail = await delivery.state(int(prepared.notes["first"]), outcome.final)
        if units is None:
            return report(state, detail)
        end = there if state in (LegState.FILLED, LegState.SETTLED) else here
        left = here.token.arrived(order.input_amount, self._currency)
        # A slow fill may bring more than was asked for; more than left is not booked.
        return report(state, detail, min(end.token.arrived(units, self._currency), left))

    def _order(self, prepared: Prepared) -> tuple[BridgeOrder, Place, Place]:
        order = BridgeOrder.read(prepared.notes)
        here = self._chains.get(order.origin_chain)
        there = self._chains.get(order.destination_chain)
        if here is None or there is None:
            pair = (order.origin_chain, order.destination_chain)
            fix = f"{self._name} needs a place on each of these chains"
            raise ExecutionError(f"transfer {prepared.leg_id}", pair, fix)
        return order, here, there


def _deposit(order: BridgeOrder, outcome: Outcome, here: Place) -> Relay | None:
    """The deposit of exactly this order that its own transactions made."""
    mined = [one for one in outcome.receipts if one is not None]
    for relay in here.pool.deposits_in(mined):
        if relay == order.relay(relay.deposit_id):
            return relay
    return None


def _doubt(prepared: Prepared, detail: str) -> Report:
    return Report(prepared.leg_id, LegState.UNKNOWN, detail=detail)
