"""A loopback solver relay with one market maker, which trades at stated prices from its balances.

A published intent is executed at once together with the market maker's own signed half. Own
faults: of ``quote``: ``expired`` (quotes that are over already); of ``publish_intent``:
``unsettled`` (accepted, and nothing is done), ``refused``; of ``get_status``: ``settled`` (said
falsely, with the hash of the newest transaction, whosever it is), ``failed``, ``forgotten``.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import base58
from aiohttp import web

from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.contract import compact
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.devnet.near.payloads import read
from agent_fund.devnet.near.server import Server

_MAKER = "maker.near"


class Relay(Server):
    """The relay and its market maker ``maker.near``.

    Attributes:
        rates: what one unit of the first token is worth in units of the second, by pair.
        spread: share of the amount that the market maker keeps.
    """

    def __init__(self, chain: Chain, contract_id: str, fee_pips: int) -> None:
        super().__init__()
        self.chain, self._contract_id, self._fee = chain, contract_id, fee_pips
        self.rates: dict[tuple[str, str], Fraction] = {}
        self.spread = Fraction(1, 1000)
        self.key = DevnetKey(_MAKER)
        self.hashes: dict[str, str] = {}
        self._quotes: dict[str, dict[str, str]] = {}
        self._published: dict[str, dict[str, str]] = {}
        self._nonces = 0

    async def open(self) -> None:
        """Listen."""
        await self.start([("POST", "/rpc", self._handle)])

    async def _handle(self, request: web.Request) -> Any:
        asked = await request.json()
        method, params = asked["method"], asked["params"][0]

        async def work() -> Any:
            match method:
                case "quote":
                    result: Any = self._quote(params)
                case "publish_intent":
                    result = self._publish(params)
                case "get_status":
                    result = self._status(params["intent_hash"])
                case _:
                    return {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601}}
            return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

        return await self.around(request, method, work)

    def _quote(self, params: Mapping[str, Any]) -> Any:
        pair = params["defuse_asset_identifier_in"], params["defuse_asset_identifier_out"]
        rate = self.rates.get(pair) or (
            1 / self.rates[pair[::-1]] if pair[::-1] in self.rates else 0
        )
        if not rate:
            return {"quotes": []}
        kept = rate * (1 - self.spread)
        if "exact_amount_in" in params:
            given = int(params["exact_amount_in"])
            taken = int(given * kept)
        else:
            taken = int(params["exact_amount_out"])
            given = -int(-taken / kept)
        held = json.loads(
            self.chain.view(
                self._contract_id,
                "mt_balance_of",
                compact({"account_id": _MAKER, "token_id": pair[1]}).encode(),
                self.chain.head,
            )
        )
        if taken <= 0 or given <= 0 or self._cost(taken) > int(held):
            return {"quotes": []}
        valid_ms = -1 if self.strikes("quote", "expired") else int(params["min_deadline_ms"])
        ends = self.chain.clock() // 10**9 + (valid_ms // 1000)
        moment = datetime.datetime.fromtimestamp(ends, datetime.UTC)
        self._nonces += 1
        quote = {
            "quote_hash": base58.b58encode(hashlib.sha256(b"q%d" % self._nonces).digest()).decode(),
            "defuse_asset_identifier_in": pair[0],
            "defuse_asset_identifier_out": pair[1],
            "amount_in": str(given),
            "amount_out": str(taken),
            "expiration_time": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "ends": str(ends),
        }
        self._quotes[quote["quote_hash"]] = quote
        told = {name: text for name, text in quote.items() if name != "ends"}
        return {"quotes": [told, {**told, "amount_in": str(given + 1)}]}

    def _cost(self, taken: int) -> int:
        """What the market maker gives: exactly ``taken`` is left after the protocol's fee."""
        return -(-taken * 1_000_000 // (1_000_000 - self._fee))

    def _publish(self, params: Mapping[str, Any]) -> Any:
        signed = params["signed_data"]
        ours = read(signed)
        answer = {"intent_hash": ours.hash, "status": "OK"}
        if ours.hash in self._published:
            return {**answer, "status": "FAILED", "reason": "already published"}
        if self.strikes("publish_intent", "refused"):
            return {**answer, "status": "FAILED", "reason": "internal"}
        quote = self._quotes.get(params["quote_hashes"][0])
        if quote is None or int(quote["ends"]) * 10**9 < self.chain.clock():
            return {**answer, "status": "FAILED", "reason": "expired"}
        self._published[ours.hash] = {"status": "PENDING"}
        if self.strikes("publish_intent", "unsettled"):
            return answer
        given, taken = int(quote["amount_in"]), int(quote["amount_out"])
        fee = -(-given * self._fee // 1_000_000)
        diff = {
            quote["defuse_asset_identifier_in"]: str(given - fee),
            quote["defuse_asset_identifier_out"]: str(-self._cost(taken)),
        }
        other = self._sign([{"intent": "token_diff", "diff": diff}])
        done = self.chain.call(
            "relayer.near", self._contract_id, "execute_intents", {"signed": [signed, other]}
        )
        failed = "Failure" in done.outcomes[0].status
        self.hashes[ours.hash] = done.hash
        self._published[ours.hash] = {
            "status": "FAILED" if failed else "SETTLED",
            "hash": done.hash,
        }
        return answer

    def _status(self, intent_hash: str) -> Any:
        known = self._published.get(intent_hash)
        if self.strikes("get_status", "settled"):
            other = next(reversed(self.chain.executed))
            return {"intent_hash": intent_hash, "status": "SETTLED", "data": {"hash": other}}
        if self.strikes("get_status", "failed"):
            return {"intent_hash": intent_hash, "status": "FAILED"}
        if known is None or self.strikes("get_status", "forgotten"):
            return {"intent_hash": intent_hash, "status": "NOT_FOUND_OR_NOT_VALID"}
        data = {"hash": known["hash"]} if "hash" in known else {}
        return {"intent_hash": intent_hash, "status": known["status"], "data": data}

    def _sign(self, intents: list[dict[str, Any]]) -> dict[str, Any]:
        now = self.chain.clock()
        ends = now // 10**9 + 600
        self._nonces += 1
        salt = bytes.fromhex(
            json.loads(self.chain.view(self._contract_id, "current_salt", b"{}", self.chain.head))
        )
        unique = hashlib.sha256(b"maker%d" % self._nonces).digest()[:15]
        nonce = bytes.fromhex("5628f6c600") + salt + (ends * 10**9).to_bytes(8, "little") + unique
        moment = datetime.datetime.fromtimestamp(ends, datetime.UTC)
        payload = compact(
            {
                "signer_id": _MAKER,
                "verifying_contract": self._contract_id,
                "deadline": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "nonce": base64.b64encode(nonce).decode(),
                "intents": intents,
            }
        )
        signature = self.key.sign_now(payload.encode())
        return {
            "standard": "raw_ed25519",
            "payload": payload,
            "public_key": self.key.text,
            "signature": "ed25519:" + base58.b58encode(signature).decode(),
        }
