"""A client's time-out that is over once its answer is withheld, not when a clock says so.

A loopback server tells which request it leaves without an answer; the client of that request
hears at once what aiohttp would tell it after its time-out. So a fault costs a test no waiting, and
a request that is answered has all the time that a busy machine needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Protocol

import aiohttp

PATIENCE_MS = 60_000
"""For an adapter whose time-outs are made here: its own clock shall not end them."""
_NAME = "X-Test-Request"


class Server(Protocol):
    """A loopback server that can leave a request without an answer."""

    url: str
    withheld: Callable[[Mapping[str, str]], None]


@contextmanager
def withheld_answers_time_out(server: Server) -> Iterator[None]:
    """Within, a request to ``server`` whose answer is withheld fails as after its time-out."""
    real: Any = aiohttp.ClientSession._request
    numbers = count()
    waiting: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}

    def withheld(headers: Mapping[str, str]) -> None:
        found = waiting.get(headers.get(_NAME, ""))
        if found is not None:
            loop, event = found
            loop.call_soon_threadsafe(event.set)

    async def _request(session: Any, method: str, url: Any, **rest: Any) -> Any:
        if not server.url or not str(url).startswith(server.url):
            return await real(session, method, url, **rest)
        name, event = str(next(numbers)), asyncio.Event()
        headers = {**(rest.pop("headers", None) or {}), _NAME: name}
        waiting[name] = asyncio.get_running_loop(), event
        asked = asyncio.ensure_future(real(session, method, url, headers=headers, **rest))
        silence = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({asked, silence}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise TimeoutError
            return asked.result()
        finally:
            del waiting[name]
            silence.cancel()
            asked.cancel()
            await asyncio.gather(asked, silence, return_exceptions=True)

    before, server.withheld = server.withheld, withheld
    aiohttp.ClientSession._request = _request
    try:
        yield
    finally:
        aiohttp.ClientSession._request = real
        server.withheld = before
