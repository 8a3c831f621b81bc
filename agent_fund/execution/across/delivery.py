"""Delivery: what became of a deposit, by the two chains alone: filled, expired, refunded or stuck.

A pool takes no fill after the deadline. So a deposit has expired for good once a final block of
the target is later than the deadline and holds it for unfilled; only then is a refund looked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.execution.across.place import Place
from agent_fund.execution.across.refunds import Claim, Payment, refunded
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.evm.past import Moment, moment, settled
from agent_fund.execution.live.leg_state import LegState

Answer = tuple[LegState, int | None, str]
"""The state; the token's units that arrived, or came back; words for people."""


class Delivery:
    """One deposit at ``here`` for ``there``.

    Args:
        chains: every place of the carrier by its chain's id.
        refund_seconds: time for a refund after the deadline; later it is stuck.
    """

    def __init__(
        self,
        relay: Relay,
        here: Place,
        there: Place,
        chains: Mapping[int, Place],
        refund_seconds: int,
    ) -> None:
        self._relay = relay
        self._here = here
        self._there = there
        self._chains = chains
        self._stuck_after = relay.fill_deadline + refund_seconds

    async def state(self, first: int, opened: bool) -> Answer:
        """Where it stands.

        Args:
            first: block of the target before any fill. ``opened``: whether the deposit is final.

        Raises:
            ChainSilent, Web3RPCError: if a chain does not answer.
        """
        relay, there = self._relay, self._there
        head = await there.chain.head()
        fill = await there.pool.fill_of(relay, first, head)
        if fill is not None:
            final = opened and head - fill.block >= there.chain.finality
            return (LegState.SETTLED if final else LegState.FILLED), fill.amount, ""
        if not opened:
            return LegState.SUBMITTED, None, "the deposit is not final yet"
        late = await self._here.chain.now() > self._stuck_after
        if await there.pool.filled(relay, head):
            detail = "the target holds it for filled, but what was agreed did not arrive"
            return (LegState.STUCK if late else LegState.UNKNOWN), None, detail
        last = await settled(there.chain)
        if last is not None and await self._expired(relay, there, last):
            return await self._refund(late)
        if late:
            return LegState.STUCK, None, "no fill, and no final block of the target to rule one out"
        if (await moment(there.chain, head)).time > relay.fill_deadline:
            return LegState.EXPIRED, None, "the deadline passed without a fill, not yet final"
        return LegState.ORIGIN_CONFIRMED, None, ""

    async def _refund(self, late: bool) -> Answer:
        here, relay = self._here, self._relay
        last = await settled(here.chain)
        if last is not None:
            paid = await here.pool.refunds_of(
                relay.input_token, relay.depositor, here.since, last.block
            )
            payments = [Payment(one.amount, one.block) for one in paid]
            if paid and relay.deposit_id in refunded(await self._claims(last.block), payments):
                return LegState.REFUNDED, relay.input_amount, "refunded at the source"
        if late:
            return LegState.STUCK, None, "no fill, and no refund in time"
        return LegState.REFUND_PENDING, None, "expired without a fill; a refund is due"

    async def _claims(self, last: int) -> list[Claim]:
        """Every deposit of the token that is refunded to the same account, unless it was filled.

        Those for chains without a place of the fund are foreign, since anybody can deposit in its
        name: what became of them is not known, but a hub's sum may pay them too.
        """
        claims = []
        for relay, block in await self._here.pool.deposits_of(
            self._relay.depositor, self._here.since, last
        ):
            if relay.input_token != self._relay.input_token:
                continue
            terms = (relay.deposit_id, relay.input_amount, relay.fill_deadline, block)
            there = self._chains.get(relay.destination_chain)
            if there is None:
                claims.append(Claim(*terms, certain=False, foreign=True))
                continue
            now = await settled(there.chain)
            if now is not None and await there.pool.filled(relay, now.block):
                continue
            certain = now is not None and now.time > relay.fill_deadline
            claims.append(Claim(*terms, certain))
        return claims

    @staticmethod
    async def _expired(relay: Relay, there: Place, last: Moment) -> bool:
        passed = last.time > relay.fill_deadline
        return passed and not await there.pool.filled(relay, last.block)
