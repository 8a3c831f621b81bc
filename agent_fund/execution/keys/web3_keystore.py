"""EVM keys in Web3 Secret Storage, version 3: the files that geth, Besu and wallets write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_keyfile.exceptions import EthKeyfileNotImplementedError
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json

from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.evm import address_of, checksum
from agent_fund.execution.keys.secret import Secret

COST = 1 << 18
# 128·n·r bytes are what scrypt takes; a file from a stranger must not ask for all memory.
_MOST_BYTES = 1 << 30
_MOST_ROUNDS = 100_000_000


def seal_evm(key: Secret, passphrase: Secret, *, cost: int = COST) -> dict[str, Any]:
    """The version 3 file that holds the 32 bytes ``key``; ``cost`` is scrypt's n."""
    return create_keyfile_json(
        key.reveal(), passphrase.reveal(), kdf="scrypt", iterations=cost, salt_size=32
    )


def unseal_evm(store: Mapping[str, Any], passphrase: Secret, source: str) -> Secret:
    """The private key in ``store``.

    Raises:
        KeyRefused: if it is no such file, the passphrase is wrong, or its address is not its key's.
    """
    _require_moderate(store, source)
    found = _opened(store, passphrase)
    if isinstance(found, str):
        if found == "MAC mismatch":
            fix = "give its own passphrase; if that is right, the file was changed: restore a copy"
            raise KeyRefused(f"passphrase of {source}", "it does not open the keystore", fix)
        raise KeyRefused(f"keystore {source}", found, "restore a copy of the version 3 file")
    address, stated = address_of(found), stated_address(store)
    if stated is not None and stated != address:
        raise KeyRefused(f"address in {source}", stated, f"its key is that of {address}")
    return found


def stated_address(store: Mapping[str, Any]) -> str | None:
    """The address that the file states, if it does; nothing proves it until the file is opened."""
    text = store.get("address")
    return checksum("0x" + text.removeprefix("0x")) if isinstance(text, str) else None


def is_web3_keystore(store: Mapping[str, Any]) -> bool:
    """Whether ``store`` says that it is a version 3 file."""
    return store.get("version") == 3 and isinstance(store.get("crypto", store.get("Crypto")), dict)


def _opened(store: Mapping[str, Any], passphrase: Secret) -> Secret | str:
    """The key, or the reason why not: an exception's frames would hold what was derived."""
    try:
        return Secret(decode_keyfile_json(dict(store), passphrase.reveal()))
    except KeyError as error:
        return f"no {error}"
    except (ValueError, TypeError, EthKeyfileNotImplementedError) as error:
        return str(error)


def _require_moderate(store: Mapping[str, Any], source: str) -> None:
    crypto = store.get("crypto", store.get("Crypto"))
    parameters = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(parameters, dict):
        raise KeyRefused(f"keystore {source}", "no kdfparams", "restore a copy of the file")
    numbers = {name: parameters.get(name, 1) for name in ("n", "r", "p", "c")}
    if not all(type(value) is int and value > 0 for value in numbers.values()):
        raise KeyRefused(f"keystore {source}: kdfparams", numbers, "they are positive integers")
    n, r, p, c = numbers.values()
    if 128 * n * r > _MOST_BYTES or p > 16 or c > _MOST_ROUNDS:
        fix = "write the file again with scrypt of at most 1 GiB"
        raise KeyRefused(f"keystore {source}: kdfparams", numbers, fix)
