"""Outcome: what became of a batch, by receipts and nonces alone, safe against reorganisations.

A transaction can be mined until its nonce is taken, and that is sure only where ``finality``
blocks stand on top. So nothing is called replaced, or final, by the latest block's word.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.receipt import Receipt


class BatchState(enum.Enum):
    """What became of the calls of a batch that are no approvals."""

    PENDING = "pending"  # not all are mined, and they can still be
    MINED = "mined"  # all of them, and none reverted
    REVERTED = "reverted"
    REPLACED = "replaced"  # something else took a nonce for good


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
        ChainSilent, Web3RPCError: if the chain does not answer.
    """
    # In this order: were the receipts read first, a transaction that is mined in between would
    # seem to have been replaced.
    settled = await chain.head() - chain.finality
    taken = 0
    if settled >= 0:
        answer = await chain.rpc("eth_getTransactionCount", batch.sender, hex(settled))
        taken = int(answer, 16)
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
    receipts = tuple(by_nonce.get(one.nonce) for one in batch.transactions)
    pooled = True
    for one, done in zip(batch.transactions, receipts, strict=True):
        if done is None and one.nonce >= taken:
            known = await chain.rpc("eth_getTransactionByHash", one.hash)
            pooled = pooled and known is not None
    return Outcome(
        _state(batch, receipts, taken),
        receipts,
        batch.nonces[-1] < taken,
        pooled,
        sum(done.cost for _, done in found),
    )


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
