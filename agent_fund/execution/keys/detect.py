"""No key stands in a run file or a mandate: what looks like one is refused, and never repeated.

Looked for, in every string however deep: private keys in hexadecimal, NEAR's ``ed25519:`` and
``secp256k1:`` secrets, PEM private keys, recovery phrases (BIP-39), passwords in URLs; and in a
field whose name speaks of a secret, anything long that is no reference. A digest has the form of a
private key, so a field or line that calls itself a hash, digest or root may hold 64 digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import base58

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.reference import FORMS, is_reference

_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0[xX])?(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{64})(?![0-9A-Za-z])")
_NEAR = re.compile(r"(ed25519|secp256k1):([1-9A-HJ-NP-Za-km-z]{32,100})")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s@:]*:[^/\s@]+@")
_LONG = re.compile(r"[A-Za-z0-9+/_=.:-]{20,}")
_DIGEST = re.compile(r"sha256|keccak|hash|digest|root|checksum", re.IGNORECASE)
# Nothing but a reference belongs in the former; in the latter, nothing long does.
_SECRET_FIELD = re.compile(r"(^|_)(secret|private|passphrase|password|passwd|mnemonic)(_|$)")
_KEY_FIELD = re.compile(
    r"(^|_)(key|keys|apikey|signer|seed|credentials?|(api|auth|access|bearer)_token)(_|$)"
)
_PUBLIC_FIELD = re.compile(r"(^|_)public(_|$)")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SERVICE_KEY = re.compile(r"(signer:[^#]*#)0x[0-9a-fA-F]{128}")
# Bytes of what NEAR writes after the colon, where it is the secret and not the public key.
_NEAR_SECRETS = {"ed25519": (64,), "secp256k1": (32,)}
_PHRASES = (12, 15, 18, 21, 24)


@dataclass(frozen=True)
class KeyValue:
    """Where a key's value stands, e.g. ``venues[0].key``, and what it looks like."""

    place: str
    form: str


def find_key_values(parsed: Any, place: str = "") -> Iterator[KeyValue]:
    """Every string in a parsed TOML or JSON document that looks like a key; names of fields too.

    Args:
        parsed: tables as mappings, arrays as lists or tuples.
        place: name of ``parsed`` itself, in front of every place.
    """
    if isinstance(parsed, dict):
        for name, value in parsed.items():
            if form := _form(str(name), ""):
                yield KeyValue(f"a field's name in {place or 'the file'}", form)
                continue
            yield from find_key_values(value, f"{place}.{name}" if place else str(name))
    elif isinstance(parsed, (list, tuple)):
        for index, value in enumerate(parsed):
            yield from find_key_values(value, f"{place}[{index}]")
    elif isinstance(parsed, str):
        field = re.sub(r"\[\d+\]$", "", place).rpartition(".")[2]
        if form := _form(parsed, field):
            yield KeyValue(place, form)


def find_keys_in_text(text: str) -> Iterator[KeyValue]:
    """Every line of a text, e.g. a mandate's Python, that holds what looks like a private key."""
    for number, line in enumerate(text.splitlines(), 1):
        if form := _anywhere(line, digest=bool(_DIGEST.search(line))):
            yield KeyValue(f"line {number}", form)


def require_no_key_values(parsed: Any, file: str) -> None:
    """Refuse a parsed run file that holds a key's value.

    Raises:
        KeyRefused: naming the place and the form, not the value.
    """
    for found in find_key_values(parsed):
        raise KeyRefused(f"{file}: {found.place}", found.form, _FIX)


def require_no_keys_in_file(path: Path) -> None:
    """Refuse a file of text, e.g. a mandate, that holds a private key.

    Raises:
        KeyRefused: naming the line and the form, not the value.
    """
    for found in find_keys_in_text(path.read_text("utf-8")):
        raise KeyRefused(f"{path}: {found.place}", found.form, _FIX)


_FIX = f"take it out, treat it as known to others, and name a new one by reference: {FORMS}"


def _form(text: str, field: str) -> str:
    """What ``text`` looks like, in the field of that name; empty if like no key."""
    # In a reference to a service, 128 digits are a public key of secp256k1.
    text = _SERVICE_KEY.sub(r"\1", text)
    if found := _anywhere(text, digest=bool(_DIGEST.search(field))):
        return found
    if _is_phrase(text.split()):
        return "a recovery phrase"
    if not text or is_reference(text) or _PUBLIC_FIELD.search(_snake(field)):
        return ""
    if _SECRET_FIELD.search(_snake(field)):
        return "a value where a reference belongs"
    public = _names_a_path(text) or _ADDRESS.fullmatch(text)
    if _KEY_FIELD.search(_snake(field)) and not public and _LONG.search(text):
        return "a long value where a reference belongs"
    return ""


def _anywhere(text: str, *, digest: bool) -> str:
    if not digest and _HEX.search(text):
        return "64 or 128 hexadecimal digits, like a private key"
    for curve, encoded in _NEAR.findall(text):
        if len(base58.b58decode(encoded)) in _NEAR_SECRETS[curve]:
            return f"an {curve} secret key"
    if _PEM.search(text):
        return "a private key in PEM"
    if _PASSWORD.search(text):
        return "a URL with a password"
    return ""


def _is_phrase(words: list[str]) -> bool:
    """Whether these are words of BIP-39's list with a right checksum."""
    if len(words) not in _PHRASES:
        return False
    # Every run file is searched, and few hold a text of so many words: the import takes a second.
    from eth_account.hdaccount.mnemonic import Mnemonic
    from eth_account.types import Language

    return bool(Mnemonic(Language.ENGLISH).is_mnemonic_valid(" ".join(words)))


def _snake(field: str) -> str:
    """``apiKey`` and ``api-key`` as ``api_key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", field).lower()


def _names_a_path(text: str) -> bool:
    """A file's name ends in a short suffix: ``keys/fund.json``; base64 and base58 do not."""
    return re.search(r"\.[A-Za-z]{2,5}$", text) is not None and not text.startswith("eyJ")
