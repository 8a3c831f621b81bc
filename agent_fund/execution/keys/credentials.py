"""Credentials of an account at an exchange: a public key, and a secret that one caller reveals."""

from __future__ import annotations

from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.secret import Secret

_FIX = "copy it from the exchange again: printable characters, no white space"


class Credentials:
    """``ApiCredentials`` whose secret part shows nowhere but where it is revealed."""

    __slots__ = ("_key", "_secret")

    def __init__(self, key: str, secret: Secret) -> None:
        self._key = key
        self._secret = secret

    @property
    def key(self) -> str:
        """The public part."""
        return self._key

    def reveal(self) -> str:
        """The secret part; hand it to the client library and to nothing else."""
        return self._secret.reveal().decode("ascii")

    def __repr__(self) -> str:
        return f"Credentials({self._key[:4]}…)"


def credentials(key: Secret, secret: Secret, source: str) -> Credentials:
    """Credentials of two parts that can go into a request's header.

    Raises:
        KeyRefused: if a part is empty, or holds white space or what is not ASCII; neither is shown,
            because the two may have been mixed up.
    """
    if not _fits(key):
        raise KeyRefused(f"API key from {source}", f"{len(key)} bytes", _FIX)
    if not _fits(secret):
        raise KeyRefused(f"API secret from {source}", f"{len(secret)} bytes", _FIX)
    return Credentials(key.reveal().decode("ascii"), secret)


def _fits(part: Secret) -> bool:
    return len(part) > 0 and all(32 < byte < 127 for byte in part.reveal())
