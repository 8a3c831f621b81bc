"""Outcome: what became of a batch, by receipts and nonces alone, safe against reorganisations.

A transaction can be mined until its nonce is taken, and that is sure only where ``finality``
blocks stand on top. So nothing is called replaced, or final, by the latest block's word; and
nothing is called replaced because a receipt is missing, but only by what stands in its place.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.evm.batch import Batch, Signed
from agent_fund.execution.evm.chain import Chain, ChainSilent
from agent_fund.execution.evm.nonce import settled_count, taker
from agent_fund.execution.evm.receipt import Receipt


class BatchState(enum.Enum):
    """What became of the calls of a batch that are no approvals."""

    PENDING = "pending"  # not all are mined, and they can still be
    MINED = "mined"  # all of them, and none reverted
    REVERTED = "reverted"
    REPLACED = "replaced"  # another transaction, that is known, took a nonce for good


@dataclass(frozen=True)
class Outcome:
    """What the chain says of a batch now.

    Attributes:
        receipts: of each transaction, None while it is not mined.
        final: whether every nonce of the batch is taken for good, so that this is the last word.
        pooled: whether the node knows every transaction that is not mined yet; if not, the bytes
            must be sent again.
        gas: wei burnt so far, replacements that this process sent included.
    """

    state: BatchState
    receipts: tuple[Receipt | None, ...]
    final: bool
    pooled: bool
    gas: int

    @property
    def essential(self) -> tuple[Receipt, ...]:
        """The receipts there are; approvals move nothing, so theirs need not be left out."""
        return tuple(one for one in self.receipts if one is not None)


async def outcome_of(
    chain: Chain, batch: Batch, replacements: Mapping[int, Collection[str]]
) -> Outcome:
    """Ask the chain about ``batch``.

    Args:
        replacements: by nonce, hashes of other transactions of ours that may have taken it.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer, or a nonce is taken for good and
            the node shows neither a receipt of ours nor what else took it.
    """
    # In this order: were the receipts read first, a transaction that is mined in between would
    # seem to have been replaced.
    settled, taken = await settled_count(chain, batch.sender)
    found = await _receipts(
        chain,
        {
            hash: one.nonce
            for one in batch.transactions
            for hash in (*one.hashes, *replacements.get(one.nonce, ()))
        },
    )
    own = {hash for one in batch.transactions for hash in one.hashes}
    by_nonce = {nonce: done for nonce, done in found if done.hash in own}
    replaced = {nonce for nonce, done in found if done.hash not in own and done.block <= settled}
    receipts = tuple(by_nonce.get(one.nonce) for one in batch.transactions)
    pooled = True
    for one, done in zip(batch.transactions, receipts, strict=True):
        if done is None and one.nonce >= taken:
            known = await chain.rpc("eth_getTransactionByHash", one.hash)
            pooled = pooled and known is not None
        elif done is None and not one.approval and one.nonce not in replaced:
            await _require_other(chain, batch.sender, one, settled)
    return Outcome(
        _state(batch, receipts, taken),
        receipts,
        batch.nonces[-1] < taken
        and all(done is None or done.block <= settled for done in receipts),
        pooled,
        sum(done.cost for _, done in found),
    )


async def _require_other(chain: Chain, sender: str, one: Signed, settled: int) -> None:
    """Require that what took the nonce of ``one`` is neither a version of it nor the same call."""
    other = await taker(chain, sender, one.nonce, settled)
    call, _, _ = one.read()
    same = (call.to.lower(), "0x" + call.data.hex(), call.value)
    said = (str(other["to"]).lower(), str(other["input"]).lower(), int(other["value"], 16))
    if str(other["hash"]).lower() in one.hashes or said == same:
        raise ChainSilent(f"{other['hash']} did it in nonce {one.nonce}; its receipt is missing")


def _state(batch: Batch, receipts: tuple[Receipt | None, ...], taken: int) -> BatchState:
    pairs = [
        (one, done)
        for one, done in zip(batch.transactions, receipts, strict=True)
        if not one.approval
    ]
    if any(done is not None and not done.ok for _, done in pairs):
        return BatchState.REVERTED
    if any(done is None and one.nonce < taken for one, done in pairs):
        return BatchState.REPLACED
    if all(done is not None for _, done in pairs):
        return BatchState.MINED
    return BatchState.PENDING


async def _receipts(chain: Chain, nonces: Mapping[str, int]) -> list[tuple[int, Receipt]]:
    """The receipts of those hashes that are mined, each with its nonce."""
    answers = await chain.rpc_many([("eth_getTransactionReceipt", [hash]) for hash in nonces])
    found = []
    for nonce, answer in zip(nonces.values(), answers, strict=True):
        if isinstance(answer, Web3RPCError):
            raise answer
        if answer is not None:
            found.append((nonce, Receipt.read(answer)))
    return found
