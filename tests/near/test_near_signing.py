"""Nonces, NEP-413 and signed intents against published and recorded values."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.devnet.near.payloads import read
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.near import nep413
from agent_fund.execution.near.encoding import ed25519_bytes, ed25519_text
from agent_fund.execution.near.nonce import VersionedNonce
from agent_fund.execution.near.signed import sign_intents, token_diff, transfer

FILE = Path(__file__).parents[2].parent / "shared" / "vectors" / "near" / "intents_vectors.json"

# Signatures of a wallet over NEP-413 messages, from the tests of near/near-api-rs.
WALLET_KEY = "ed25519:2RM3EotCzEiVobm6aMjaup43k8cFffR4KHFtrqbZ79Qy"
WALLET_NONCE = base64.b64decode("KNV0cOpvJ50D5vfF9pqWom8wo2sliQ4W+Wa7uZ3Uk6Y=")
WALLET_SIGNATURES = {
    None: (
        "NnJgPU1Ql7ccRTITIoOVsIfElmvH1RV7QAT4a9Vh6ShCOnjIzRwxqX54JzoQ/nK02p7VBMI2vJn48rpImIJwAw=="
    ),
    "http://localhost:3000": (
        "zzZQ/GwAjrZVrTIFlvmmQbDQHllfzrr8urVWHaRt5cPfcXaCSZo35c5LDpPpTKivR6BxLyb3lcPM0FfCW5lcBQ=="
    ),
}


@pytest.mark.parametrize("callback", list(WALLET_SIGNATURES))
def test_a_wallets_nep413_signature_verifies_over_our_digest(callback: str | None) -> None:
    digest = nep413.digest("Hello NEAR!", WALLET_NONCE, "example.near", callback)
    key = VerifyKey(ed25519_bytes(WALLET_KEY, 32))
    key.verify(digest, base64.b64decode(WALLET_SIGNATURES[callback]))
    other = nep413.digest("Hello NEAR?", WALLET_NONCE, "example.near", callback)
    with pytest.raises(BadSignatureError):
        key.verify(other, base64.b64decode(WALLET_SIGNATURES[callback]))


def raw(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


@given(raw(4), st.integers(0, 2**63 - 1), raw(15))
def test_a_nonce_reads_back_as_it_was_written(salt: bytes, deadline: int, random: bytes) -> None:
    nonce = VersionedNonce(salt, deadline, random)
    written = nonce.encode()
    assert len(written) == 32
    assert written[:5] == hashlib.sha256(b"versioned_nonce").digest()[:4] + b"\0"
    assert VersionedNonce.parse(written) == nonce
    assert VersionedNonce.parse(b"\0" + written[1:]) is None


@pytest.mark.parametrize(
    ("salt", "deadline", "random"),
    [(b"123", 1, bytes(15)), (bytes(4), 2**63, bytes(15)), (bytes(4), 1, b"")],
)
def test_a_nonce_of_another_shape_is_refused(salt: bytes, deadline: int, random: bytes) -> None:
    with pytest.raises(ExecutionError):
        VersionedNonce(salt, deadline, random)


def recorded() -> list[dict[str, Any]]:
    if not FILE.is_file():
        pytest.skip("the recorded cases are not here")
    found: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))["vectors"]
    return found


def test_a_recorded_payload_is_built_again_byte_for_byte() -> None:
    """Same text, same signature, same intent hash as the real contract recorded."""
    keys = {"alice.near": DevnetKey("alice"), "bob.near": DevnetKey("bob")}
    case = recorded()[0]
    executed = json.loads(case["events"][2].removeprefix("EVENT_JSON:"))["data"]
    for signed, one in zip(case["signed"], executed, strict=True):
        said = json.loads(signed["payload"])
        nonce = base64.b64decode(said["nonce"])
        parsed = VersionedNonce.parse(nonce)
        assert parsed is not None
        assert parsed.salt.hex() == "2244677b"
        assert parsed.deadline_ns == (1_790_000_000 + 3_600) * 10**9
        [intent] = said["intents"]
        diff = {token: int(units) for token, units in intent["diff"].items()}
        made = asyncio.run(
            sign_intents(
                keys[said["signer_id"]],
                [token_diff(diff)],
                account_id=said["signer_id"],
                contract_id="intents.near",
                deadline=1_790_000_600,
                nonce=nonce,
            )
        )
        assert made.body == signed
        assert made.intent_hash == one["intent_hash"]


@given(
    st.sampled_from(["raw_ed25519", "nep413"]),
    st.dictionaries(st.text(min_size=1), st.integers(-(2**100), 2**100).filter(bool), min_size=1),
    raw(32),
)
def test_the_loopback_reads_what_the_client_signed(
    standard: str, diff: dict[str, int], nonce: bytes
) -> None:
    key = DevnetKey("x")
    made = asyncio.run(
        sign_intents(
            key,
            [token_diff(diff)],
            account_id="x.near",
            contract_id="intents.near",
            deadline=1_790_000_000,
            nonce=nonce,
            standard=standard,
        )
    )
    seen = read(json.loads(json.dumps(dict(made.body))))
    assert (seen.hash, seen.public_key, seen.nonce) == (made.intent_hash, key.text, nonce)
    assert seen.deadline_ns == 1_790_000_000 * 10**9
    assert seen.intents == (token_diff(diff),)


def test_each_intent_is_signed_once() -> None:
    intents = [token_diff({"nep141:a.near": -1, "nep141:b.near": 2}), transfer("b.near", {"t": 1})]
    made = asyncio.run(
        sign_intents(
            DevnetKey("x"), intents, account_id="x", contract_id="c", deadline=1, nonce=bytes(32)
        )
    )
    assert json.loads(made.body["payload"])["intents"] == intents


@pytest.mark.parametrize("diff", [{}, {"nep141:a.near": 0}])
def test_a_token_diff_that_the_contract_refuses_is_not_built(diff: dict[str, int]) -> None:
    with pytest.raises(ExecutionError):
        token_diff(diff)


def test_text_forms_refuse_what_they_are_not() -> None:
    assert ed25519_bytes(ed25519_text(bytes(32)), 32) == bytes(32)
    for text in ("secp256k1:11", "ed25519:0OIl", ed25519_text(bytes(31))):
        with pytest.raises(ExecutionError):
            ed25519_bytes(text, 32)
