"""Keys made for tests, a folder to keep them in, and a traceback as telling as one can be."""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import base58
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from time_outs import withheld_answers_time_out

from agent_fund.devnet.signer_service import LoopbackSigner
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.keys.keystore import seal
from agent_fund.execution.keys.keystore_file import write_keystore_file
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.keys.web3_keystore import seal_evm

T = TypeVar("T")

EVM_KEY = hashlib.sha256(b"an EVM key of these tests").digest()
SEED = hashlib.sha256(b"an Ed25519 seed of these tests").digest()
API_KEY = "kKpublicpartofthecredentials1234"
API_SECRET = "zY9secretpartofthecredentials87654321ABCDEFGHabcdefgh0011223344"
PASSPHRASE = "correct horse battery staple"
ADDRESS = Account.from_key(EVM_KEY).address
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
PUBLIC_TEXT = "ed25519:" + base58.b58encode(PUBLIC).decode()
SECRET_TEXT = "ed25519:" + base58.b58encode(SEED + PUBLIC).decode()
# A low cost, so that tests do not wait for scrypt; the format allows it.
COST = 1 << 12

SECRETS = {
    "EVM key": EVM_KEY,
    "Ed25519 seed": SEED,
    "Ed25519 key": SEED + PUBLIC,
    "API secret": API_SECRET.encode(),
    "passphrase": PASSPHRASE.encode(),
}

TRANSACTION = {
    "type": 2,
    "chainId": 31337,
    "nonce": 7,
    "maxPriorityFeePerGas": 1_000_000_000,
    "maxFeePerGas": 30_000_000_000,
    "gas": 210_000,
    "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "value": 10**18,
    "data": "0xdeadbeef",
}
TYPED = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "chainId", "type": "uint256"},
        ],
        "Order": [{"name": "amount", "type": "uint256"}, {"name": "to", "type": "address"}],
    },
    "primaryType": "Order",
    "domain": {"name": "test", "chainId": 31337},
    "message": {"amount": 12345, "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
}


def passphrase(text: str = PASSPHRASE) -> Secret:
    return Secret(text.encode())


def asked(prompt: str) -> Secret:
    return passphrase()


def keyring(folder: Path, seconds: float = 10.0) -> Keyring:
    return Keyring(folder, asked, seconds)


def keystores(folder: Path) -> None:
    """evm.json, ed25519.json and api.json in ``folder``."""
    write_keystore_file(folder / "evm.json", seal_evm(Secret(EVM_KEY), passphrase(), cost=COST))
    near = seal("ed25519", PUBLIC_TEXT, Secret(SEED), passphrase(), cost=COST)
    write_keystore_file(folder / "ed25519.json", near)
    api = seal("api", API_KEY, Secret(API_SECRET.encode()), passphrase(), cost=COST)
    write_keystore_file(folder / "api.json", api)


def serving(act: Callable[[LoopbackSigner], Awaitable[T]]) -> T:
    """What ``act`` returns, given a running signer service with both keys."""

    async def whole() -> T:
        service = LoopbackSigner([EVM_KEY], [SEED])
        await service.start()
        try:
            with withheld_answers_time_out(service):
                return await act(service)
        finally:
            await service.stop()

    return asyncio.run(whole())


def telling(error: BaseException) -> bytes:
    """Message, arguments, every chained exception, and the locals of every frame of ours on."""
    text = repr(error) + repr(vars(error))
    link: BaseException | None = error
    while link is not None:
        trace = link.__traceback__
        while trace and not str(trace.tb_frame.f_globals["__name__"]).startswith("agent_fund."):
            trace = trace.tb_next
        seen = traceback.TracebackException(type(link), link, trace, capture_locals=True)
        text += "".join(seen.format(chain=False))
        link = link.__context__
    return text.encode()
