"""Uniswap V2 and V3, the published bytecode, on a development chain, with liquidity."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.tokens import allow_all
from agent_fund.execution.evm.abi import call_data

_NEVER = 2**63
_V3 = "@uniswap/v3-periphery"
_TICKS = {500: 887_270, 3_000: 887_220, 10_000: 887_200}
"""By fee: the outermost tick that the pool's tick spacing divides (of at most 887 272)."""


@dataclass(frozen=True)
class UniswapV2:
    """Addresses of one deployment."""

    weth: str
    factory: str
    router: str


@dataclass(frozen=True)
class UniswapV3:
    """Addresses of one deployment; ``positions`` is the NonfungiblePositionManager."""

    weth: str
    factory: str
    router: str
    quoter: str
    positions: str


async def deploy_v2(deployer: Deployer, weth: str) -> UniswapV2:
    """The factory and the second router."""
    factory = await deployer.contract(
        "@uniswap/v2-core", "build/UniswapV2Factory.json", deployer.address
    )
    router = await deployer.contract(
        "@uniswap/v2-periphery", "build/UniswapV2Router02.json", factory, weth
    )
    return UniswapV2(weth, factory, router)


async def deploy_v3(deployer: Deployer, weth: str) -> UniswapV3:
    """The factory, SwapRouter, QuoterV2 and the position manager."""
    factory = await deployer.contract(
        "@uniswap/v3-core", "artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
    )
    base = "artifacts/contracts"
    router = await deployer.contract(_V3, f"{base}/SwapRouter.sol/SwapRouter.json", factory, weth)
    quoter = await deployer.contract(_V3, f"{base}/lens/QuoterV2.sol/QuoterV2.json", factory, weth)
    manager = f"{base}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
    # The last argument describes positions as pictures; none is asked for here.
    positions = await deployer.contract(_V3, manager, factory, weth, deployer.address)
    return UniswapV3(weth, factory, router, quoter, positions)


async def add_liquidity_v2(
    deployer: Deployer, v2: UniswapV2, token_a: str, amount_a: int, token_b: str, amount_b: int
) -> None:
    """Both amounts of the deployer's tokens, in their own units; the first sets the price."""
    for token in (token_a, token_b):
        await allow_all(deployer, token, v2.router)
    data = call_data(
        "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
        *(token_a, token_b, amount_a, amount_b, 0, 0, deployer.address, _NEVER),
    )
    await deployer.transact(v2.router, data)


async def add_liquidity_v3(
    deployer: Deployer,
    v3: UniswapV3,
    token_a: str,
    amount_a: int,
    token_b: str,
    amount_b: int,
    fee: int = 3_000,
) -> None:
    """A position over all prices; a new pool starts at the price that the amounts have.

    Args:
        fee: in hundredths of a basis point: 500, 3 000 or 10 000.
    """
    for token in (token_a, token_b):
        await allow_all(deployer, token, v3.positions)
    (token_0, amount_0), (token_1, amount_1) = sorted(
        [(token_a, amount_a), (token_b, amount_b)], key=lambda one: int(one[0], 16)
    )
    root = isqrt((amount_1 << 192) // amount_0)  # sqrtPriceX96
    create = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
    await deployer.transact(v3.positions, call_data(create, token_0, token_1, fee, root))
    edge = _TICKS[fee]
    fields = "address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256"
    amounts = (amount_0, amount_1, 0, 0)
    position = (token_0, token_1, fee, -edge, edge, *amounts, deployer.address, _NEVER)
    await deployer.transact(v3.positions, call_data(f"mint(({fields}))", position))
