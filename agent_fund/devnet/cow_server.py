"""An order-book API on loopback, as far as a client of CoW's needs it, with a solver behind it.

Signatures, app data, balances and allowances are checked as the real one checks them. It can also
fail before or after it accepted an order, say that an order is fulfilled that is not, and let the
solver sleep.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.exceptions import ValidationError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.devnet.cow import Cow
from agent_fund.devnet.cow_solver import Solver, signature_in
from agent_fund.devnet.tokens import balance
from agent_fund.execution.cow.app_data import app_data_hash
from agent_fund.execution.cow.signed_order import SignedOrder, cancellation
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import UNCERTAIN

_QUOTE_LIFE = 60  # seconds


class Fault(enum.Enum):
    """What the API does instead of its work."""

    NONE = "none"
    BEFORE = "answers 503 and accepts nothing"
    AFTER = "answers 503 to an order that it accepted"
    REFUSE = "refuses every order"
    HANG = "never answers"
    LIE = "says that every order is fulfilled"


@dataclass
class _Entry:
    creation: dict[str, Any]
    order: SignedOrder
    status: str = "open"
    transaction: str | None = None


class CowServer:
    """The API; ``start`` and ``stop`` it in a running event loop.

    Attributes:
        fault: may be set at any time. ``settling``: whether ``solve`` settles.
        posted: how many orders it was given, repetitions and refusals included.
        withheld: told the headers of a request that is left without an answer, when it is.
    """

    def __init__(self, cow: Cow, solver: Solver) -> None:
        self.fault = Fault.NONE
        self.settling = True
        self.posted = 0
        self.url = ""
        self.withheld: Callable[[Mapping[str, str]], None] = lambda headers: None
        self.orders: dict[str, _Entry] = {}
        self._cow = cow
        self._solver = solver
        self._runner: web.AppRunner | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    async def start(self, interval: float | None = None) -> str:
        """Listen on a free port of this machine; returns the URL.

        Args:
            interval: seconds between the solver's turns; None: only ``solve`` makes one.
        """
        self._stopped.clear()
        app = web.Application()
        app.router.add_post("/api/v1/quote", self._guarded(self._quote))
        app.router.add_post("/api/v1/orders", self._guarded(self._create))
        app.router.add_delete("/api/v1/orders", self._guarded(self._cancel))
        app.router.add_get("/api/v1/orders/{uid}", self._guarded(self._order))
        app.router.add_get("/api/v1/trades", self._guarded(self._trades))
        app.router.add_get("/api/v1/account/{owner}/orders", self._guarded(self._account))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        if interval is not None:
            self._task = asyncio.create_task(self._run(interval))
        return self.url

    async def stop(self) -> None:
        """Let go of the port; what hangs is cut off."""
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def solve(self) -> None:
        """Try to settle every open order once."""
        now = await self._cow.deployer.chain.now()
        for entry in self.orders.values():
            if entry.status == "open" and entry.order.valid_to < now:
                entry.status = "expired"
            if entry.status == "open" and self.settling:
                receipt = await self._solver.settle(entry.order, signature_in(entry.creation))
                if receipt is not None:
                    entry.status, entry.transaction = "fulfilled", receipt.hash

    async def _run(self, interval: float) -> None:
        while True:
            with suppress(*UNCERTAIN):
                await self.solve()
            await asyncio.sleep(interval)

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if self.fault is Fault.BEFORE:
                return web.Response(status=503)
            if self.fault is Fault.HANG:
                self.withheld(request.headers)
                await self._stopped.wait()
                return web.Response(status=503)
            answer = await handler(request)
            if self.fault is Fault.AFTER and request.method != "GET":
                return web.Response(status=503)
            return answer

        return guarded

    async def _quote(self, request: web.Request) -> web.Response:
        asked = await request.json()
        sold, bought, kind = asked["sellToken"], asked["buyToken"], asked["kind"]
        fee = self._solver.fee
        if kind == "sell":
            given = int(asked["sellAmountBeforeFee"])
            found = await self._solver.amount_out(sold, bought, given)
            amounts = None if found is None else (given - fee, found)
        else:
            taken = int(asked["buyAmountAfterFee"])
            found = await self._solver.amount_in(sold, bought, taken)
            amounts = None if found is None else (found - fee, taken)
        if amounts is None:
            return _refusal("NoLiquidity", 404)
        until = await self._cow.deployer.chain.now() + _QUOTE_LIFE
        quote = {
            "sellToken": sold,
            "buyToken": bought,
            "receiver": asked.get("receiver"),
            "sellAmount": str(amounts[0]),
            "buyAmount": str(amounts[1]),
            "feeAmount": str(fee),
            "validTo": until,
            "appData": "0x" + "00" * 32,
            "kind": kind,
            "partiallyFillable": False,
        }
        expiration = datetime.fromtimestamp(until, UTC).isoformat().replace("+00:00", "Z")
        return web.json_response(
            {"quote": quote, "from": asked["from"], "expiration": expiration, "id": 1}
        )

    async def _create(self, request: web.Request) -> web.Response:
        self.posted += 1
        creation = await request.json()
        if self.fault is Fault.REFUSE:
            return _refusal("UnsupportedToken")
        try:
            order = SignedOrder.read(creation)
            wrong = await self._wrong(creation, order)
        except (KeyError, ValueError, TypeError):
            return web.Response(status=422)
        if wrong:
            return _refusal(wrong)
        uid = "0x" + order.uid(self._chain_id, self._cow.settlement).hex()
        if uid in self.orders:
            return _refusal("DuplicatedOrder")
        self.orders[uid] = _Entry(creation, order)
        return web.json_response(uid, status=201)

    async def _wrong(self, creation: Mapping[str, Any], order: SignedOrder) -> str:
        """The errorType that speaks against an order, or the empty string."""
        typed = order.typed_data(self._chain_id, self._cow.settlement)
        chain = self._cow.deployer.chain
        checks = (
            (creation["appDataHash"] != "0x" + app_data_hash(order.document).hex())
            and "AppDataHashMismatch",
            (creation["feeAmount"] != "0" or creation["partiallyFillable"])
            and "UnsupportedOrderType",
            creation["receiver"] != order.owner and "UnsupportedOrderType",
            _signer(typed, signature_in(creation)) != order.owner and "WrongOwner",
            order.valid_to <= await chain.now() and "InsufficientValidTo",
        )
        if wrong := next((one for one in checks if one), ""):
            return str(wrong)
        if await balance(self._cow.deployer, order.sell_token, order.owner) < order.sell_amount:
            return "InsufficientBalance"
        data = call_data("allowance(address,address)", order.owner, self._cow.vault_relayer)
        allowed = int.from_bytes(await chain.call(order.sell_token, data), "big")
        return "InsufficientAllowance" if allowed < order.sell_amount else ""

    async def _cancel(self, request: web.Request) -> web.Response:
        asked = await request.json()
        entries = [self.orders.get(uid) for uid in asked["orderUids"]]
        uids = [bytes.fromhex(uid[2:]) for uid in asked["orderUids"]]
        typed = cancellation(self._chain_id, self._cow.settlement, uids)
        owner = _signer(typed, bytes.fromhex(asked["signature"][2:]))
        if None in entries:
            return _refusal("OrderNotFound", 404)
        for entry in filter(None, entries):
            if entry.order.owner != owner:
                return _refusal("WrongOwner", 401)
            if entry.status == "open":
                entry.status = "cancelled"
        return web.json_response("Cancelled")

    async def _order(self, request: web.Request) -> web.Response:
        uid = request.match_info["uid"]
        entry = self.orders.get(uid)
        return _refusal("NotFound", 404) if entry is None else web.json_response(self._told(uid))

    async def _account(self, request: web.Request) -> web.Response:
        owner = request.match_info["owner"]
        start = int(request.query.get("offset", "0"))
        size = int(request.query.get("limit", "10"))
        uids = [uid for uid, one in self.orders.items() if one.order.owner == owner]
        return web.json_response([self._told(uid) for uid in uids[start : start + size]])

    async def _trades(self, request: web.Request) -> web.Response:
        uid = request.query["orderUid"]
        entry = self.orders.get(uid)
        if entry is None:
            return web.json_response([])
        lies = self.fault is Fault.LIE
        transaction = "0x" + "ab" * 32 if lies else entry.transaction
        found = [{"orderUid": uid, "owner": entry.order.owner, "txHash": transaction}]
        return web.json_response(found if transaction else [])

    def _told(self, uid: str) -> dict[str, Any]:
        entry = self.orders[uid]
        status = "fulfilled" if self.fault is Fault.LIE else entry.status
        return {**entry.creation, "uid": uid, "owner": entry.order.owner, "status": status}

    @property
    def _chain_id(self) -> int:
        return self._cow.deployer.chain.chain_id


def _signer(typed: dict[str, Any], signature: bytes) -> str:
    """Who signed, or the empty string for no signature."""
    try:
        found = Account.recover_message(encode_typed_data(full_message=typed), signature=signature)
    except (ValueError, ValidationError):
        return ""
    return str(found)


def _refusal(kind: str, status: int = 400) -> web.Response:
    return web.json_response({"errorType": kind, "description": kind}, status=status)
