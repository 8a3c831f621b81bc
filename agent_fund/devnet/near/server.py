"""Serving one handler on loopback, with the faults that a test arms."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[Any]]


class Server:
    """An HTTP server on a free port of 127.0.0.1.

    Attributes:
        faults: how often the next requests named so go wrong; see ``arm``.
        seen: how many requests of each name arrived.
    """

    def __init__(self) -> None:
        self.url = ""
        self.faults: Counter[tuple[str, str]] = Counter()
        self.seen: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    async def start(self, routes: list[tuple[str, str, Handler]]) -> None:
        """Listen; each route is (HTTP method, path, handler that gives a JSON value)."""
        app = web.Application(client_max_size=16 << 20)
        for method, path, handler in routes:
            app.router.add_route(method, path, _answering(handler))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def arm(self, name: str, fault: str, times: int = 1) -> None:
        """Let the next ``times`` requests ``name`` go wrong.

        ``lost``: the connection breaks before the request is read. ``silent``: it is carried out,
        and then the connection breaks. ``500``: an answer that says nothing. Other words are the
        service's own.
        """
        self.faults[name, fault] += times

    def strikes(self, name: str, fault: str) -> bool:
        """Whether ``fault`` is armed for a request ``name``; it is used up by that."""
        if self.faults[name, fault] <= 0:
            return False
        self.faults[name, fault] -= 1
        return True

    async def around(
        self, request: web.Request, name: str, work: Callable[[], Awaitable[Any]]
    ) -> Any:
        """Do ``work`` for the request ``name``, unless a fault strikes."""
        self.seen[name] += 1
        if self.strikes(name, "lost"):
            _break(request)
        if self.strikes(name, "500"):
            return web.Response(status=500, text="internal error")
        value = await work()
        if self.strikes(name, "silent"):
            _break(request)
        return value


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


def _answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        value = await handler(request)
        return value if isinstance(value, web.StreamResponse) else web.json_response(value)

    return answer
