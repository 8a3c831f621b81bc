"""Across on devnet chains: the real SpokePool behind its proxy, and the real ERC-7683 depositor.

Each pool's owner stands for the hub, whose word decides on refunds; ``relayer.py`` plays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_fund.devnet.deploy import Deployer
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.token import Token

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

    deployer: Deployer
    spoke_pool: str
    depositor: str
    token: Token


async def deploy_across(deployer: Deployer, token: Token, wrapped_native: str) -> AcrossSide:
    """Deploy pool, proxy and depositor; the deployer owns the pool."""
    owner = deployer.address
    implementation = await deployer.contract(
        _PACKAGE, _POOL, wrapped_native, _QUOTE_BUFFER, _DEADLINE_BUFFER
    )
    setup = call_data("initialize(uint32,address)", 0, owner)
    pool = await deployer.contract(_PACKAGE, _PROXY, implementation, setup)
    # Permit2 serves gasless orders only; no order here is one.
    depositor = await deployer.contract(_PACKAGE, _DEPOSITOR, pool, owner, _QUOTE_BUFFER)
    return AcrossSide(deployer, pool, depositor, token)


async def connect_across(sides: Sequence[AcrossSide]) -> None:
    """Let every side take deposits for every other."""
    for side in sides:
        for other in sides:
            if other is side:
                continue
            target = other.deployer.chain.chain_id
            route = call_data(
                "setEnableRoute(address,uint256,bool)", side.token.address, target, True
            )
            await side.deployer.transact(side.spoke_pool, route)
            settler = call_data("setDestinationSettler(uint256,address)", target, other.spoke_pool)
            await side.deployer.transact(side.depositor, settler)
