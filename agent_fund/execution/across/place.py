"""Place: a place of the fund on one EVM chain, with all that a transfer from or to it needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import require_int
from agent_fund.execution.across.contracts import SPOKE_POOL
from agent_fund.execution.across.spoke_pool import SpokePool
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import Account
from agent_fund.execution.evm.chain import UNCERTAIN, Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.token import Token


@dataclass(frozen=True)
class Place:
    """Where the fund holds its currency, as a token on a chain.

    Attributes:
        name: the place in the ledger.
        token: the currency's. ``pool_address``, ``depositor``: checksum addresses of the SpokePool
            and of the ERC-7683 depositor in front of it.
        since: number of a block before any deposit of this account.
        gas: base units of the currency that opening a transfer here costs, estimated.
    """

    name: str
    chain: Chain
    account: Account
    lane: Lane
    token: Token
    pool_address: str
    depositor: str
    since: int = 0
    gas: int = 0
    pool: SpokePool = field(init=False)

    def __post_init__(self) -> None:
        require_int(self.since, f"since of {self.name}", minimum=0)
        require_int(self.gas, f"gas of {self.name}", minimum=0)
        object.__setattr__(self, "pool", SpokePool(self.chain, self.pool_address))

    async def check(self, currency: Asset) -> None:
        """Compare what is configured with the chain.

        Raises:
            ExecutionError: with the fix, if it does not hold.
        """
        await self.chain.start()
        try:
            await self.token.require(self.chain, currency)
            pool = await self._word(self.depositor, SPOKE_POOL)
            wrapped = await self.pool.wrapped_native()
        except UNCERTAIN as error:
            fix = "check the addresses of the token, the pool and the depositor"
            raise ExecutionError(f"place {self.name}", str(error), fix) from None
        if pool != int(self.pool_address, 16):
            fix = f"it deposits into 0x{pool:040x}"
            raise ExecutionError(f"depositor of {self.name}", self.depositor, fix)
        if wrapped == self.token.address.lower():
            fix = "a fill of the wrapped coin pays out coin; carry another token"
            raise ExecutionError(f"token at {self.name}", self.token.address, fix)

    async def _word(self, contract: str, signature: str) -> int:
        return int.from_bytes(await self.chain.call(contract, call_data(signature)), "big")
