"""NEAR's JSON-RPC: views, blocks, access keys, and transactions asked for by their hash.

An answer is certain or it is ``NearUnreachable``. A time-out while a transaction is sent says
nothing about the transaction. Source: https://docs.near.org/api/rpc/introduction.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from agent_fund.execution.near.encoding import base58_bytes, base58_text, ed25519_text
from agent_fund.execution.near.errors import NearRefused, NearUnreachable

_DOUBTFUL = frozenset(
    {
        "TIMEOUT_ERROR",
        "INTERNAL_ERROR",
        "NOT_SYNCED_YET",
        "NO_SYNCED_BLOCKS",
        "UNAVAILABLE_SHARD",
        "UNKNOWN_BLOCK",
        "REQUEST_ROUTED",
        "DOES_NOT_TRACK_SHARD",
        "UNKNOWN_CHUNK",
        "GARBAGE_COLLECTED_BLOCK",
    }
)


@dataclass(frozen=True)
class Block:
    """A block's height, hash, time in nanoseconds since 1970, and the hash of the one before."""

    height: int
    hash: bytes
    time_ns: int
    previous: bytes


@dataclass(frozen=True)
class Included:
    """A transaction that stands in a block; whether it ran is another question.

    Attributes:
        args: the arguments of its calls, the chain's base64 joined by spaces.
    """

    hash: str
    signer_id: str
    public_key: str
    nonce: int
    args: str


@dataclass(frozen=True)
class Receipt:
    """What one receipt of a transaction did, in the chain's own words.

    Attributes:
        failure: the chain's reason as text; empty if it succeeded.
    """

    executor: str
    logs: tuple[str, ...]
    failure: str


@dataclass(frozen=True)
class Result:
    """What became of a transaction.

    Attributes:
        final: whether nothing takes it back.
        value: what the call returned; None unless it succeeded.
        failure: the reason as text; empty unless it failed.
    """

    hash: str
    final: bool
    value: bytes | None
    failure: str
    receipts: tuple[Receipt, ...]


class NearRpc:
    """A client of one node.

    Args:
        timeout: seconds for an answer.
        headers: e.g. an API key; sent with each request.
    """

    def __init__(
        self, url: str, *, timeout: float = 10, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def final_block(self) -> Block:
        """The newest final block."""
        return _block(await self._ask("block", {"finality": "final"}))

    async def block(self, at: int | bytes) -> Block | None:
        """The block of that height or hash; None if it was skipped or is not there."""
        try:
            return _block(await self._ask("block", {"block_id": _block_id(at)}))
        except NearUnreachable as error:
            if error.value == "UNKNOWN_BLOCK":
                return None
            raise

    async def transactions(self, of: Block) -> tuple[Included, ...]:
        """All that was included in the block.

        Raises:
            NearUnreachable: if the node does not have all of it.
        """
        block = await self._ask("block", {"block_id": _block_id(of.hash)})
        found = []
        for header in block["chunks"]:
            if header["height_included"] != of.height:
                continue  # an older chunk, repeated since its shard made no new one
            chunk = await self._ask("chunk", {"chunk_id": header["chunk_hash"]})
            for made in chunk["transactions"]:
                calls = [
                    action["FunctionCall"]["args"]
                    for action in made["actions"]
                    if isinstance(action, dict) and "FunctionCall" in action
                ]
                found.append(
                    Included(
                        made["hash"],
                        made["signer_id"],
                        made["public_key"],
                        int(made["nonce"]),
                        " ".join(calls),
                    )
                )
        return tuple(found)

    async def view(
        self, contract: str, method: str, args: Mapping[str, Any], *, height: int | None = None
    ) -> Any:
        """The JSON value that a view gives, in the newest final block or the one at ``height``.

        Raises:
            NearRefused: if the contract panics; ``value`` is its message.
            NearUnreachable: without an answer that can be read.
        """
        encoded = base64.b64encode(json.dumps(dict(args)).encode()).decode()
        asked: dict[str, Any] = {
            "request_type": "call_function",
            "account_id": contract,
            "method_name": method,
            "args_base64": encoded,
        }
        asked |= {"finality": "final"} if height is None else {"block_id": height}
        answer = await self._ask("query", asked)
        subject = f"{method} of {contract}"
        if isinstance(answer, dict) and "error" in answer:
            raise NearRefused(subject, answer["error"], "see its message")
        try:
            raw = bytes(answer["result"])
            return json.loads(raw) if raw else None
        except (KeyError, TypeError, ValueError) as error:
            raise NearUnreachable(subject, repr(error), "ask again") from None

    async def balance(self, account_id: str) -> int:
        """yoctoNEAR of an account."""
        asked = {"request_type": "view_account", "account_id": account_id, "finality": "final"}
        return int((await self._ask("query", asked))["amount"])

    async def access_key_nonce(
        self, account_id: str, public_key: bytes, at: bytes | None = None
    ) -> tuple[int, bytes]:
        """The last nonce that a key has used, and the hash of the block that says so.

        Args:
            at: that block's hash; without it the newest final block is asked.

        Raises:
            NearRefused: if the account has no such key.
        """
        asked: dict[str, Any] = {
            "request_type": "view_access_key",
            "account_id": account_id,
            "public_key": ed25519_text(public_key),
        }
        asked |= {"finality": "final"} if at is None else {"block_id": _block_id(at)}
        answer = await self._ask("query", asked)
        if "error" in answer:
            raise NearRefused(f"key of {account_id}", answer["error"], "add it to the account")
        return int(answer["nonce"]), base58_bytes(answer["block_hash"])

    async def send(self, raw: bytes) -> None:
        """Send signed bytes, or send them again.

        Raises:
            NearRefused: if the node says that they can not run; ``value`` is its reason.
            NearUnreachable: if nobody knows whether they arrived.
        """
        encoded = base64.b64encode(raw).decode()
        await self._ask("send_tx", {"signed_tx_base64": encoded, "wait_until": "INCLUDED"})

    async def result(self, tx_hash: str, account_id: str) -> Result | None:
        """What became of a transaction of ``account_id``; None while the node does not know.

        None proves nothing: another node may know it, or this one may have known it before.
        """
        asked = {"tx_hash": tx_hash, "sender_account_id": account_id, "wait_until": "NONE"}
        try:
            answer = await self._ask("tx", asked)
        except NearRefused as error:
            if error.value == "UNKNOWN_TRANSACTION":
                return None
            raise
        status = answer.get("status")
        if (told := answer.get("transaction", {}).get("hash", tx_hash)) != tx_hash:
            raise NearUnreachable(f"transaction {tx_hash}", f"told of {told}", "ask again")
        if not isinstance(status, dict):
            return None  # known to the node, not executed yet
        value = status.get("SuccessValue")
        return Result(
            tx_hash,
            answer["final_execution_status"] == "FINAL",
            None if value is None else base64.b64decode(value),
            _failure(status),
            tuple(
                Receipt(
                    one["outcome"]["executor_id"],
                    tuple(one["outcome"]["logs"]),
                    _failure(one["outcome"]["status"]),
                )
                for one in answer["receipts_outcome"]
            ),
        )

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        body = {"jsonrpc": "2.0", "id": "1", "method": method, "params": dict(params)}
        subject, fix = f"{method} at the NEAR node", "ask again, by hash"
        try:
            async with self._session.post(self._url, json=body) as response:
                status, answer = response.status, json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The library's message may repeat the URL, and with it an API key.
            raise NearUnreachable(subject, type(error).__name__, fix) from None
        if status >= 500:
            raise NearUnreachable(subject, f"HTTP {status}", fix)
        if not isinstance(answer, dict) or ("result" in answer) == ("error" in answer):
            raise NearUnreachable(subject, "neither a result nor an error", fix)
        if "result" in answer:
            return answer["result"]
        said = answer["error"]
        if not isinstance(said, dict) or not isinstance(said.get("cause", {}), dict):
            raise NearUnreachable(subject, "an error that names no cause", fix)
        name = said.get("cause", {}).get("name") or str(said.get("code"))
        if name in _DOUBTFUL:
            raise NearUnreachable(subject, name, fix)
        if name == "INVALID_TRANSACTION":
            kind = said.get("data", {}).get("TxExecutionError", {}).get("InvalidTxError")
            name = next(iter(kind)) if isinstance(kind, dict) else str(kind)
        raise NearRefused(subject, name, str(said.get("data", said.get("message"))))


def _block(answer: Mapping[str, Any]) -> Block:
    try:
        header = answer["header"]
        time_ns = int(header["timestamp_nanosec"])
        hash, previous = base58_bytes(header["hash"]), base58_bytes(header["prev_hash"])
        return Block(int(header["height"]), hash, time_ns, previous)
    except (KeyError, TypeError, ValueError) as error:
        raise NearUnreachable("block of the NEAR node", repr(error), "ask again") from None


def _block_id(at: int | bytes) -> int | str:
    return at if isinstance(at, int) else base58_text(at)


def _failure(status: object) -> str:
    if isinstance(status, dict) and "Failure" in status:
        return json.dumps(status["Failure"])
    return ""
