"""The loopback chain's JSON-RPC, as far as clients of intents and chain signatures use it.

Own faults of ``send_tx``: ``dropped`` (accepted, and never included) and ``nonce`` (refused with
InvalidNonce, though nothing is wrong with it). Of ``tx``: ``unknown`` (as a node that is behind, or
has forgotten it, answers).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import base58
from aiohttp import web

from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.near.blocks import Block, Executed, InvalidTransaction
from agent_fund.devnet.near.borsh import FunctionCall, Transaction, decode_transaction
from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.contract import Panic
from agent_fund.devnet.near.server import Server


class _Error(Exception):
    def __init__(self, name: str, data: Any) -> None:
        super().__init__(name)
        self.name, self.data = name, data


class Node(Server):
    """One node that knows all of ``chain``, but for the heights in ``skipped``.

    Attributes:
        oldest: the lowest height that it has kept; no archival node keeps all.
    """

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain
        self.skipped: set[int] = set()
        self.oldest = 0

    async def open(self) -> None:
        """Listen."""
        await self.start([("POST", "/", self._handle)])

    async def _handle(self, request: web.Request) -> Any:
        asked = await request.json()
        method, params = asked["method"], asked["params"]

        async def work() -> Any:
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.get("id")}
            try:
                answer["result"] = self._answer(method, params)
            except _Error as error:
                answer["error"] = {
                    "name": "HANDLER_ERROR",
                    "cause": {"name": error.name, "info": {}},
                    "code": -32000,
                    "message": "Server error",
                    "data": error.data,
                }
            return answer

        return await self.around(request, method, work)

    def _answer(self, method: str, params: Mapping[str, Any]) -> Any:
        match method:
            case "block":
                return self._block(self._at(params))
            case "chunk":
                return self._chunk(params["chunk_id"])
            case "query":
                return self._query(params)
            case "send_tx":
                return self._send(params)
            case "tx":
                known = not self.strikes("tx", "unknown")
                return self._result(params["tx_hash"] if known else "")
        raise _Error("METHOD_NOT_FOUND", method)

    def _at(self, params: Mapping[str, Any]) -> Block:
        if "block_id" not in params:
            return self.chain.final if params.get("finality") == "final" else self.chain.head
        asked = params["block_id"]
        if isinstance(asked, str):
            known = self.chain.block_of(base58.b58decode(asked))
            height = -1 if known is None else known.height
        else:
            height = int(asked)
        if height in self.skipped or not self.oldest <= height <= self.chain.head.height:
            raise _Error("UNKNOWN_BLOCK", asked)
        return self.chain.blocks[height]

    def _block(self, block: Block) -> Any:
        chunk = {"chunk_hash": f"chunk{block.height}", "height_included": block.height}
        before = max(block.height - 1, 0)
        while before in self.skipped:
            before -= 1
        header = {
            "height": block.height,
            "hash": _base58(block.hash),
            "prev_hash": _base58(self.chain.blocks[before].hash),
            "timestamp_nanosec": str(block.time_ns),
        }
        return {"header": header, "chunks": [chunk]}

    def _chunk(self, chunk_id: str) -> Any:
        block = self.chain.blocks[int(chunk_id.removeprefix("chunk"))]
        if block.transaction is None:
            return {"transactions": []}
        return {"transactions": [_transaction(self.chain.executed[block.transaction])]}

    def _query(self, params: Mapping[str, Any]) -> Any:
        block, account_id = self._at(params), params["account_id"]
        seen = {"block_height": block.height, "block_hash": _base58(block.hash)}
        account = self.chain.accounts.get(account_id)
        if account is None:
            raise _Error("UNKNOWN_ACCOUNT", account_id)
        match params["request_type"]:
            case "view_account":
                return {"amount": str(account.balance), "locked": "0", **seen}
            case "view_access_key":
                key = base58.b58decode(params["public_key"].removeprefix("ed25519:"))
                nonce = block.nonces.get((account_id, key))
                if nonce is None:
                    raise _Error("UNKNOWN_ACCESS_KEY", params["public_key"])
                return {"nonce": nonce, "permission": "FullAccess", **seen}
            case "call_function":
                args = base64.b64decode(params["args_base64"])
                try:
                    found = self.chain.view(account_id, params["method_name"], args, block)
                except Panic as panic:
                    return {"error": f"wasm execution failed with error: {panic}", **seen}
                return {"result": list(found), "logs": [], **seen}
        raise _Error("METHOD_NOT_FOUND", params["request_type"])

    def _send(self, params: Mapping[str, Any]) -> Any:
        try:
            made = decode_transaction(base64.b64decode(params["signed_tx_base64"]))
        except DevnetError as error:
            raise _Error("PARSE_ERROR", str(error)) from None
        if self.strikes("send_tx", "dropped"):
            return {"final_execution_status": "NONE"}
        try:
            if self.strikes("send_tx", "nonce"):
                raise InvalidTransaction({"InvalidNonce": {"tx_nonce": made.nonce, "ak_nonce": 0}})
            done = self.chain.apply(made)
        except InvalidTransaction as error:
            data = {"TxExecutionError": {"InvalidTxError": error.kind}}
            raise _Error("INVALID_TRANSACTION", data) from None
        return self._result(done.hash)

    def _result(self, tx_hash: str) -> Any:
        done = self.chain.executed.get(tx_hash)
        if done is None:
            raise _Error("UNKNOWN_TRANSACTION", f"Transaction {tx_hash} doesn't exist")
        final = done.height <= self.chain.final.height
        return {
            "final_execution_status": "FINAL" if final else "EXECUTED_OPTIMISTIC",
            "status": done.status,
            "transaction": _transaction(done),
            "receipts_outcome": [
                {
                    "id": outcome.receipt_id,
                    "outcome": {
                        "executor_id": outcome.executor,
                        "status": outcome.status,
                        "logs": list(outcome.logs),
                        "receipt_ids": list(outcome.children),
                    },
                }
                for outcome in done.outcomes
            ],
        }


def _transaction(done: Executed) -> dict[str, Any]:
    made: Transaction = done.transaction
    actions = [
        {
            "FunctionCall": {
                "method_name": action.method,
                "args": base64.b64encode(action.args).decode(),
                "gas": action.gas,
                "deposit": str(action.deposit),
            }
        }
        for action in made.actions
        if isinstance(action, FunctionCall)
    ]
    return {
        "hash": done.hash,
        "signer_id": made.signer_id,
        "public_key": "ed25519:" + _base58(made.public_key),
        "receiver_id": made.receiver_id,
        "nonce": made.nonce,
        "actions": actions,
    }


def _base58(raw: bytes) -> str:
    return base58.b58encode(raw).decode()
