"""The devnet's tokens: WETH9, and ERC-20s of any decimals of which there is as much as wanted."""

from __future__ import annotations

from agent_fund.devnet.deploy import Deployer
from agent_fund.execution.evm.abi import call_data

_PERIPHERY = "@uniswap/v2-periphery"
_ACROSS = "@across-protocol/contracts"
_EXPANDED = "artifacts/@uma/core/contracts/common/implementation/ExpandedERC20.sol"
_MINTER = 1  # the role's number in ExpandedERC20
_ALL = 2**256 - 1


async def deploy_weth(deployer: Deployer) -> str:
    """WETH9; its address."""
    return await deployer.contract(_PERIPHERY, "build/WETH9.json")


async def deploy_token(deployer: Deployer, name: str, symbol: str, decimals: int) -> str:
    """An ERC-20 of which the deployer can mint; its address."""
    file = f"{_EXPANDED}/ExpandedERC20.json"
    token = await deployer.contract(_ACROSS, file, name, symbol, decimals)
    data = call_data("addMember(uint256,address)", _MINTER, deployer.address)
    await deployer.transact(token, data)
    return token


async def mint(deployer: Deployer, token: str, target: str, amount: int) -> None:
    """``amount`` of the token's own units for ``target``, out of nothing."""
    await deployer.transact(token, call_data("mint(address,uint256)", target, amount))


async def wrap(deployer: Deployer, weth: str, amount: int, target: str | None = None) -> None:
    """``amount`` wei of the deployer's coin as WETH, for ``target`` or itself."""
    await deployer.transact(weth, call_data("deposit()"), amount)
    if target is not None and target != deployer.address:
        await deployer.transact(weth, call_data("transfer(address,uint256)", target, amount))


async def allow_all(deployer: Deployer, token: str, spender: str) -> None:
    """Let a contract of the devnet take the deployer's own tokens; never the fund's."""
    await deployer.transact(token, call_data("approve(address,uint256)", spender, _ALL))


async def balance(deployer: Deployer, token: str, owner: str) -> int:
    """The token's own units that ``owner`` has."""
    data = call_data("balanceOf(address)", owner)
    return int.from_bytes(await deployer.chain.call(token, data), "big")
