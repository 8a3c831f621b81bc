from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from artefacts import find_secrets_in
from eth_account import Account
from eth_utils.crypto import keccak
from keys_world import (
    ADDRESS,
    EVM_KEY,
    PUBLIC,
    PUBLIC_TEXT,
    SECRETS,
    SEED,
    TRANSACTION,
    TYPED,
    keyring,
    serving,
    telling,
)
from nacl.signing import VerifyKey

from agent_fund.devnet.signer_service import Fault, LoopbackSigner
from agent_fund.execution.keys.ed25519 import Ed25519Key
from agent_fund.execution.keys.errors import KeyRefused, SigningFailed
from agent_fund.execution.keys.evm import EvmKey
from agent_fund.execution.keys.secret import Secret

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def evm_at(service: LoopbackSigner, identifier: str = ADDRESS) -> EvmKey:
    return await keyring(Path(), 5).evm(f"signer:{service.url}#{identifier}", ADDRESS)


async def near_at(service: LoopbackSigner) -> Ed25519Key:
    return await keyring(Path(), 5).ed25519(f"signer:{service.url}#{PUBLIC_TEXT}")


PUBLIC_KEY = Account.from_key(EVM_KEY)._key_obj.public_key.to_hex()


@pytest.mark.parametrize(
    "identifier", [ADDRESS, ADDRESS.lower(), PUBLIC_KEY, PUBLIC_KEY[2:].upper()]
)
def test_a_service_signs_what_a_key_at_hand_signs(identifier: str) -> None:
    async def act(service: LoopbackSigner) -> None:
        signer = await evm_at(service, identifier)
        signed = await signer.sign_transaction(TRANSACTION)
        assert signed.raw == Account.sign_transaction(TRANSACTION, EVM_KEY).raw_transaction
        typed = await signer.sign_typed_data(TYPED)
        assert typed == Account.sign_typed_data(EVM_KEY, full_message=TYPED).signature
        # The service is shown the whole of what it signs: the transaction's preimage, not a hash.
        assert service.asked[0][0] == 2
        assert bytes.fromhex("deadbeef") in service.asked[0]

    serving(act)


def test_an_ed25519_key_in_a_service_signs() -> None:
    async def act(service: LoopbackSigner) -> None:
        signer = await near_at(service)
        signature = await signer.sign(b"a message")
        VerifyKey(PUBLIC).verify(b"a message", signature)

    serving(act)


SAYS = {
    Fault.REFUSE: "HTTP 403",
    Fault.FAIL: "HTTP 500",
    Fault.HANG: "none in 5 s",
    Fault.DROP: "start it, or correct the URL",
    Fault.OTHER_KEY: "signs with another key",
    Fault.OTHER_DATA: "signs with another key, or something else",
    Fault.HIGH_S: "EIP-2",
    Fault.GARBAGE: "another form",
    Fault.ZERO: "out of range",
    Fault.REDIRECT: "HTTP 307",
}


def test_every_fault_of_the_service_has_a_case_here() -> None:
    assert set(SAYS) == set(Fault) - {Fault.NONE}


@pytest.mark.parametrize("fault", list(SAYS))
def test_a_service_that_refuses_hangs_or_lies_yields_no_evm_signature(fault: Fault) -> None:
    async def act(service: LoopbackSigner) -> None:
        signer = await evm_at(service)
        service.fault = fault
        for ask in (signer.sign_transaction(TRANSACTION), signer.sign_typed_data(TYPED)):
            with pytest.raises(SigningFailed) as failed:
                await ask
            assert SAYS[fault] in str(failed.value)
            assert not find_secrets_in("traceback", telling(failed.value), SECRETS)
        service.fault = Fault.NONE
        await signer.sign_transaction(TRANSACTION)

    serving(act)


@pytest.mark.parametrize("fault", [fault for fault in SAYS if fault is not Fault.HIGH_S])
def test_a_service_that_refuses_hangs_or_lies_yields_no_ed25519_signature(fault: Fault) -> None:
    async def act(service: LoopbackSigner) -> None:
        signer = await near_at(service)
        service.fault = fault
        with pytest.raises(SigningFailed):
            await signer.sign(b"a message")

    serving(act)


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.GARBAGE, Fault.REFUSE, Fault.DROP])
def test_a_service_that_cannot_list_its_keys_is_found_at_the_start(fault: Fault) -> None:
    async def act(service: LoopbackSigner) -> None:
        service.fault = fault
        with pytest.raises(
            SigningFailed, match=SAYS[fault] if fault is not Fault.GARBAGE else "form"
        ):
            await evm_at(service)

    serving(act)


def test_a_key_that_the_service_has_not_is_found_at_the_start_and_its_keys_are_named() -> None:
    async def act(service: LoopbackSigner) -> None:
        with pytest.raises(KeyRefused, match=f"it holds {ADDRESS}"):
            await keyring(Path()).evm(f"signer:{service.url}#{OTHER}")
        with pytest.raises(KeyRefused, match="correct the one or the other"):
            await keyring(Path()).evm(f"signer:{service.url}#{ADDRESS}", OTHER)

    serving(act)


def test_a_service_that_is_not_there_is_said_so() -> None:
    async def act(service: LoopbackSigner) -> None:
        await service.stop()
        with pytest.raises(SigningFailed, match="start it, or correct the URL"):
            await evm_at(service)

    serving(act)


class _Answering:
    """A holder that answers what it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def sign_payload(self, payload: bytes) -> bytes:
        return self.answer

    async def sign_message(self, message: bytes) -> bytes:
        return self.answer


class _Untouched:
    """A holder that must not be asked."""

    async def sign_payload(self, payload: bytes) -> bytes:
        raise AssertionError("it was asked to sign")


def test_not_one_changed_bit_of_a_signature_is_taken() -> None:
    raw = Account.sign_typed_data(EVM_KEY, full_message=TYPED).signature
    near = asyncio.run(near_signature())
    for index in range(65 * 8):
        for signature, size in ((raw, 65), (near, 64)):
            if index >= size * 8:
                continue
            changed = bytearray(signature)
            changed[index // 8] ^= 1 << index % 8
            holder = _Answering(bytes(changed))
            ask = _evm_signature if size == 65 else _near_signature
            with pytest.raises(SigningFailed):
                asyncio.run(ask(holder))


async def _evm_signature(holder: _Answering) -> bytes:
    return await EvmKey(ADDRESS, holder).sign_typed_data(TYPED)


async def _near_signature(holder: _Answering) -> bytes:
    return await Ed25519Key(PUBLIC, holder).sign(b"a message")


async def near_signature() -> bytes:
    from agent_fund.execution.keys.ed25519 import LocalSeed

    return await LocalSeed(Secret(SEED)).sign_message(b"a message")


@pytest.mark.parametrize("answer", [b"", bytes(64), bytes(65), bytes(66), b"\xff" * 65])
def test_a_signature_of_another_form_is_refused(answer: bytes) -> None:
    with pytest.raises(SigningFailed):
        asyncio.run(EvmKey(ADDRESS, _Answering(answer)).sign_transaction(TRANSACTION))


@pytest.mark.parametrize(
    "change",
    [
        {"gasPrice": 1},
        {"nonce": None},
        {"nonce": -1},
        {"value": 1.5},
        {"chainId": True},
        {"chainId": "0x7a69"},
        {"type": 0},
        {"from": OTHER},
        {"to": "0x1234"},
        {"to": "vitalik.eth"},
        {"data": "deadbeef"},
        {"data": "0xzz"},
        {"data": 5},
        {"accessList": [{"address": OTHER, "storageKeys": []}]},
    ],
)
def test_an_incomplete_or_inexact_transaction_is_not_signed(change: dict[str, object]) -> None:
    with pytest.raises(SigningFailed, match="transaction"):
        asyncio.run(EvmKey(ADDRESS, _Untouched()).sign_transaction({**TRANSACTION, **change}))


def test_typed_data_that_is_none_is_not_signed() -> None:
    for change in ({"primaryType": "Absent"}, {"types": {}}, {"message": {"amount": "much"}}):
        with pytest.raises(SigningFailed, match="typed data"):
            asyncio.run(EvmKey(ADDRESS, _Untouched()).sign_typed_data({**TYPED, **change}))


def test_a_contract_s_creation_and_bytes_as_data_are_signed_as_eth_account_does() -> None:
    from agent_fund.execution.keys.evm import local_evm

    for change in ({"to": "", "data": b"\x60\x00"}, {"data": b""}, {"value": 0, "from": ADDRESS}):
        transaction = {**TRANSACTION, **change}
        ours = asyncio.run(local_evm(Secret(EVM_KEY), "it").sign_transaction(transaction))
        theirs = Account.sign_transaction(transaction, EVM_KEY)
        assert (ours.raw, ours.hash) == (theirs.raw_transaction, "0x" + keccak(ours.raw).hex())
