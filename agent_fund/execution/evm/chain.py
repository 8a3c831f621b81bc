"""Chain: JSON-RPC to one node of one chain; every answer is the node's, or it is ChainSilent.

Nothing is retried here: whether asking again is harmless, only the caller knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import Web3Exception, Web3RPCError
from web3.types import RPCEndpoint, RPCResponse

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.receipt import Receipt


class ChainSilent(Web3Exception):
    """The node did not answer, or not in JSON-RPC: what was asked may have been done or not."""


UNCERTAIN = (ChainSilent, Web3RPCError)
"""What asking a chain raises when the answer is missing, or is the node's refusal to answer."""


class _Provider(AsyncHTTPProvider):
    """web3's provider over one session with connections that stay open, without retries."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, exception_retry_configuration=None)
        self._timeout = ClientTimeout(total=timeout)
        self._session: ClientSession | None = None

    async def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                str(self.endpoint_uri), data=request_data, headers=headers
            ) as answer:
                answer.raise_for_status()
                return await answer.read()
        except (ClientError, TimeoutError, OSError) as error:
            # Neither the URL nor the library's message, which states it, is repeated.
            raise ChainSilent(f"{method}: {type(error).__name__}") from None

    def __str__(self) -> str:
        return "RPC connection"  # without the URL, which may hold an API key

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One call; the library's own method would write the URL into its log."""
        data = self.encode_rpc_request(method, params)
        return self.decode_rpc_response(await self._make_request(method, data))

    async def many(self, requests: list[tuple[RPCEndpoint, Any]]) -> Any:
        """The node's answer to a JSON-RPC batch."""
        data = self.encode_batch_rpc_request(requests)
        return self.decode_rpc_response(await self._make_request(RPCEndpoint("batch"), data))

    async def disconnect(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class Chain:
    """A node of the chain ``chain_id``.

    Args:
        name: by which messages know it.
        url: of the node's HTTP endpoint; never repeated in messages.
        finality: blocks on top of one after which it is taken for final; 0: mined is final.
        timeout: seconds that a request may take.
    """

    def __init__(
        self, name: str, url: str, chain_id: int, finality: int, *, timeout: float = 10
    ) -> None:
        if finality < 0 or chain_id < 1:
            raise ExecutionError(
                f"chain {name}", (chain_id, finality), "a chain id from 1, a finality from 0"
            )
        self.name = name
        self.chain_id = chain_id
        self.finality = finality
        self._provider = _Provider(url, timeout)
        self.web3: AsyncWeb3[AsyncHTTPProvider] = AsyncWeb3(self._provider)

    async def start(self) -> None:
        """Ask for the chain id, in a batch of calls, which everything here needs the node to take.

        Raises:
            ExecutionError: if the node is silent or takes no batches, or is of another chain.
        """
        try:
            answers = await self.rpc_many([("eth_chainId", []), ("eth_blockNumber", [])])
            if isinstance(answers[0], Web3RPCError):
                raise answers[0]
        except UNCERTAIN as error:
            raise ExecutionError(
                f"chain {self.name}", str(error), "give the URL of a node that takes batches"
            ) from None
        found = int(answers[0], 16)
        if found != self.chain_id:
            raise ExecutionError(
                f"chain id of {self.name}", found, f"give a node of chain {self.chain_id}"
            )

    async def rpc(self, method: str, *parameters: Any) -> Any:
        """The result of one JSON-RPC call, undecoded.

        Raises:
            ChainSilent: without an answer.
            Web3RPCError: if the node answers with an error.
        """
        return _result(method, await self._ask(method, list(parameters)))

    async def rpc_many(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of several calls in one request; a Web3RPCError in the place of a failed one.

        The node may work on them in any order.

        Raises:
            ChainSilent: without an answer, or with one that leaves a call out.
        """
        if not requests:
            return []
        asked = [(RPCEndpoint(method), list(parameters)) for method, parameters in requests]
        try:
            answers = await self._provider.many(asked)
            ordered = sorted(answers, key=lambda answer: int(answer["id"]))
        except (ValueError, KeyError, TypeError):
            raise ChainSilent("batch: the answer is not JSON-RPC") from None
        if len(ordered) != len(asked):
            raise ChainSilent(f"batch: {len(ordered)} answers to {len(asked)} calls")
        found: list[Any] = []
        for (method, _), answer in zip(asked, ordered, strict=True):
            try:
                found.append(_result(method, answer))
            except Web3RPCError as error:
                found.append(error)
        return found

    async def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        """What a contract answers now, as of the latest block; changes nothing.

        Raises:
            Web3RPCError: if it reverts; ChainSilent as ``rpc``.
        """
        request = {"to": to, "data": "0x" + data.hex()}
        if sender is not None:
            request["from"] = sender
        return bytes.fromhex((await self.rpc("eth_call", request, "latest"))[2:])

    async def receipt(self, hash: str) -> Receipt | None:
        """The receipt of a mined transaction; None while it is not, or not any more, mined."""
        found = await self.rpc("eth_getTransactionReceipt", hash)
        return None if found is None else Receipt.read(found)

    async def head(self) -> int:
        """The number of the latest block."""
        return int(await self.rpc("eth_blockNumber"), 16)

    async def now(self) -> int:
        """The timestamp of the latest block, Unix seconds; the chain's clock for deadlines."""
        return int((await self.rpc("eth_getBlockByNumber", "latest", False))["timestamp"], 16)

    async def coin(self, address: str) -> int:
        """The chain's own coin of ``address``, in wei."""
        return int(await self.rpc("eth_getBalance", address, "latest"), 16)

    async def close(self) -> None:
        """Close the connections."""
        await self.web3.provider.disconnect()

    async def _ask(self, method: str, parameters: list[Any]) -> RPCResponse:
        try:
            return await self._provider.make_request(RPCEndpoint(method), parameters)
        except ValueError:  # what a JSON decoder raises
            raise ChainSilent(f"{method}: the answer is not JSON") from None


def _result(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict) or ("error" not in answer and "result" not in answer):
        raise ChainSilent(f"{method}: the answer is not JSON-RPC")
    error = answer.get("error")
    if error is not None:
        message = error.get("message", "") if isinstance(error, dict) else str(error)
        raise Web3RPCError(f"{method}: {message}", rpc_response=answer)  # type: ignore[arg-type]
    return answer["result"]
