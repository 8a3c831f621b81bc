"""Simulation before signing: the whole batch, call after call, on the state of the latest block.

A swap cannot be tried before its allowance exists, so the calls are run one after the other in one
simulated block (``eth_simulateV1``), each on what the ones before it left. The owner's balances can
be asked for in the same block, before and after. All this is true of the latest block: what changes
until the calls are mined, such as a token's fee, is not foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import revert_reason
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.terms import Terms

_SPARE = 50_000  # two storage slots written for the first time (EIP-2929), and a little


class RevertError(ExecutionError):
    """A call that fails on the chain as it is; ``value`` is the contract's own reason."""


async def simulate(
    chain: Chain, sender: str, calls: Sequence[Call], terms: Terms | None = None
) -> tuple[int, ...]:
    """The gas limits for ``calls``, sent by ``sender`` in this order, if they keep ``terms``.

    A limit is one and a half times what the simulation used, and some more: a fifth of the gas that
    a call needs may be refunded at its end (EIP-3529), and a call may do more in a later block, as
    a Uniswap V2 pair does that is the first time traded in a new second. What is not used is not
    paid.

    Raises:
        RevertError: if one of them reverts.
        TermsError: if they move other amounts than the terms allow.
        ExecutionError: if the node does not simulate, or the account has too little coin.
        ChainSilent: without an answer.
    """
    looks = () if terms is None else terms.looks
    asked = [
        {"from": sender, "to": one.to, "input": "0x" + one.data.hex(), "value": hex(one.value)}
        for one in (*looks, *calls, *looks)
    ]
    request = {"blockStateCalls": [{"calls": asked}], "validation": False}
    try:
        block = (await chain.rpc("eth_simulateV1", request, "latest"))[0]
    except Web3RPCError as error:
        raise ExecutionError(
            f"simulation on {chain.name}",
            error.message,
            "fund the account, or use a node with eth_simulateV1 if it is the method that lacks",
        ) from None
    limits, answers = [], []
    ran = zip((*looks, *calls, *looks), block["calls"], strict=True)
    for number, (call, done) in enumerate(ran, 1 - len(looks)):
        answers.append(bytes.fromhex(done["returnData"][2:]))
        own = 1 <= number <= len(calls)
        if int(done["status"], 16) != 1:
            which = f"call {number} of {len(calls)} to" if own else "balanceOf at"
            raise RevertError(
                f"{which} {call.to} on {chain.name}",
                revert_reason(answers[-1]),
                "nothing was signed; quote again",
            )
        if own:
            limits.append(int(done["gasUsed"], 16) * 3 // 2 + _SPARE)
    if terms is not None:
        terms.require(answers[: len(looks)], answers[len(looks) + len(calls) :])
    return tuple(limits)
