"""A Safe with its module on anvil, tokens and venues that lie, and verdicts that differ at will."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from agent_fund.devnet.anvil import DEVELOPMENT_KEYS, Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.safe import Roles, Safe, deploy_module, deploy_safe, owners_execution
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.custody.verdict import Domain, Verdict
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain
from contracts.compile import compile_sources

CHAIN_ID = 31337
OWNER, EXECUTOR, GUARD, PAUSER, STRANGER = map(Account.from_key, DEVELOPMENT_KEYS[:5])
MANDATE = keccak(text="mandate")
DOUBLES = Path(__file__).parents[2] / "contracts" / "doubles"
FAR = 2**40


class KeyOf:
    """An EvmSigner over a key of the devnet."""

    def __init__(self, key: Any) -> None:
        self._key = key

    @property
    def address(self) -> str:
        return str(self._key.address)

    async def sign_transaction(self, transaction: Any) -> Any:
        raise AssertionError("the guard's key signs no transaction")

    async def sign_typed_data(self, full_message: Any) -> bytes:
        return bytes(self._key.sign_message(encode_typed_data(full_message=full_message)).signature)


@cache
def doubles() -> dict[str, dict[str, Any]]:
    return compile_sources({path.name: path.read_text() for path in sorted(DOUBLES.glob("*.sol"))})


def error_names() -> dict[str, str]:
    found = {}
    for entry in (*artifact("VerdictModule").abi, *artifact("LeafVerifier").abi):
        if entry["type"] == "error":
            kinds = ",".join(part["type"] for part in entry["inputs"])
            found[keccak(text=f"{entry['name']}({kinds})")[:4].hex()] = entry["name"]
    return found


ERRORS = error_names()


def called(anvil: Anvil, sender: str, to: str, data: bytes, value: int = 0) -> bytes:
    """What a call would answer."""
    request = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
    return bytes.fromhex(anvil.call("eth_call", request, "latest")[2:])


def refusal(anvil: Anvil, sender: str, to: str, data: bytes) -> str:
    """The name of the error with which a call reverts; empty if it does not."""
    try:
        called(anvil, sender, to, data)
    except DevnetError as error:
        reason = reverted_with(error)
        if reason[:8] == "08c379a0":
            return str(decode(["string"], bytes.fromhex(reason[8:]))[0])
        return ERRORS.get(reason[:8], reason or "no reason")
    return ""


def reverted_with(error: DevnetError) -> str:
    """The data of a revert, in hexadecimal without 0x; any other error is passed on."""
    if not isinstance(error.value, dict) or error.value.get("code") != 3:
        raise error
    return str(error.value.get("data") or "0x")[2:]


def transact(anvil: Anvil, transaction: dict[str, str]) -> dict[str, Any]:
    """The receipt of an unlocked account's transaction, which must not revert."""
    hash = anvil.call("eth_sendTransaction", {"gas": hex(12_000_000), **transaction})
    while (receipt := anvil.call("eth_getTransactionReceipt", hash)) is None:
        pass
    assert int(receipt["status"], 16) == 1
    found: dict[str, Any] = receipt
    return found


def create(anvil: Anvil, code: str) -> str:
    receipt = transact(anvil, {"from": OWNER.address, "data": code})
    return to_checksum_address(receipt["contractAddress"])


ROLES = Roles(GUARD.address, EXECUTOR.address, PAUSER.address, MANDATE)


async def safe_on(url: str) -> Safe:
    chain = Chain("devnet", url, CHAIN_ID, 0)
    try:
        return await deploy_safe(Deployer(chain, OWNER.address), ROLES)
    finally:
        await chain.close()


async def module_on(url: str, safe: str) -> str:
    chain = Chain("devnet", url, CHAIN_ID, 0)
    try:
        return await deploy_module(Deployer(chain, OWNER.address), safe, ROLES)
    finally:
        await chain.close()


class World:
    """One chain with a Safe that holds two tokens and ETH."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.safe = asyncio.run(safe_on(anvil.url))
        self.module = self.safe.module
        self.gold, self.cash = self.double("Token"), self.double("Token")
        self.router = self.double("LyingRouter")
        self.mint(self.gold, self.safe.address, 1_000)
        self.mint(self.cash, self.router, 1_000_000)
        for target in (self.safe.address, self.router):
            self.send(OWNER.address, target, b"", 10_000)

    def double(self, name: str) -> str:
        return create(self.anvil, doubles()[name]["bytecode"])

    def mint(self, token: str, owner: str, amount: int) -> None:
        self.send(OWNER.address, token, call_data("mint(address,uint256)", owner, amount))

    def send(self, sender: str, to: str, data: bytes, value: int = 0) -> dict[str, Any]:
        fields = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        return transact(self.anvil, fields)

    def number(self, to: str, signature: str, *values: Any) -> int:
        answer = called(self.anvil, STRANGER.address, to, call_data(signature, *values))
        return int.from_bytes(answer, "big")

    def held(self, token: str) -> int:
        return self.number(token, "balanceOf(address)", self.safe.address)

    def coin(self) -> int:
        return int(self.anvil.call("eth_getBalance", self.safe.address, "latest"), 16)

    def allowance(self, token: str, spender: str) -> int:
        return self.number(token, "allowance(address,address)", self.safe.address, spender)

    @property
    def domain(self) -> Domain:
        return Domain(CHAIN_ID, self.module)

    def swap(self, give: int = 100, get: int = 250, **changed: Any) -> Action:
        """100 of gold for 250 of cash at the router, all of it exact."""
        token_in, token_out = (
            changed.get("token_in", self.gold),
            changed.get("token_out", self.cash),
        )
        signature = "swap(address,uint256,address,uint256)"
        data = call_data(signature, token_in, give, token_out, get)
        call = Call(self.router, data, changed.pop("value", 0))
        action = Action(call, self.router, token_in, give, token_out, get)
        return dataclasses.replace(action, **changed)

    def verdict(self, action: Action, leg: str = "leg", **changed: Any) -> Verdict:
        return dataclasses.replace(Verdict.of(action, leg, MANDATE, FAR), **changed)

    def signature(self, verdict: Verdict, key: Any = GUARD, domain: Domain | None = None) -> bytes:
        message = verdict.typed_data(domain or self.domain)
        return asyncio.run(KeyOf(key).sign_typed_data(message))

    def execution(self, verdict: Verdict, data: bytes, key: Any = GUARD) -> bytes:
        return verdict.execution(data, self.signature(verdict, key))

    def refused(self, action: Action, *, key: Any = GUARD, sender: str = "", **changed: Any) -> str:
        """The error that the module gives to a signed verdict over ``action``."""
        verdict = self.verdict(action, **changed)
        data = self.execution(verdict, action.call.data, key)
        return refusal(self.anvil, sender or EXECUTOR.address, self.module, data)

    def run(self, action: Action, **changed: Any) -> dict[str, Any]:
        data = self.execution(self.verdict(action, **changed), action.call.data)
        return self.send(EXECUTOR.address, self.module, data)

    def run_by_safe(self, to: str, data: bytes) -> dict[str, Any]:
        """What the Safe's owner makes it send."""
        return self.send(OWNER.address, self.safe.address, owners_execution(self.safe, to, data))

    def by_safe(self, signature: str, *values: Any) -> dict[str, Any]:
        return self.run_by_safe(self.module, call_data(signature, *values))


def nothing(action: Action) -> Action:
    """The same call, to which no token is given."""
    return dataclasses.replace(action, spender=NOTHING, token_in=NOTHING, max_in=0)
