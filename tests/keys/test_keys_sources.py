from __future__ import annotations

import asyncio
import json
from pathlib import Path

import base58
import pytest
from artefacts import find_secrets_in
from eth_account import Account
from eth_account.messages import encode_typed_data
from keys_world import (
    ADDRESS,
    API_KEY,
    API_SECRET,
    COST,
    EVM_KEY,
    PASSPHRASE,
    PUBLIC,
    PUBLIC_TEXT,
    SECRET_TEXT,
    SECRETS,
    SEED,
    TRANSACTION,
    TYPED,
    keyring,
    keystores,
    passphrase,
    telling,
)
from nacl.signing import VerifyKey

from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.keyring import Keyring, describe, public_part
from agent_fund.execution.keys.keystore import seal, unseal
from agent_fund.execution.keys.keystore_file import read_keystore_file, write_keystore_file
from agent_fund.execution.keys.passphrase import ask_at_terminal
from agent_fund.execution.keys.reference import is_reference, parse_reference
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.keys.web3_keystore import seal_evm


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every source of every kind of key, but for a service."""
    keystores(tmp_path)
    variables = {
        "FUND_EVM": "0x" + EVM_KEY.hex(),
        "FUND_BARE": EVM_KEY.hex().upper(),
        "FUND_NEAR": SECRET_TEXT,
        "FUND_API_KEY": API_KEY,
        "FUND_API_SECRET": f" {API_SECRET}\n",
        "FUND_PASS": PASSPHRASE,
        "FUND_WRONG": "another passphrase",
        "FUND_EMPTY": "",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return tmp_path


EVM_SOURCES = ["env:FUND_EVM", "env:FUND_BARE", "keystore:evm.json", "keystore:evm.json#FUND_PASS"]
NEAR_SOURCES = ["env:FUND_NEAR", "keystore:ed25519.json", "keystore:ed25519.json#FUND_PASS"]
API_SOURCES = ["env:FUND_API_KEY,FUND_API_SECRET", "keystore:api.json#FUND_PASS"]


@pytest.mark.parametrize("reference", EVM_SOURCES)
def test_an_evm_key_from_each_source_signs_as_eth_account_does(
    folder: Path, reference: str
) -> None:
    async def act() -> None:
        signer = await keyring(folder).evm(reference, ADDRESS.lower())
        assert signer.address == ADDRESS == public_part(signer)
        signed = await signer.sign_transaction(TRANSACTION)
        theirs = Account.sign_transaction(TRANSACTION, EVM_KEY)
        assert signed.raw == theirs.raw_transaction
        assert signed.hash == "0x" + theirs.hash.hex().removeprefix("0x")
        typed = await signer.sign_typed_data(TYPED)
        assert typed == Account.sign_typed_data(EVM_KEY, full_message=TYPED).signature
        assert (
            Account.recover_message(encode_typed_data(full_message=TYPED), signature=typed)
            == ADDRESS
        )

    asyncio.run(act())


@pytest.mark.parametrize("reference", NEAR_SOURCES)
def test_an_ed25519_key_from_each_source_signs_as_libsodium_verifies(
    folder: Path, reference: str
) -> None:
    signer = asyncio.run(keyring(folder).ed25519(reference, PUBLIC_TEXT))
    assert signer.public_key == PUBLIC
    assert public_part(signer) == PUBLIC_TEXT
    signature = asyncio.run(signer.sign(b"a message"))
    assert VerifyKey(PUBLIC).verify(b"a message", signature) == b"a message"


@pytest.mark.parametrize("reference", API_SOURCES)
def test_credentials_from_each_source_that_may_have_them(folder: Path, reference: str) -> None:
    found = keyring(folder).credentials(reference)
    assert (found.key, found.reveal()) == (API_KEY, API_SECRET)


WRONG = [
    ("evm", "env:FUND_ABSENT", "FUND_ABSENT: 'not set' is refused; set it: export FUND_ABSENT=…"),
    ("evm", "env:FUND_EMPTY", "FUND_EMPTY: 'empty'"),
    ("evm", "env:FUND_NEAR", "it must be an EVM key: 0x and 64 hexadecimal digits"),
    ("evm", "env:FUND_EVM,FUND_NEAR", "an EVM key stands in one"),
    ("evm", "keystore:evm.json#FUND_WRONG", "does not open the keystore"),
    ("evm", "keystore:evm.json#FUND_ABSENT", "FUND_ABSENT: 'not set'"),
    (
        "evm",
        "keystore:ed25519.json#FUND_PASS",
        "'ed25519' is refused; name a keystore that holds",
    ),
    ("evm", "keystore:absent.json#FUND_PASS", "No such file"),
    ("evm", "keystore:torn.json#FUND_PASS", "no keystore"),
    ("evm", "keystore:altered.json#FUND_PASS", "does not open the keystore"),
    ("evm", "keystore:misnamed.json#FUND_PASS", f"its key is that of {ADDRESS}"),
    ("evm", "keystore:hungry.json#FUND_PASS", "scrypt of at most 1 GiB"),
    ("evm", "plain", "write env:NAME"),
    ("ed25519", "env:FUND_API_SECRET", "it must be an Ed25519 key"),
    (
        "ed25519",
        "keystore:evm.json#FUND_PASS",
        "'evm' is refused; name a keystore that holds",
    ),
    ("ed25519", "keystore:ed25519.json#FUND_WRONG", "does not open the keystore"),
    ("ed25519", "keystore:relabelled.json#FUND_PASS", "does not open the keystore"),
    ("ed25519", "signer:http://127.0.0.1:1#0xabc", "name the public key, as ed25519:…"),
    ("credentials", "env:FUND_API_KEY", "a variable for each part"),
    ("credentials", "env:FUND_API_KEY,FUND_ABSENT", "FUND_ABSENT: 'not set'"),
    ("credentials", "keystore:ed25519.json#FUND_PASS", "holds API credentials"),
    ("credentials", "signer:https://signer.example#x", "write env:KEY,SECRET or keystore:PATH"),
]


@pytest.mark.parametrize(("kind", "reference", "says"), WRONG)
def test_what_goes_wrong_is_said_with_its_fix_and_no_secret(
    folder: Path, kind: str, reference: str, says: str
) -> None:
    evm = read_keystore_file(folder / "evm.json")
    near = read_keystore_file(folder / "ed25519.json")
    (folder / "torn.json").write_text((folder / "evm.json").read_text()[:100])
    crypto = evm["crypto"]
    digits = crypto["ciphertext"]
    altered = {**crypto, "ciphertext": digits[:-1] + ("0" if digits[-1] != "0" else "1")}
    write_keystore_file(folder / "altered.json", {**evm, "crypto": altered})
    write_keystore_file(folder / "misnamed.json", {**evm, "address": "11" * 20})
    hungry = {**crypto, "kdfparams": {**crypto["kdfparams"], "n": 1 << 24}}
    write_keystore_file(folder / "hungry.json", {**evm, "crypto": hungry})
    write_keystore_file(folder / "relabelled.json", {**near, "public": PUBLIC_TEXT + "x"})
    with pytest.raises(KeyRefused) as refused:
        _open(keyring(folder), kind, reference)
    assert says in str(refused.value)
    assert not find_secrets_in("traceback", telling(refused.value), SECRETS)


def test_a_key_of_another_address_than_the_run_file_states_is_refused(folder: Path) -> None:
    other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    with pytest.raises(KeyRefused, match=f"env:FUND_EVM holds the key of {ADDRESS}"):
        asyncio.run(keyring(folder).evm("env:FUND_EVM", other))
    with pytest.raises(KeyRefused, match=f"holds the key of {PUBLIC_TEXT}"):
        asyncio.run(keyring(folder).ed25519("env:FUND_NEAR", "ed25519:" + "1" * 32))


@pytest.mark.parametrize(
    "value",
    ["0x" + "00" * 32, "0x" + "ff" * 32, "0x" + EVM_KEY.hex()[:-2], EVM_KEY.hex() + "zz", "0x"],
)
def test_what_is_no_private_key_is_refused_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FUND_EVM", value)
    with pytest.raises(KeyRefused) as refused:
        asyncio.run(keyring(tmp_path).evm("env:FUND_EVM"))
    assert value.encode() not in telling(refused.value) or value == "0x"


@pytest.mark.parametrize(
    "value",
    [
        SECRET_TEXT[:-4],
        SECRET_TEXT.replace("ed25519:", "secp256k1:"),
        SECRET_TEXT + "0",
        "ed25519:",
    ],
)
def test_what_is_no_ed25519_key_is_refused_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FUND_NEAR", value)
    with pytest.raises(KeyRefused) as refused:
        asyncio.run(keyring(tmp_path).ed25519("env:FUND_NEAR"))
    assert not find_secrets_in("traceback", telling(refused.value), SECRETS)
    assert value == "ed25519:" or value.encode() not in telling(refused.value)


def test_halves_of_different_ed25519_keys_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUND_NEAR", "ed25519:" + base58.b58encode(SEED + bytes(32)).decode())
    with pytest.raises(KeyRefused, match="do not belong together"):
        asyncio.run(keyring(tmp_path).ed25519("env:FUND_NEAR"))


def test_a_variable_that_is_not_text_is_refused_without_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUND_EVM", "\udcff\udcfe" + API_SECRET)
    monkeypatch.setenv("FUND_API_KEY", "\udcff\udcfe" + API_SECRET)
    for kind, reference in (("evm", "env:FUND_EVM"), ("credentials", "env:FUND_API_KEY,FUND_EVM")):
        with pytest.raises(KeyRefused) as refused:
            _open(keyring(tmp_path), kind, reference)
        assert not find_secrets_in("error", str(refused.value).encode(), SECRETS)


def test_without_a_terminal_the_passphrase_is_not_asked_for(folder: Path) -> None:
    with pytest.raises(KeyRefused, match="no terminal to ask at"):
        asyncio.run(Keyring(folder, ask_at_terminal).evm("keystore:evm.json"))


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("env:", "without a variable's name"),
        ("env:fund_key", "in capitals"),
        ("env:A,B,C", "without a variable's name"),
        ("env:" + "A" * 64, "without a variable's name"),
        (f"env:{API_SECRET}", "without a variable's name"),
        ("keystore:", "without a path"),
        ("keystore:a.json#", "without a path or a variable's name"),
        ("keystore:a.json#lower", "without a path or a variable's name"),
        ("signer:https://host", "without URL or identifier"),
        ("signer:ftp://host#x", "without URL or identifier"),
        ("signer:https://host:port#x", "without URL or identifier"),
        ("signer:http://signer.example#x", "write https"),
        ("signer:http://10.0.0.1:9000#x", "write https"),
        ("signer:https://user:word@host#x", "a run file holds no secret"),
        ("signer:https://host?token=1#x", "a run file holds no secret"),
        ("0x" + EVM_KEY.hex(), "write env:NAME"),
        (SECRET_TEXT, "write env:NAME"),
    ],
)
def test_a_badly_written_reference_is_refused_unseen(reference: str, says: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        parse_reference(reference)
    assert says in str(refused.value)
    assert not find_secrets_in("error", str(refused.value).encode(), SECRETS)


def test_references_are_told_from_values() -> None:
    for text in [*EVM_SOURCES, *NEAR_SOURCES, *API_SOURCES, "signer:http://[::1]:9000#0xab"]:
        assert is_reference(text)
        parse_reference(text)
    assert not is_reference(SECRET_TEXT)


def test_our_keystore_opens_only_whole(folder: Path) -> None:
    store = read_keystore_file(folder / "ed25519.json")
    assert unseal(store, passphrase(), "it").reveal() == SEED
    for name in store:
        for changed in _changes(store, name):
            with pytest.raises(KeyRefused):
                unseal(changed, passphrase(), "it")
    with pytest.raises(KeyRefused):
        unseal({**store, "more": 1}, passphrase(), "it")
    with pytest.raises(KeyRefused):
        unseal(store, passphrase(PASSPHRASE + " "), "it")


def test_two_keystores_of_one_key_share_nothing(folder: Path) -> None:
    one = seal("ed25519", PUBLIC_TEXT, Secret(SEED), passphrase(), cost=COST)
    other = seal("ed25519", PUBLIC_TEXT, Secret(SEED), passphrase(), cost=COST)
    assert one["ciphertext"] != other["ciphertext"]
    assert one["kdf"]["salt"] != other["kdf"]["salt"]
    assert not find_secrets_in("store", json.dumps([one, other]).encode(), SECRETS)
    assert one["kdf"]["n"] == COST
    assert describe(one, "it") == ("ed25519", PUBLIC_TEXT)


def test_an_evm_keystore_of_geth_s_light_kind_and_of_pbkdf2_opens(folder: Path) -> None:
    for kdf, work in (("scrypt", 1 << 12), ("pbkdf2", 1000)):
        made = Account.encrypt(EVM_KEY, PASSPHRASE, kdf=kdf, iterations=work)
        write_keystore_file(folder / f"{kdf}.json", made)
        signer = asyncio.run(keyring(folder).evm(f"keystore:{kdf}.json"))
        assert signer.address == ADDRESS


def test_eth_account_opens_an_evm_keystore_of_ours(folder: Path) -> None:
    store = seal_evm(Secret(EVM_KEY), passphrase(), cost=COST)
    assert bytes(Account.decrypt(store, PASSPHRASE)) == EVM_KEY


def test_a_keystore_file_is_its_owner_s_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_keystore_file(path, {"a": 1})
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyRefused, match="it exists"):
        write_keystore_file(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    with pytest.raises(KeyRefused, match="No such file"):
        write_keystore_file(tmp_path / "absent" / "a.json", {})
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


def _open(ring: Keyring, kind: str, reference: str) -> object:
    if kind == "credentials":
        return ring.credentials(reference)
    if kind == "evm":
        return asyncio.run(ring.evm(reference))
    return asyncio.run(ring.ed25519(reference))


def _changes(store: dict[str, object], name: str) -> list[dict[str, object]]:
    """``store`` with one small change at ``name``, in every way that its type allows."""
    value = store[name]
    if isinstance(value, dict):
        inner = []
        for key in value:
            inner += [{**store, name: change} for change in _changes(value, key)]
        return inner
    if isinstance(value, int):
        return [{**store, name: value * 2}, {**store, name: value + 1}, {**store, name: True}]
    assert isinstance(value, str)
    last = "1" if value[-1] == "0" else "0"
    return [{**store, name: value[:-1] + last}, {**store, name: value[:-2]}, {**store, name: 5}]
