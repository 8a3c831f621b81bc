"""Keys in a signer service: the payload goes out, a signature comes back, the key never does.

For secp256k1, Web3Signer's published eth1 API (its ``openapi-specs/eth1/web3signer.yaml``):
``POST /api/v1/eth1/sign/{public key}`` with ``{"data": "0x…"}`` answers r, s, v over the keccak256
of the data, so one call serves EIP-1559 transactions and EIP-712 data alike;
``GET /api/v1/eth1/publicKeys`` lists the keys. Web3Signer has no Ed25519; a service of one's own
may serve ``POST /api/v1/ed25519/sign/{public key}`` in the same form, 64 bytes over the data.

Nothing here is trusted: ``EvmKey`` and ``Ed25519Key`` verify every signature. A service that hangs
or is gone is a ``SigningFailed``: without a signature nothing has left.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from eth_keys.datatypes import PublicKey

from agent_fund.execution.keys.ed25519 import parsed_public
from agent_fund.execution.keys.errors import KeyRefused, SigningFailed
from agent_fund.execution.keys.evm import checksum

_LARGEST = 1 << 20
_FIXES = {
    400: "it takes the request for malformed: is it a Web3Signer in eth1 mode?",
    401: "it must let this machine in",
    403: "it must let this machine in",
    404: "it has no such key: load it there, or name another",
}


class SignerService:
    """One service at ``url``; a call that takes longer than ``seconds`` fails."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._seconds = seconds

    async def evm_keys(self) -> dict[str, str]:
        """Public key (0x and 128 digits) by checksum address.

        Raises:
            SigningFailed: without a proper answer.
        """
        text = await self._call("GET", "/api/v1/eth1/publicKeys", None)
        try:
            listed = json.loads(text)
            public_keys = [PublicKey(_hex(item)) for item in listed]
        except (ValueError, TypeError) as error:
            raise self._failed("keys listed", "another form", "is it a Web3Signer?") from error
        return {key.to_checksum_address(): "0x" + key.to_bytes().hex() for key in public_keys}

    async def sign(self, curve: str, identifier: str, data: bytes) -> bytes:
        """The signature that the service answers for ``data``.

        Raises:
            SigningFailed: without a proper answer.
        """
        body = {"data": "0x" + data.hex()}
        text = await self._call("POST", f"/api/v1/{curve}/sign/{identifier}", body)
        try:
            return _hex(text.strip())
        except ValueError as error:
            raise self._failed("signature", "another form", "hexadecimal is due") from error

    async def _call(self, method: str, path: str, body: dict[str, str] | None) -> str:
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.request(
                    method, self._url + path, json=body, allow_redirects=False
                ) as answer,
            ):
                content = await _limited(answer)
                status = answer.status
        except TimeoutError as error:
            fix = "is it overloaded, or waiting for a person?"
            raise self._failed("answer", f"none in {self._seconds:g} s", fix) from error
        except aiohttp.ClientError as error:
            fix = "start it, or correct the URL in the run file"
            raise self._failed("connection", type(error).__name__, fix) from error
        if status != 200:
            fix = _FIXES.get(status, "see the service's own log")
            raise self._failed("answer", f"HTTP {status}", fix)
        return content.decode("utf-8", "replace")

    def _failed(self, what: str, value: Any, fix: str) -> SigningFailed:
        return SigningFailed(f"{what} from the signer at {self._url}", value, fix)


class ServiceEvmHolder:
    """A ``PayloadSigner`` for one public key (0x and 128 digits) of a service."""

    def __init__(self, service: SignerService, public_key: str) -> None:
        self._service = service
        self._public_key = public_key

    async def sign_payload(self, payload: bytes) -> bytes:
        """What the service answers; ``EvmKey`` verifies it."""
        return await self._service.sign("eth1", self._public_key, payload)


class ServiceEd25519Holder:
    """A ``MessageSigner`` for one public key of a service."""

    def __init__(self, service: SignerService, public_key: bytes) -> None:
        self._service = service
        self._identifier = "0x" + public_key.hex()

    async def sign_message(self, message: bytes) -> bytes:
        """What the service answers; ``Ed25519Key`` verifies it."""
        return await self._service.sign("ed25519", self._identifier, message)


async def evm_key_at(service: SignerService, identifier: str, source: str) -> tuple[str, str]:
    """Address and public key that ``identifier`` (an address, or a public key) names there.

    Raises:
        KeyRefused: if it names none of the service's keys.
        SigningFailed: if the service does not answer properly.
    """
    known = await service.evm_keys()
    address = checksum(identifier)
    for found, public_key in known.items():
        if found == address or public_key == "0x" + identifier.lower().removeprefix("0x"):
            return found, public_key
    fix = f"it holds {', '.join(known) or 'no key'}: name one of them, or load the key there"
    raise KeyRefused(f"key at {source}", identifier, fix)


def ed25519_key_at(identifier: str, source: str) -> bytes:
    """The public key that ``identifier`` is.

    Raises:
        KeyRefused: if it is none.
    """
    public = parsed_public(identifier)
    if public is None:
        raise KeyRefused(f"key at {source}", identifier, "name the public key, as ed25519:…")
    return public


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in answer.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > _LARGEST:
            break
    return content[:_LARGEST]


def _hex(text: object) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError("no text that begins with 0x")
    return bytes.fromhex(text[2:])
