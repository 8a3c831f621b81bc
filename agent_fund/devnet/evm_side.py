"""One chain of the devnet: anvil with wrapped coin, a dollar token, Uniswap V2 and V3, Across."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isqrt

from agent_fund.devnet.across import AcrossSide, deploy_across
from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.tokens import allow_all, balance, deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import (
    UniswapV2,
    UniswapV3,
    add_liquidity_v2,
    add_liquidity_v3,
    deploy_v2,
    deploy_v3,
)
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.token import Token

COIN_DECIMALS, DOLLAR_DECIMALS = 18, 6
FINALITY = 2
_POOL_COINS = 20_000
_OWN_COINS = 20_000
_FEE = 3_000
_NEVER = 2**63


@dataclass(frozen=True)
class EvmSide:
    """A running chain and the addresses on it."""

    anvil: Anvil
    chain: Chain
    deployer: Deployer
    weth: str
    dollar: Token
    v2: UniswapV2
    v3: UniswapV3
    across: AcrossSide

    @classmethod
    async def up(cls, name: str, chain_id: int, price: Decimal) -> EvmSide:
        """Start the chain, deploy everything, give both pools liquidity at ``price``."""
        anvil = Anvil(chain_id, "--balance", "1000000")
        chain = Chain(name, anvil.url, chain_id, FINALITY)
        try:
            await chain.start()
            deployer = await Deployer.of(chain)
            weth = await deploy_weth(deployer)
            address = await deploy_token(deployer, "USD Coin", "USDC", DOLLAR_DECIMALS)
            await wrap(deployer, weth, (2 * _POOL_COINS + _OWN_COINS) * 10**COIN_DECIMALS)
            await mint(deployer, address, deployer.address, 10**9 * 10**DOLLAR_DECIMALS)
            v2, v3 = await deploy_v2(deployer, weth), await deploy_v3(deployer, weth)
            coins = _POOL_COINS * 10**COIN_DECIMALS
            dollars = int(_POOL_COINS * price * 10**DOLLAR_DECIMALS)
            await add_liquidity_v2(deployer, v2, weth, coins, address, dollars)
            await add_liquidity_v3(deployer, v3, weth, coins, address, dollars, _FEE)
            for token in (weth, address):
                await allow_all(deployer, token, v3.router)
            dollar = Token(address, DOLLAR_DECIMALS)
            across = await deploy_across(deployer, dollar, weth)
        except BaseException:
            await chain.close()
            anvil.stop()
            raise
        return cls(anvil, chain, deployer, weth, dollar, v2, v3, across)

    async def move(self, price: Decimal) -> None:
        """Trade both pools to ``price`` of the coin, as an arbitrageur does, and mine a block."""
        await self._move_v2(price)
        await self._move_v3(price)
        await self.chain.rpc("evm_mine")

    async def down(self) -> None:
        """Stop the chain."""
        await self.chain.close()
        self.anvil.stop()

    async def _move_v2(self, price: Decimal) -> None:
        pair_data = await self.chain.call(
            self.v2.factory, call_data("getPair(address,address)", self.weth, self.dollar.address)
        )
        pair = "0x" + pair_data[-20:].hex()
        coins = await balance(self.deployer, self.weth, pair)
        dollars = await balance(self.deployer, self.dollar.address, pair)
        wanted = isqrt(int(coins * dollars * price * 10**DOLLAR_DECIMALS) // 10**COIN_DECIMALS)
        if wanted > dollars:
            path, amount = [self.dollar.address, self.weth], (wanted - dollars) * 1000 // 997
        else:
            kept = coins * dollars // wanted
            path, amount = [self.weth, self.dollar.address], (kept - coins) * 1000 // 997
        if amount > 0:
            data = call_data(
                "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
                *(amount, 0, path, self.deployer.address, _NEVER),
            )
            await self.deployer.transact(self.v2.router, data)

    async def _move_v3(self, price: Decimal) -> None:
        """Swap without end, up to the limit that is the price itself."""
        pool_data = await self.chain.call(
            self.v3.factory,
            call_data("getPool(address,address,uint24)", self.weth, self.dollar.address, _FEE),
        )
        pool = "0x" + pool_data[-20:].hex()
        slot = await self.chain.call(pool, call_data("slot0()"))
        now = int.from_bytes(slot[:32], "big")
        first = int(self.weth, 16) < int(self.dollar.address, 16)
        dollars, coins = int(price * 10**DOLLAR_DECIMALS), 10**COIN_DECIMALS
        ratio = (dollars, coins) if first else (coins, dollars)
        limit = isqrt((ratio[0] << 192) // ratio[1])
        if limit == now:
            return
        # Token 0 goes in where its price is to fall.
        gives_zero = limit < now
        gives_coin = gives_zero == first
        tokens = (self.weth, self.dollar.address)
        given, taken = tokens if gives_coin else tokens[::-1]
        amount = await balance(self.deployer, given, self.deployer.address)
        fields = "address,address,uint24,address,uint256,uint256,uint256,uint160"
        swap = (given, taken, _FEE, self.deployer.address, _NEVER, amount, 0, limit)
        data = call_data(f"exactInputSingle(({fields}))", swap)
        await self.deployer.transact(self.v3.router, data)
