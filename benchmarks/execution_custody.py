"""Gas of custody on chain: a swap by a plain key, a Safe, a Safe with its module; leaf checks.

    python -m benchmarks.execution_custody [--json]

A swap is one of 1 WETH in the published Uniswap V2, its pool and the receiver's balance in use
before, blocks 12 seconds apart. The plain key and the Safe are measured with a standing allowance,
as is usual; the module sets and resets an exact one within its call, which for the plain key is two
transactions more.

A leaf check is ``LeafVerifier.provedBound`` over the loss of a seeded book of N instruments as the
guard compiles it (``benchmarks.guard_cases``), with the finder's own leaf; its answer is compared
with the kernel's. Gas is that of a transaction; from another contract, the calldata costs less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from agent_fund.devnet.anvil import DEVELOPMENT_KEYS, Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.safe import Roles, deploy_safe, owners_execution, run_by_safe
from agent_fund.devnet.tokens import allow_all, deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, deploy_v2
from agent_fund.domain.order import Proposal
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.custody.leaf_encoding import (
    encode_form,
    encode_stress,
    proved_bound_call,
)
from agent_fund.execution.custody.verdict import Domain, Verdict
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.guard.kernel.certificate import Leaf
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.compact import pack
from agent_fund.guard.kernel.form import Form, StressSet
from agent_fund.guard.search.finder import Finder
from benchmarks.guard_cases import make_world

CHAIN_ID, WETH_UNIT = 31337, 10**18
MANDATE = keccak(text="mandate")
SIZES = (10, 20, 50)
TRANSACTION = 21_000
BASE, FLOOR = (4, 16), (10, 40)  # gas of a zero and of another byte: EIP-2028, EIP-7623
NEVER = 2**63


async def gas_of(chain: Chain, sender: str, to: str, data: bytes) -> int:
    """The gas of a mined transaction that must not revert."""
    fields = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(25_000_000)}
    hash = await chain.rpc("eth_sendTransaction", fields)
    while (receipt := await chain.rpc("eth_getTransactionReceipt", hash)) is None:
        await asyncio.sleep(0.005)
    if int(receipt["status"], 16) != 1:
        raise SystemExit(f"{hash} reverted")
    return int(receipt["gasUsed"], 16)


async def swaps(chain: Chain) -> dict[str, int]:
    """Gas by whose assets are swapped and how."""
    # A pool that was used in an earlier second also notes its price, which costs two writes more.
    await chain.rpc("anvil_setBlockTimestampInterval", 12)
    deployer = await Deployer.of(chain)
    owner = deployer.address
    executor, guard = (Account.from_key(key) for key in DEVELOPMENT_KEYS[1:3])
    weth = await deploy_weth(deployer)
    cash = await deploy_token(deployer, "Cash", "CASH", 18)
    await wrap(deployer, weth, 3_000 * WETH_UNIT)
    await mint(deployer, cash, owner, 10**8 * WETH_UNIT)
    v2 = await deploy_v2(deployer, weth)
    await add_liquidity_v2(deployer, v2, weth, 1_000 * WETH_UNIT, cash, 2 * 10**6 * WETH_UNIT)
    safe = await deploy_safe(deployer, Roles(guard.address, executor.address, NOTHING, MANDATE))
    await wrap(deployer, weth, 100 * WETH_UNIT, safe.address)
    await mint(deployer, cash, safe.address, WETH_UNIT)
    domain = Domain(CHAIN_ID, safe.module)

    def swap(receiver: str) -> bytes:
        signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        return call_data(signature, WETH_UNIT, 1, [weth, cash], receiver, NEVER)

    def execution(nonce: int) -> bytes:
        data = swap(safe.address)
        action = Action(Call(v2.router, data), v2.router, weth, WETH_UNIT, cash, 1)
        made = Verdict.of(action, f"leg {nonce}", MANDATE, NEVER)
        made = Verdict(**{**vars(made), "nonce": nonce or made.nonce})
        message = encode_typed_data(full_message=dict(made.typed_data(domain)))
        return made.execution(data, bytes(guard.sign_message(message).signature))

    approve = "approve(address,uint256)"
    found: dict[str, int] = {}
    await allow_all(deployer, weth, v2.router)
    for _ in range(2):
        await gas_of(chain, owner, v2.router, swap(owner))
    found["key, standing allowance"] = await gas_of(chain, owner, v2.router, swap(owner))
    await gas_of(chain, owner, weth, call_data(approve, v2.router, 0))
    exact = await gas_of(chain, owner, weth, call_data(approve, v2.router, WETH_UNIT))
    exact += await gas_of(chain, owner, v2.router, swap(owner))
    exact += await gas_of(chain, owner, weth, call_data(approve, v2.router, 0))
    found["key, exact allowance, three transactions"] = exact
    await run_by_safe(deployer, safe, weth, call_data(approve, v2.router, 2**256 - 1))
    await run_by_safe(deployer, safe, v2.router, swap(safe.address))
    owned = owners_execution(safe, v2.router, swap(safe.address))
    found["Safe of one owner, standing allowance"] = await gas_of(chain, owner, safe.address, owned)
    await run_by_safe(deployer, safe, weth, call_data(approve, v2.router, 0))
    by_leg = await gas_of(chain, executor.address, safe.module, execution(0))
    found["Safe and module, exact allowance, nonce of the leg"] = by_leg
    await gas_of(chain, executor.address, safe.module, execution(1))
    counted = await gas_of(chain, executor.address, safe.module, execution(2))
    found["Safe and module, exact allowance, counted nonce"] = counted
    return found


def problem(count: int, *, options: bool) -> tuple[Form, StressSet, Leaf]:
    """The loss of a book, what it is proved over, and the finder's leaf."""
    world = make_world(count, 1, options=options)
    loss, _ = world.forms(Proposal())
    stress = world.mandate.stress.kernel
    leaf, _ = Finder(stress).leaf(loss)
    return loss, stress, leaf


def intrinsic(data: bytes, prices: tuple[int, int]) -> int:
    """What a transaction with ``data`` costs before anything is executed."""
    zeros = data.count(0)
    return TRANSACTION + prices[0] * zeros + prices[1] * (len(data) - zeros)


async def checks(chain: Chain) -> list[dict[str, Any]]:
    """Gas of checking a leaf, by the size of the book."""
    deployer = await Deployer.of(chain)
    found = artifact("LeafVerifier")
    code = "0x" + found.bytecode.hex()
    verifier = await deployer.creation("LeafVerifier", list(found.abi), code)
    rows = []
    for count in SIZES:
        for options in (False, True):
            form, stress, leaf = problem(count, options=options)
            hinges = [(h.weight, h.driver, h.slope, h.offset) for h in form.hinges]
            data = proved_bound_call(
                encode_form(form.constant, form.linear, hinges),
                encode_stress(stress.box, [(row.terms, row.bound) for row in stress.rows]),
                pack(leaf),
            )
            answer = await chain.call(verifier, data)
            if int.from_bytes(answer, "big", signed=True) != proved_bound(form, stress, leaf):
                raise SystemExit(f"N = {count}: the contract and the kernel differ")
            gas = await gas_of(chain, deployer.address, verifier, data)
            rows.append(
                {
                    "instruments": count,
                    "options": options,
                    "drivers": len(stress.box),
                    "rows": len(stress.rows),
                    "terms": sum(len(row.terms) for row in stress.rows),
                    "hinges": len(form.hinges),
                    "bytes": len(data),
                    "gas": gas,
                    "calldata": intrinsic(data, BASE) - TRANSACTION,
                    "execution": gas - intrinsic(data, BASE),
                    "floor": intrinsic(data, FLOOR),
                }
            )
    return rows


async def measure() -> dict[str, Any]:
    """Everything, on a chain of its own."""
    anvil = Anvil(CHAIN_ID)
    chain = Chain("devnet", anvil.url, CHAIN_ID, 0)
    try:
        return {"swaps": await swaps(chain), "checks": await checks(chain)}
    finally:
        await chain.close()
        anvil.stop()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Gas of custody on chain.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    found = asyncio.run(measure())
    if parser.parse_args().json:
        print(json.dumps(found, indent=1))
        return
    for name, gas in found["swaps"].items():
        print(f"{name:55} {gas:>9,}")
    columns = list(found["checks"][0])
    print(" ".join(f"{name:>11}" for name in columns))
    for row in found["checks"]:
        print(" ".join(f"{row[name]!s:>11}" for name in columns))


if __name__ == "__main__":
    main()
