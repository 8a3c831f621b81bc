"""Our encrypted keystore for Ed25519 keys and exchange credentials; EVM keys have a standard one.

One JSON object, format ``agent-fund/keystore/v1``:

    format      the name above
    kind        "ed25519" (secret: the 32-byte seed) or "api" (secret: the text in UTF-8)
    public      the public key as ``ed25519:…``, or the API key; readable without the passphrase
    kdf         {"name": "scrypt", "n", "r", "p", "salt"} (RFC 7914), 32 bytes of key from the
                passphrase in UTF-8; salt of 32 bytes in hexadecimal
    cipher      {"name": "aes-256-gcm", "nonce"} (NIST SP 800-38D); 12 bytes in hexadecimal
    ciphertext  hexadecimal, with the tag of 16 bytes at its end

The additional data are the whole object without ``ciphertext``, as JSON with sorted keys and no
white space, so kind, public part and parameters are authenticated with the secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.secret import Secret

FORMAT = "agent-fund/keystore/v1"
Kind = Literal["ed25519", "api"]
# 128 MiB and a third of a second: what OWASP asks of scrypt for passwords.
COST = 1 << 17
_LEAST, _MOST = 1 << 12, 1 << 20
_R, _P = 8, 1
_KEYS = {"format", "kind", "public", "kdf", "cipher", "ciphertext"}


def seal(
    kind: Kind, public: str, secret: Secret, passphrase: Secret, *, cost: int = COST
) -> dict[str, Any]:
    """The keystore that holds ``secret``; ``cost`` is scrypt's n, a power of two."""
    nonce = os.urandom(12)
    head: dict[str, Any] = {
        "format": FORMAT,
        "kind": kind,
        "public": public,
        "kdf": {"name": "scrypt", "n": cost, "r": _R, "p": _P, "salt": os.urandom(32).hex()},
        "cipher": {"name": "aes-256-gcm", "nonce": nonce.hex()},
    }
    key = _key(head["kdf"], passphrase)
    sealed = AESGCM(key.reveal()).encrypt(nonce, secret.reveal(), _canonical(head))
    return {**head, "ciphertext": sealed.hex()}


def unseal(store: Mapping[str, Any], passphrase: Secret, source: str) -> Secret:
    """The secret in ``store``.

    Raises:
        KeyRefused: if it is no such keystore, the passphrase is wrong, or a byte was changed.
    """
    head = require_store(store, source)
    found = _opened(head, str(store["ciphertext"]), _key(head["kdf"], passphrase))
    if found is None:
        fix = "give its own passphrase; if that is right, the file was changed: restore a copy"
        raise KeyRefused(f"passphrase of {source}", "it does not open the keystore", fix)
    return found


def require_store(store: Mapping[str, Any], source: str) -> dict[str, Any]:
    """All of ``store`` but its ciphertext, once its form is checked; nothing is opened.

    Raises:
        KeyRefused: if it is no keystore of this version, or its scrypt is out of bounds.
    """
    fix = f"make it with: agent-fund keys new, or keys import; the format is {FORMAT}"
    if set(store) != _KEYS or store["format"] != FORMAT or store["kind"] not in ("ed25519", "api"):
        raise KeyRefused(f"keystore {source}", store.get("format", "no format"), fix)
    kdf, cipher = store["kdf"], store["cipher"]
    if (
        not isinstance(kdf, dict)
        or not isinstance(cipher, dict)
        or set(kdf) != {"name", "n", "r", "p", "salt"}
        or set(cipher) != {"name", "nonce"}
        or (kdf["name"], kdf["r"], kdf["p"]) != ("scrypt", _R, _P)
        or cipher["name"] != "aes-256-gcm"
        or not isinstance(store["public"], str)
        or not all(
            _is_hex(text, size)
            for text, size in (
                (kdf["salt"], 32),
                (cipher["nonce"], 12),
                (store["ciphertext"], None),
            )
        )
    ):
        raise KeyRefused(f"keystore {source}", "other parameters", fix)
    n = kdf["n"]
    # A file from a stranger must neither ask for all memory nor be quick to guess.
    if type(n) is not int or not _LEAST <= n <= _MOST or n & (n - 1):
        fix = f"n is a power of two from {_LEAST} to {_MOST}"
        raise KeyRefused(f"keystore {source}: scrypt's n", n, fix)
    return {name: store[name] for name in store if name != "ciphertext"}


def _key(kdf: Mapping[str, Any], passphrase: Secret) -> Secret:
    salt = bytes.fromhex(kdf["salt"])
    made = Scrypt(salt=salt, length=32, n=kdf["n"], r=kdf["r"], p=kdf["p"])
    return Secret(made.derive(passphrase.reveal()))


def _opened(head: Mapping[str, Any], ciphertext: str, key: Secret) -> Secret | None:
    nonce = bytes.fromhex(head["cipher"]["nonce"])
    try:
        found = AESGCM(key.reveal()).decrypt(nonce, bytes.fromhex(ciphertext), _canonical(head))
    except InvalidTag:
        return None
    return Secret(found)


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _is_hex(text: object, size: int | None) -> bool:
    if not isinstance(text, str):
        return False
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return False
    return len(found) == size if size is not None else len(found) >= 16
