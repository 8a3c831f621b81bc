from __future__ import annotations

import tomllib
from pathlib import Path

import base58
import pytest
from artefacts import find_secrets_in
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from keys_world import ADDRESS, API_SECRET, EVM_KEY, PUBLIC_TEXT, SECRET_TEXT, SECRETS, SEED

from agent_fund.execution.keys.detect import (
    find_key_values,
    find_keys_in_text,
    require_no_key_values,
    require_no_keys_in_file,
)
from agent_fund.execution.keys.errors import KeyRefused

ROOT = Path(__file__).parents[2]
PEM = Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
PHRASE = "test test test test test test test test test test test junk"

VALUES = [
    ("anything", "0x" + EVM_KEY.hex()),
    ("anything", EVM_KEY.hex().upper()),
    ("anything", f"the key is 0X{EVM_KEY.hex()}, keep it"),
    ("anything", (SEED + EVM_KEY).hex()),
    ("anything", SECRET_TEXT),
    ("anything", "secp256k1:" + base58.b58encode(EVM_KEY).decode()),
    ("anything", PEM.decode()),
    ("anything", PHRASE),
    ("url", "https://user:word@node.example/rpc"),
    ("signer", f"signer:https://host#0x{EVM_KEY.hex()}"),
    ("signer", f"env:0x{EVM_KEY.hex()}"),
    ("api_key", API_SECRET),
    ("apiKey", API_SECRET),
    ("keys", API_SECRET),
    ("key", "aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0Cg=="),
    ("secret", "short"),
    ("passphrase", "hunter2"),
    ("wallet_private_key", "x"),
    ("mnemonic", "word word"),
    ("access-token", "abcdefghijklmnopqrstuvwxyz"),
]


@pytest.mark.parametrize(("field", "value"), VALUES)
@pytest.mark.parametrize("deep", [False, True])
def test_a_key_in_a_run_file_is_refused_with_its_place_and_without_its_value(
    field: str, value: str, deep: bool
) -> None:
    parsed = {"venues": [{"a": 1}, {field: [value] if deep else value}]}
    (found,) = find_key_values(parsed)
    assert found.place == f"venues[1].{field}" + ("[0]" if deep else "")
    with pytest.raises(KeyRefused) as refused:
        require_no_key_values(parsed, "run.toml")
    assert found.place in str(refused.value)
    assert value not in str(refused.value)
    assert not find_secrets_in("error", str(refused.value).encode(), SECRETS)


def test_a_key_as_a_field_s_name_is_refused() -> None:
    (found,) = find_key_values({"a": {"0x" + EVM_KEY.hex(): 1}})
    assert EVM_KEY.hex() not in found.place + found.form


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "env:FUND_KEY"),
        ("secret", "env:BINANCE_KEY,BINANCE_SECRET"),
        ("signer", "keystore:keys/a-rather-long-name-of-a-file.json#FUND_PASSPHRASE"),
        ("signer", f"signer:https://signer.example:9000#{ADDRESS}"),
        ("signer", "signer:https://signer.example:9000#0x" + "ab" * 64),
        ("signer", ADDRESS),
        ("public_key", PUBLIC_TEXT),
        ("account", PUBLIC_TEXT),
        ("token", "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        ("token", "nep141:eth-0xdac17f958d2ee523a2206206994597c13d831ec7.omft.near"),
        ("app_data_hash", "0x" + EVM_KEY.hex()),
        ("sha256", EVM_KEY.hex()),
        ("mandate_digest", EVM_KEY.hex()),
        ("key", "close"),
        ("seed", "42"),
        ("reason", "twelve words that do not come from the list of recovery phrases at all"),
        ("url", "https://node.example:8545/rpc"),
        ("url", "http://127.0.0.1:8545"),
        ("anything", ""),
    ],
)
def test_what_is_no_secret_passes(field: str, value: str) -> None:
    assert list(find_key_values({"table": {field: value, "number": 5, "day": None}})) == []


def test_every_run_file_and_mandate_that_comes_with_the_package_passes() -> None:
    files = [*(ROOT / "backtests").glob("*.toml")]
    assert files
    for file in files:
        require_no_key_values(tomllib.loads(file.read_text("utf-8")), str(file))
    mandates = [*(ROOT / "guardrails").rglob("*.py"), *(ROOT / "strategies").rglob("*.py")]
    assert mandates
    for file in mandates:
        require_no_keys_in_file(file)


def test_a_key_in_a_mandate_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mandate.py"
    for value in ("0x" + EVM_KEY.hex(), SECRET_TEXT, PEM.decode().splitlines()[0]):
        file.write_text(f'"""A mandate."""\n\nKEY = "{value}"\n')
        with pytest.raises(KeyRefused, match="line 3") as refused:
            require_no_keys_in_file(file)
        assert value not in str(refused.value)
    file.write_text(f'"""A mandate."""\n\nDATA_SHA256 = "{EVM_KEY.hex()}"\n')
    require_no_keys_in_file(file)


def test_a_text_is_searched_line_by_line() -> None:
    text = f"one\nkey {EVM_KEY.hex()}\nthree {SECRET_TEXT}"
    assert [found.place for found in find_keys_in_text(text)] == ["line 2", "line 3"]


@settings(deadline=None)
@given(
    st.binary(min_size=32, max_size=32).filter(any),
    st.sampled_from(["hex", "0x", "near"]),
    st.text("abc ,;:'\"()=\n", max_size=6),
    st.text("abc ,;:'\"()=\n", max_size=6),
)
def test_any_private_key_between_any_words_is_found(
    key: bytes, form: str, before: str, after: str
) -> None:
    near = "ed25519:" + base58.b58encode(key + key).decode()
    written = {"hex": key.hex(), "0x": "0x" + key.hex(), "near": near}[form]
    value = f"{before} {written} {after}"
    assert list(find_key_values({"note": value}))
    assert list(find_keys_in_text(value))
