"""A reference names where a key is, never what it is; only references stand in run files.

    env:NAME                     an EVM or Ed25519 key in an environment variable
    env:NAME,SECRET              key and secret of an exchange account, a variable each
    keystore:PATH                an encrypted file; its passphrase is asked for on the terminal
    keystore:PATH#NAME           the same, with the passphrase in an environment variable
    signer:URL#IDENTIFIER        a signer service, and the public name of one key there

A NAME is in capitals, digits and underscores. A relative PATH begins at the workspace. A URL holds
no user, password or query, and is https unless the service listens on this machine: what a stranger
on the way may change, he may have signed.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent_fund.execution.keys.errors import KeyRefused

FORMS = "write env:NAME, keystore:PATH#PASSPHRASE_VARIABLE or signer:URL#IDENTIFIER"
# Capitals only: a key put where a name belongs is then not taken for a name, and not printed.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SCHEMES = ("env:", "keystore:", "signer:")
_LONGEST_NAME = 63


@dataclass(frozen=True)
class EnvironmentReference:
    """One variable, or two for an exchange account; a variable's name is safe to print."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class KeystoreReference:
    """An encrypted file; ``passphrase`` names a variable, or is empty: ask on the terminal."""

    path: str
    passphrase: str


@dataclass(frozen=True)
class SignerReference:
    """A signer service's base URL without a final slash, and the key's public name there."""

    url: str
    identifier: str


Reference = EnvironmentReference | KeystoreReference | SignerReference


def is_reference(text: str) -> bool:
    """Whether ``text`` has the form of a reference, well made or not."""
    return text.startswith(_SCHEMES)


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        KeyRefused: if it is none; the text is not repeated, because it may be the key itself.
    """
    scheme, _, rest = text.partition(":")
    if scheme == "env":
        return _environment(rest)
    if scheme == "keystore":
        return _keystore(rest)
    if scheme == "signer":
        return _signer(rest)
    raise KeyRefused("key reference", f"text of {len(text)} characters", FORMS)


def _environment(rest: str) -> EnvironmentReference:
    names = tuple(rest.split(","))
    if len(names) > 2 or not all(_is_variable(name) for name in names):
        fix = "write env:NAME in capitals, or env:KEY_NAME,SECRET_NAME for an exchange account"
        raise KeyRefused("key reference", "env: without a variable's name", fix)
    return EnvironmentReference(names)


def _keystore(rest: str) -> KeystoreReference:
    path, mark, passphrase = rest.partition("#")
    if not path or (mark and not _is_variable(passphrase)):
        fix = "write keystore:PATH#NAME, where the variable NAME holds the passphrase"
        raise KeyRefused("key reference", "keystore: without a path or a variable's name", fix)
    return KeystoreReference(path, passphrase)


def _signer(rest: str) -> SignerReference:
    address, _, identifier = rest.partition("#")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - it raises for a port that is no number
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or not identifier:
        fix = "write signer:https://HOST:PORT#IDENTIFIER, with the public name of the key"
        raise KeyRefused("key reference", "signer: without URL or identifier", fix)
    if parts.username is not None or parts.password is not None or parts.query:
        fix = "leave them out: a run file holds no secret"
        raise KeyRefused(f"signer at {host}", "a user, password or query in its URL", fix)
    if parts.scheme == "http" and not _is_loopback(host):
        raise KeyRefused(f"signer at {host}", "http", "write https, or run it on this machine")
    return SignerReference(address.rstrip("/"), identifier)


def _is_variable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _VARIABLE.fullmatch(name) is not None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
