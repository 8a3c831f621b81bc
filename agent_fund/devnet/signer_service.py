"""A signer service on loopback with Web3Signer's eth1 API; it can also refuse, hang and lie.

It really signs: secp256k1 over keccak256 of the data, r, s and v in hexadecimal, as Web3Signer
does; Ed25519 under a path of the same form. Its faults are what a client must survive.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Fault(enum.Enum):
    """What the service does instead of its work."""

    NONE = "none"
    REFUSE = "answers 403"
    FAIL = "answers 500"
    HANG = "never answers"
    DROP = "closes the connection"
    OTHER_KEY = "signs with another key"
    OTHER_DATA = "signs other data"
    HIGH_S = "answers the signature that EIP-2 forbids"
    GARBAGE = "answers text that is no signature"
    ZERO = "answers a signature of zeros"
    REDIRECT = "sends the caller elsewhere"


class LoopbackSigner:
    """The service; ``start`` and ``stop`` it in a running event loop.

    Args:
        evm_keys: private keys of 32 bytes. ``ed25519_seeds``: seeds of 32 bytes.

    Attributes:
        fault: may be set at any time. ``asked``: payloads that it was asked to sign, in order.
        withheld: told the headers of a request that is left without an answer, when it is.
    """

    def __init__(self, evm_keys: Sequence[bytes], ed25519_seeds: Sequence[bytes] = ()) -> None:
        keys = [PrivateKey(key) for key in evm_keys]
        self._evm = {"0x" + key.public_key.to_bytes().hex(): key for key in keys}
        seeds = [Ed25519PrivateKey.from_private_bytes(seed) for seed in ed25519_seeds]
        self._ed25519 = {
            "0x" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(): key
            for key in seeds
        }
        self.fault = Fault.NONE
        self.asked: list[bytes] = []
        self._runner: web.AppRunner | None = None
        self._stopped = asyncio.Event()
        self.url = ""
        self.withheld: Callable[[Mapping[str, str]], None] = lambda headers: None

    async def start(self) -> str:
        """Listen on a free port of this machine; returns the URL."""
        app = web.Application()
        app.router.add_get("/upcheck", self._upcheck)
        app.router.add_get("/api/v1/eth1/publicKeys", self._listed)
        app.router.add_post("/api/v1/eth1/sign/{identifier}", self._sign_evm)
        app.router.add_post("/api/v1/ed25519/sign/{identifier}", self._sign_ed25519)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        _, port, *_ = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{port}"
        return self.url

    async def stop(self) -> None:
        """Let go of the port; what hangs is cut off."""
        self._stopped.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _upcheck(self, request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _listed(self, request: web.Request) -> web.Response:
        return await self._faulty(request) or web.json_response(list(self._evm))

    async def _sign_evm(self, request: web.Request) -> web.StreamResponse:
        key = self._evm.get(_normal(request.match_info["identifier"]))
        data = await _data(request)
        if key is None or data is None:
            return web.Response(status=404 if key is None else 400)
        self.asked.append(data)
        if fault := await self._faulty(request):
            return fault
        if self.fault is Fault.OTHER_KEY:
            key = PrivateKey(keccak(key.to_bytes()))
        if self.fault is Fault.OTHER_DATA:
            data += b"\0"
        signature = key.sign_msg_hash(keccak(data))
        v, r, s = signature.vrs
        if self.fault is Fault.HIGH_S:
            v, s = 1 - v, _ORDER - s
        if self.fault is Fault.ZERO:
            v = r = s = 0
        found = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + v])
        return web.Response(text="0x" + found.hex())

    async def _sign_ed25519(self, request: web.Request) -> web.StreamResponse:
        key = self._ed25519.get(_normal(request.match_info["identifier"]))
        data = await _data(request)
        if key is None or data is None:
            return web.Response(status=404 if key is None else 400)
        self.asked.append(data)
        if fault := await self._faulty(request):
            return fault
        if self.fault is Fault.OTHER_KEY:
            key = Ed25519PrivateKey.from_private_bytes(keccak(key.private_bytes_raw()))
        found = key.sign(data + b"\0" if self.fault is Fault.OTHER_DATA else data)
        return web.Response(text="0x" + (bytes(64) if self.fault is Fault.ZERO else found).hex())

    async def _faulty(self, request: web.Request) -> web.Response | None:
        match self.fault:
            case Fault.REFUSE:
                return web.Response(status=403)
            case Fault.FAIL:
                return web.Response(status=500)
            case Fault.GARBAGE:
                return web.Response(text="<html>not a signature</html>")
            case Fault.REDIRECT:
                return web.Response(status=307, headers={"Location": self.url + request.path})
            case Fault.HANG:
                self.withheld(request.headers)
                await self._stopped.wait()
                return web.Response(status=503)
            case Fault.DROP:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=503)
        return None


def _normal(identifier: str) -> str:
    return "0x" + identifier.lower().removeprefix("0x")


async def _data(request: web.Request) -> bytes | None:
    """The bytes of ``{"data": "0x…"}``, or None for another body."""
    try:
        body = await request.json()
        text = body["data"]
        return bytes.fromhex(text.removeprefix("0x")) or None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
