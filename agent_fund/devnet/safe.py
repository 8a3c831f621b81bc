"""A Safe on a devnet chain: the real Safe 1.4.1 contracts, one owner, the VerdictModule enabled.

The owner is one of anvil's unlocked accounts and sends the Safe's transactions itself, so that it
needs no signature: the Safe takes the sender's own approval (a signature with v = 1).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.packages import artifact as packaged
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.evm.abi import call_data

_PACKAGE = "@safe-global/safe-contracts"
_FOLDER = "build/artifacts/contracts"
_ZERO = "0x" + "00" * 20
_PATIENCE = 20.0


@dataclass(frozen=True)
class Roles:
    """Who may do what with the module: addresses, and the hash of the mandate in force."""

    guard: str
    executor: str
    pauser: str
    mandate_hash: bytes


class Safe:
    """A deployed Safe with its one owner, and its module."""

    def __init__(self, anvil: Anvil, owner: str, address: str) -> None:
        self._anvil = anvil
        self.owner = owner
        self.address = address
        self.module = _ZERO

    @classmethod
    def deploy(cls, anvil: Anvil, owner: str, roles: Roles, salt: int = 1) -> Safe:
        """Deploy singleton, factory, fallback handler, proxy and module, and enable the module."""
        singleton, factory, handler = (
            create(anvil, owner, packaged(_PACKAGE, f"{_FOLDER}/{path}")[1])
            for path in (
                "Safe.sol/Safe.json",
                "proxies/SafeProxyFactory.sol/SafeProxyFactory.json",
                "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json",
            )
        )
        setup = call_data(
            "setup(address[],uint256,address,bytes,address,address,uint256,address)",
            *([owner], 1, _ZERO, b"", handler, _ZERO, 0, _ZERO),
        )
        data = call_data("createProxyWithNonce(address,bytes,uint256)", singleton, setup, salt)
        receipt = send(anvil, owner, factory, data)
        created = "0x" + keccak(text="ProxyCreation(address,address)").hex()
        log = next(one for one in receipt["logs"] if one["topics"][0] == created)
        safe = cls(anvil, owner, to_checksum_address("0x" + log["topics"][1][-40:]))
        safe.module = deploy_module(anvil, owner, safe.address, roles)
        safe.run(safe.address, call_data("enableModule(address)", safe.module))
        return safe

    def run(self, to: str, data: bytes, value: int = 0, operation: int = 0) -> dict[str, Any]:
        """A transaction of the Safe by its owner; operation 1 is a delegatecall.

        Raises:
            DevnetError: if it reverts.
        """
        return send(self._anvil, self.owner, self.address, self.signed(to, data, value, operation))

    def signed(self, to: str, data: bytes, value: int = 0, operation: int = 0) -> bytes:
        """The calldata of ``execTransaction`` that the owner, and nobody else, can send."""
        approval = encode(["address", "uint256"], [self.owner, 0]) + b"\x01"
        return call_data(
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            *(to, value, data, operation, 0, 0, 0, _ZERO, _ZERO, approval),
        )


def deploy_module(anvil: Anvil, sender: str, safe: str, roles: Roles) -> str:
    """A VerdictModule for ``safe``, not enabled yet; its address."""
    given = (safe, roles.guard, roles.executor, roles.pauser, roles.mandate_hash)
    arguments = encode(["address", "address", "address", "address", "bytes32"], given)
    return create(anvil, sender, "0x" + (artifact("VerdictModule").bytecode + arguments).hex())


def create(anvil: Anvil, sender: str, code: str) -> str:
    """Deploy ``code`` (0x…) from an unlocked account; the contract's address."""
    return to_checksum_address(_transact(anvil, {"from": sender, "data": code})["contractAddress"])


def send(anvil: Anvil, sender: str, to: str, data: bytes, value: int = 0) -> dict[str, Any]:
    """A transaction of an unlocked account; its receipt.

    Raises:
        DevnetError: if it reverts, or is not mined.
    """
    return _transact(
        anvil, {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
    )


def _transact(anvil: Anvil, transaction: dict[str, str]) -> dict[str, Any]:
    hash = anvil.call("eth_sendTransaction", transaction)
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        receipt: dict[str, Any] | None = anvil.call("eth_getTransactionReceipt", hash)
        if receipt is not None:
            if int(receipt["status"], 16) != 1:
                raise DevnetError(f"transaction {hash}", "reverted", "call it to see why")
            return receipt
        time.sleep(0.005)
    raise DevnetError(f"transaction {hash}", "not mined", "is the chain mining?")
