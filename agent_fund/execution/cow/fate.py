"""Fate: what the chain alone says became of an order: filled, or past being filled, or open.

An order that is past its time is over for good once a final block is later and no trade of it
stands on chain up to there: no block after that one can settle it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent_fund.domain.order import Side
from agent_fund.execution.cow.market import Market
from agent_fund.execution.cow.settlement import INVALIDATED, Settlement, Trade, fits
from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.past import settled
from agent_fund.execution.live.adapter import Execution
from agent_fund.execution.live.leg_state import LegState


@dataclass(frozen=True)
class Fate:
    """A leg's state, the trade if there was one, and words for people."""

    state: LegState
    trade: Execution | None = None
    detail: str = ""


async def fate_of(
    chain: Chain, settlement: Settlement, market: Market, order: SignedOrder, first: int
) -> Fate | None:
    """What became of ``order``; None while it is open.

    Args:
        first: a block before any trade of it.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer.
    """
    uid = settlement.uid(order)
    last = await settled(chain)
    head = await chain.head()
    trades, sound = await settlement.trades(order.owner, first, head, uid)
    if not sound or len(trades) > 1 or not all(fits(trade, order) for trade in trades):
        return Fate(LegState.UNKNOWN, detail="the settlement tells of what is not this order's")
    if trades:
        final = head - trades[0].block >= chain.finality
        done = execution(market, trades[0], order.owner, final=final)
        if done is None or done[0].value != order.kind:
            return Fate(LegState.UNKNOWN, detail="the transfers are not this order's")
        return Fate(LegState.SETTLED if final else LegState.FILLED, done[1])
    if last is not None:
        filled = await settlement.filled_amount(uid, last.block)
        if filled == INVALIDATED:
            return Fate(LegState.CANCELED, detail="invalidated on chain")
        if last.time > order.valid_to and filled:
            return Fate(
                LegState.UNKNOWN, detail="filled by the settlement's word, without its event"
            )
        if last.time > order.valid_to:
            return Fate(LegState.CANCELED, detail="its time has passed")
    if await chain.now() > order.valid_to:
        return Fate(LegState.EXPIRED, detail="its time has passed, not yet by a final block")
    return None


def execution(
    market: Market, trade: Trade, owner: str, *, final: bool
) -> tuple[Side, Execution] | None:
    """The trade in the fund's terms; None if it is of other tokens."""
    done = market.pair.execution(trade.receipt, owner, final=final)
    return None if done is None else (done[0], replace(done[1], exec_id=trade.exec_id))
