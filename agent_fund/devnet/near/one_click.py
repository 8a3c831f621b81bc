"""A loopback 1Click: an agent that takes a deposit, and delivers or gives it back.

It looks for deposits inside the verifier, and pays from its own account there. Own faults, armed
under ``swap``: ``stuck`` (it keeps the money and says PROCESSING), ``refunded``, ``failed``,
``short`` (it delivers less than promised, and says SUCCESS), ``lie`` (SUCCESS without delivery).
"""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from aiohttp import web

from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.contract import compact
from agent_fund.devnet.near.server import Server

AGENT = "oneclick.near"


@dataclass
class _Swap:
    asked: dict[str, Any]
    amount: int
    out: int
    least: int
    ends: str
    status: str = "PENDING_DEPOSIT"
    hashes: list[str] = field(default_factory=list)
    refunded: int = 0
    delivered: int = 0


class OneClick(Server):
    """The agent ``oneclick.near``; ``rates`` and ``fee`` as the relay's rates and spread."""

    def __init__(self, chain: Chain, contract_id: str) -> None:
        super().__init__()
        self.chain, self._contract_id = chain, contract_id
        self.rates: dict[tuple[str, str], Fraction] = {}
        self.fee = Fraction(1, 500)
        self.deadline = 600
        self._swaps: dict[str, _Swap] = {}

    async def open(self) -> None:
        """Listen."""
        await self.start(
            [
                ("POST", "/v0/quote", self._on_quote),
                ("POST", "/v0/deposit/submit", self._on_submit),
                ("GET", "/v0/status", self._on_status),
            ]
        )

    async def _on_quote(self, request: web.Request) -> Any:
        asked = await request.json()

        async def work() -> Any:
            return self._quote(asked)

        return await self.around(request, "quote", work)

    async def _on_submit(self, request: web.Request) -> Any:
        asked = await request.json()

        async def work() -> Any:
            return {"status": "KNOWN_DEPOSIT_TX", "depositAddress": asked["depositAddress"]}

        return await self.around(request, "submit", work)

    async def _on_status(self, request: web.Request) -> Any:
        async def work() -> Any:
            return self._told(request.query["depositAddress"])

        return await self.around(request, "status", work)

    def _quote(self, asked: dict[str, Any]) -> Any:
        pair = asked["originAsset"], asked["destinationAsset"]
        rate = self.rates.get(pair)
        types = asked["depositType"], asked["refundType"], asked["recipientType"]
        if rate is None or set(types) != {"INTENTS"} or asked["swapType"] != "EXACT_INPUT":
            return web.json_response({"message": "tokenIn is not valid"}, status=400)
        amount = int(asked["amount"])
        out = int(amount * rate * (1 - self.fee))
        least = out * (10_000 - int(asked["slippageTolerance"])) // 10_000
        quote = {"amountIn": str(amount), "amountOut": str(out), "minAmountOut": str(least)}
        quote["timeEstimate"] = 20  # type: ignore[assignment]
        if not asked["dry"]:
            seed = compact([len(self._swaps), asked]).encode()
            address = hashlib.sha256(seed).hexdigest()
            moment = datetime.datetime.fromtimestamp(
                self.chain.clock() // 10**9 + self.deadline, datetime.UTC
            )
            ends = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self.chain.create(address)
            self._swaps[address] = _Swap(asked, amount, out, least, ends)
            quote |= {"depositAddress": address, "deadline": ends}
        return {"timestamp": "", "signature": "", "quoteRequest": asked, "quote": quote}

    def _told(self, address: str) -> Any:
        swap = self._swaps.get(address)
        if swap is None:
            return web.json_response({"message": "deposit address not found"}, status=404)
        self._step(address, swap)
        details: dict[str, Any] = {
            "intentHashes": [],
            "nearTxHashes": swap.hashes,
            "amountIn": str(swap.amount),
            "refundedAmount": str(swap.refunded),
            "originChainTxHashes": [],
            "destinationChainTxHashes": [],
        }
        if swap.delivered:
            details["amountOut"] = str(swap.delivered)
        return {"status": swap.status, "updatedAt": "", "swapDetails": details}

    def _step(self, address: str, swap: _Swap) -> None:
        """One step of the swap's life, so that every state is seen."""
        if swap.status == "PENDING_DEPOSIT":
            held = self._held(address, swap.asked["originAsset"])
            if held >= swap.amount:
                swap.status = "PROCESSING"
            elif held:
                swap.status = "INCOMPLETE_DEPOSIT"
        elif swap.status == "PROCESSING":
            self._finish(address, swap)
        elif swap.status == "INCOMPLETE_DEPOSIT":
            self._refund(address, swap)

    def _finish(self, address: str, swap: _Swap) -> None:
        if self.strikes("swap", "stuck"):
            return
        if self.strikes("swap", "failed"):
            swap.status = "FAILED"
        elif self.strikes("swap", "refunded"):
            self._refund(address, swap)
        else:
            short, lie = self.strikes("swap", "short"), self.strikes("swap", "lie")
            swap.delivered = swap.least - 1 if short else swap.out
            if not lie:
                to = swap.asked["recipient"]
                token = swap.asked["destinationAsset"]
                swap.hashes.append(self._move(AGENT, to, token, swap.delivered))
            swap.status = "SUCCESS"

    def _refund(self, address: str, swap: _Swap) -> None:
        token = swap.asked["originAsset"]
        swap.refunded = self._held(address, token)
        swap.hashes.append(self._move(address, swap.asked["refundTo"], token, swap.refunded))
        swap.status = "REFUNDED"

    def _held(self, account_id: str, token: str) -> int:
        args = compact({"account_id": account_id, "token_id": token}).encode()
        raw = self.chain.view(self._contract_id, "mt_balance_of", args, self.chain.head)
        return int(json.loads(raw))

    def _move(self, sender: str, receiver: str, token: str, units: int) -> str:
        args = {"receiver_id": receiver, "token_id": token, "amount": str(units)}
        done = self.chain.call(sender, self._contract_id, "mt_transfer", args, 1)
        return done.hash
