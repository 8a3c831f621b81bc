"""Deployment: contracts of the pinned packages onto a development chain, by its own funded account.

The account is one that the node itself signs for (anvil's first), so it works on development
chains alone. The chain mines each transaction as it comes; a block time is set afterwards.
"""

from __future__ import annotations

import asyncio
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.packages import artifact
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.receipt import Receipt

GAS = 12_000_000
"""Gas limit of every transaction here; what is not used is not paid."""


class Deployer:
    """Sends from ``address``, an account that the node signs for."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.address = address

    @classmethod
    async def of(cls, chain: Chain) -> Deployer:
        """With the first account of the node."""
        accounts = await chain.rpc("eth_accounts")
        if not accounts:
            raise DevnetError(chain.name, "no accounts", "give a development chain")
        return cls(chain, to_checksum_address(accounts[0]))

    async def contract(self, package: str, path: str, *arguments: Any, value: int = 0) -> str:
        """Deploy a compiled contract of a package; its checksum address.

        Raises:
            DevnetError: if the package is absent, or the constructor reverts.
        """
        abi, code = artifact(package, path)
        return await self.creation(path, abi, code, *arguments, value=value)

    async def creation(
        self, name: str, abi: list[dict[str, Any]], code: str, *arguments: Any, value: int = 0
    ) -> str:
        """Deploy creation bytecode (0x…); its checksum address.

        Raises:
            DevnetError: if the constructor reverts.
        """
        inputs: list[dict[str, Any]] = next(
            (one["inputs"] for one in abi if one["type"] == "constructor"), []
        )
        data = bytes.fromhex(code[2:]) + encode([_type(one) for one in inputs], arguments)
        done, answer = await self._send({"data": "0x" + data.hex(), "value": hex(value)}, name)
        if not done.ok:
            raise DevnetError(name, "its constructor reverted", "check the arguments")
        return to_checksum_address(answer["contractAddress"])

    async def transact(
        self, to: str, data: bytes = b"", value: int = 0, sender: str | None = None
    ) -> Receipt:
        """One call, mined.

        Args:
            sender: another account of the node, or one that it impersonates.

        Raises:
            DevnetError: if it reverts.
        """
        fields = {"to": to, "data": "0x" + data.hex(), "value": hex(value)}
        done, _ = await self._send(fields, f"call to {to}", sender)
        if not done.ok:
            raise DevnetError(f"call to {to}", "it reverted", "see what the contract demands")
        return done

    async def _send(
        self, fields: dict[str, str], name: str, sender: str | None = None
    ) -> tuple[Receipt, dict[str, Any]]:
        asked = {"from": sender or self.address, "gas": hex(GAS), **fields}
        hash = await self.chain.rpc("eth_sendTransaction", asked)
        for _ in range(2_000):
            answer = await self.chain.rpc("eth_getTransactionReceipt", hash)
            if answer is not None:
                return Receipt.read(answer), answer
            await asyncio.sleep(0.005)
        raise DevnetError(name, "not mined within 10 s", "let the chain mine as transactions come")


def _type(parameter: dict[str, Any]) -> str:
    """The type of an ABI parameter in one word, a struct as its tuple."""
    kind = str(parameter["type"])
    if not kind.startswith("tuple"):
        return kind
    parts = ",".join(_type(part) for part in parameter["components"])
    return f"({parts}){kind[len('tuple') :]}"
