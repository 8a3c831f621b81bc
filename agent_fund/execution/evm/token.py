"""Token: the contract that stands for an asset, and its amounts to and from the fund's base units.

A token's decimals may be fewer than the asset's scale: an amount to the chain is then rounded
against the fund, one from the chain is exact. They may be more: then what the fund sends is exact,
and a remainder that arrives is never booked upward.
"""

from __future__ import annotations

from dataclasses import dataclass

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import ceil_div
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import Chain


@dataclass(frozen=True)
class Token:
    """An ERC-20 contract at ``address`` (checksum), whose own unit is 10**-``decimals``."""

    address: str
    decimals: int

    def down(self, units: int, asset: Asset) -> int:
        """``units`` of ``asset`` in the token's own units, rounded down: what may be spent."""
        return units * _ten(self.decimals) // _ten(asset.scale)

    def up(self, units: int, asset: Asset) -> int:
        """``units`` of ``asset`` in the token's own units, rounded up: what must arrive."""
        return ceil_div(units * _ten(self.decimals), _ten(asset.scale))

    def exactly(self, units: int, asset: Asset) -> int:
        """``units`` of ``asset`` in the token's own units.

        Raises:
            ExecutionError: if they are no whole number of them.
        """
        if units * _ten(self.decimals) % _ten(asset.scale):
            step = _ten(asset.scale - self.decimals)
            raise ExecutionError(f"amount of {asset.symbol}", units, f"deal in lots of {step}")
        return self.down(units, asset)

    def arrived(self, amount: int, asset: Asset) -> int:
        """``amount`` of the token's own units that arrived, in base units, rounded down."""
        return amount * _ten(asset.scale) // _ten(self.decimals)

    def spent(self, amount: int, asset: Asset) -> int:
        """``amount`` of the token's own units that were spent, in base units, rounded up."""
        return ceil_div(amount * _ten(asset.scale), _ten(self.decimals))

    async def require(self, chain: Chain, asset: Asset) -> None:
        """Check that the contract is there and has these decimals.

        Raises:
            ExecutionError: if not.
            ChainSilent: if the chain does not answer.
        """
        subject = f"token of {asset.symbol} on {chain.name}"
        try:
            answer = await chain.call(self.address, call_data("decimals()"))
        except Web3RPCError as error:
            raise ExecutionError(subject, error.message, "give an ERC-20's address") from None
        if len(answer) != 32:
            raise ExecutionError(subject, self.address, "no contract is there: correct the address")
        found = int.from_bytes(answer, "big")
        if found != self.decimals:
            raise ExecutionError(f"decimals of the {subject}", self.decimals, f"they are {found}")

    async def balance(self, chain: Chain, owner: str) -> int:
        """The token's own units that ``owner`` has, as of the latest block."""
        data = call_data("balanceOf(address)", owner)
        return int.from_bytes(await chain.call(self.address, data), "big")


def _ten(power: int) -> int:
    return int(10**power)
