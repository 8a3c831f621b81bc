from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest
from artefacts import find_secrets_in
from keys_world import API_KEY, API_SECRET, EVM_KEY, SECRETS, SEED

from agent_fund.execution.keys.credentials import credentials
from agent_fund.execution.keys.ed25519 import local_ed25519
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.evm import local_evm
from agent_fund.execution.keys.secret import Secret


def test_no_way_of_writing_a_secret_shows_it() -> None:
    secret = Secret(EVM_KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>80}",
        f"{secret:x}",
        "".join(map(str, [secret])),
    ]
    shown += [f"{secret}", str([secret]), str({"a": secret}), json.dumps(secret, default=str)]
    assert not find_secrets_in("text", "\n".join(shown).encode(), SECRETS)


def test_a_secret_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("keys").warning("opened %s and %r", Secret(EVM_KEY), Secret(SEED))
    assert not find_secrets_in("log", caplog.text.encode(), SECRETS)
    assert "<secret>" in caplog.text


@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, pickle.dumps, json.dumps, hash, vars])
def test_a_secret_is_not_copied_pickled_dumped_or_hashed(act: object) -> None:
    assert callable(act)
    with pytest.raises(TypeError) as refused:
        act(Secret(EVM_KEY))
    assert not find_secrets_in("error", repr(refused.value).encode(), SECRETS)


def test_a_record_that_holds_a_secret_does_not_show_or_copy_it() -> None:
    @dataclasses.dataclass
    class Holder:
        key: Secret

    holder = Holder(Secret(EVM_KEY))
    assert not find_secrets_in("repr", repr(holder).encode(), SECRETS)
    with pytest.raises(TypeError):
        dataclasses.asdict(holder)


def test_a_traceback_with_every_local_does_not_show_a_secret() -> None:
    secret, other = Secret(EVM_KEY), {"deep": [Secret(SEED)]}
    try:
        raise RuntimeError(f"with {secret} and {other}")
    except RuntimeError as error:
        told = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
    assert "<secret>" in told
    assert not find_secrets_in("traceback", told.encode(), SECRETS)


def test_secrets_are_equal_when_their_bytes_are_and_never_to_bytes() -> None:
    assert Secret(EVM_KEY) == Secret(EVM_KEY)
    assert Secret(EVM_KEY) != Secret(SEED)
    assert Secret(EVM_KEY) != Secret(EVM_KEY + b"\0")
    assert Secret(EVM_KEY) != EVM_KEY


def test_a_wiped_secret_is_gone() -> None:
    secret = Secret(EVM_KEY)
    inner = secret._value
    assert inner is not None
    secret.wipe()
    assert bytes(inner) == bytes(32)
    assert len(secret) == 0
    assert secret != Secret(EVM_KEY)
    with pytest.raises(ValueError, match="wiped"):
        secret.reveal()
    secret.wipe()


def test_signers_and_credentials_show_only_their_public_part() -> None:
    signers = [
        local_evm(Secret(EVM_KEY), "a test"),
        local_ed25519(Secret(SEED), "a test"),
        credentials(Secret(API_KEY.encode()), Secret(API_SECRET.encode()), "a test"),
    ]
    for signer in signers:
        holders = [signer, getattr(signer, "_holder", None)]
        shown = [repr(item) + str(getattr(item, "__dict__", "")) for item in holders]
        assert not find_secrets_in("repr", "".join(shown).encode(), SECRETS)
        with pytest.raises(TypeError):
            pickle.dumps(signer)


@pytest.mark.parametrize("value", [b"", b"with space", b"with\nline", "schlüssel".encode()])
def test_credentials_that_no_header_can_hold_are_refused_unseen(value: bytes) -> None:
    with pytest.raises(KeyRefused) as refused:
        credentials(Secret(API_KEY.encode()), Secret(value), "env:A,B")
    assert "API secret from env:A,B" in str(refused.value)
    assert not value or value.decode() not in str(refused.value)
