"""Across on devnet chains: the real SpokePool behind its proxy, and the real ERC-7683 depositor.

Each pool's owner stands for the hub, whose word decides on refunds; ``relayer.py`` plays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.packages import artifact
from agent_fund.devnet.safe import create, send
from agent_fund.execution.evm.abi import call_data

_PACKAGE = "@across-protocol/contracts"
_POOL = "artifacts/contracts/Ethereum_SpokePool.sol/Ethereum_SpokePool.json"
_PROXY = "artifacts/@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol/ERC1967Proxy.json"
_DEPOSITOR = (
    "artifacts/contracts/erc7683/ERC7683OrderDepositorExternal.sol/"
    "ERC7683OrderDepositorExternal.json"
)
# Seconds, as on the main network: how old a deposit's quote may be, how far ahead its deadline.
_QUOTE_BUFFER = 3600
_DEADLINE_BUFFER = 6 * 3600


@dataclass(frozen=True)
class AcrossSide:
    """Across on one chain: checksum addresses; ``token`` is what is carried."""

    anvil: Anvil
    owner: str
    spoke_pool: str
    depositor: str
    token: str


def deploy_across(anvil: Anvil, owner: str, token: str, wrapped_native: str) -> AcrossSide:
    """Deploy pool, proxy and depositor from the unlocked account ``owner``."""
    given = encode(
        ["address", "uint32", "uint32"], [wrapped_native, _QUOTE_BUFFER, _DEADLINE_BUFFER]
    )
    implementation = _create(anvil, owner, _POOL, given)
    setup = call_data("initialize(uint32,address)", 0, owner)
    pool = _create(anvil, owner, _PROXY, encode(["address", "bytes"], [implementation, setup]))
    # Permit2 serves gasless orders only; no order here is one.
    given = encode(["address", "address", "uint256"], [pool, owner, _QUOTE_BUFFER])
    return AcrossSide(anvil, owner, pool, _create(anvil, owner, _DEPOSITOR, given), token)


def connect_across(sides: Sequence[AcrossSide]) -> None:
    """Let every side take deposits for every other."""
    for side in sides:
        for other in sides:
            if other is side:
                continue
            target = other.anvil.chain_id
            route = call_data("setEnableRoute(address,uint256,bool)", side.token, target, True)
            send(side.anvil, side.owner, side.spoke_pool, route)
            settler = call_data("setDestinationSettler(uint256,address)", target, other.spoke_pool)
            send(side.anvil, side.owner, side.depositor, settler)


def _create(anvil: Anvil, owner: str, path: str, arguments: bytes) -> str:
    return create(anvil, owner, artifact(_PACKAGE, path)[1] + arguments.hex())
