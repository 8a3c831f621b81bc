"""The intents verifier as a client sees it: views of a final block, simulation, events.

``simulate``'s answer is read whole: a simulation succeeds although the invariant is violated,
and that says what the counterparty must bring.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.fees import PIPS
from agent_fund.execution.near.rpc import NearRpc, Result

_EVENT = "EVENT_JSON:"


@dataclass(frozen=True)
class Simulation:
    """What ``simulate_intents`` said.

    Attributes:
        missing: units by token that a counterparty must take (negative) or bring (positive),
            fees taken off; empty if the intents match each other.
        fee_pips: the fee now, 1/1,000,000.
        hashes: the intent hashes that were executed.
    """

    missing: Mapping[str, int]
    fee_pips: int
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Executed:
    """A payload that the contract executed, from its events.

    Attributes:
        diff: units by token of each token_diff of the payload, in order.
        fees: units by token that the contract kept of what was given.
    """

    intent_hash: str
    account_id: str
    nonce: bytes
    diffs: tuple[Mapping[str, int], ...]
    fees: Mapping[str, int]


class Verifier:
    """The contract ``contract_id``; all views are of final blocks."""

    def __init__(self, rpc: NearRpc, contract_id: str) -> None:
        self._rpc = rpc
        self.contract_id = contract_id

    async def salt(self, height: int | None = None) -> bytes:
        """The salt for new nonces, valid at ``height``, or now."""
        return bytes.fromhex(await self._view("current_salt", {}, height))

    async def salt_valid(self, salt: bytes, height: int) -> bool:
        """Whether nonces with ``salt`` could be used at ``height``; once False, False for good."""
        return bool(await self._view("is_valid_salt", {"salt": salt.hex()}, height))

    async def nonce_used(self, account_id: str, nonce: bytes, height: int) -> bool:
        """Whether ``nonce`` is held for used up in the block at ``height``.

        The contract forgets it again once it is cleaned, which is possible for a versioned nonce
        after its deadline, and from when its salt is invalid.
        """
        args = {"account_id": account_id, "nonce": base64.b64encode(nonce).decode()}
        return bool(await self._view("is_nonce_used", args, height))

    async def has_key(self, account_id: str, public_key: str) -> bool:
        """Whether signatures of ``public_key`` count for ``account_id``."""
        args = {"account_id": account_id, "public_key": public_key}
        return bool(await self._view("has_public_key", args))

    async def balances(self, account_id: str, token_ids: Sequence[str]) -> tuple[int, ...]:
        """Units of each token that the account has inside the contract."""
        args = {"account_id": account_id, "token_ids": list(token_ids)}
        return tuple(int(text) for text in await self._view("mt_batch_balance_of", args))

    async def simulate(
        self, signed: Sequence[Mapping[str, Any]], height: int | None = None
    ) -> Simulation:
        """What executing ``signed`` would do after the block at ``height``, or now.

        The node that is asked sees what is signed, and may publish it.

        Raises:
            NearRefused: if the contract would refuse, or the amounts overflow; ``value`` has its
                message.
            NearUnreachable: without an answer that can be read.
        """
        args = {"signed": [dict(one) for one in signed]}
        answer = await self._view("simulate_intents", args, height)
        try:
            found = _simulation(answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise NearUnreachable("simulation", repr(error), "ask again") from None
        if found is None:
            violated = json.dumps(answer["invariant_violated"])
            raise NearRefused("simulation", violated, "the amounts overflow; trade less")
        return found

    def executed(self, result: Result) -> tuple[Executed, ...]:
        """The payloads that a transaction executed, from receipts of the contract that succeeded.

        Logs of a failed receipt say what would have been; they are not read.
        """
        found: list[Executed] = []
        for receipt in result.receipts:
            if receipt.executor != self.contract_id or receipt.failure:
                continue
            events = list(_events(receipt.logs))
            for event, data in events:
                if event == "intents_executed":
                    found += [_executed(one, events) for one in data]
        return tuple(found)

    def received(self, result: Result, account_id: str, token_id: str) -> int:
        """Units of a token that transfers in the transaction brought to ``account_id``, net."""
        total = 0
        for receipt in result.receipts:
            if receipt.executor != self.contract_id or receipt.failure:
                continue
            for event, data in _events(receipt.logs):
                if event != "mt_transfer":
                    continue
                for one in data:
                    moved = zip(one["token_ids"], one["amounts"], strict=True)
                    units = sum(int(amount) for token, amount in moved if token == token_id)
                    total += units * (one["new_owner_id"] == account_id)
                    total -= units * (one["old_owner_id"] == account_id)
        return total

    async def _view(self, method: str, args: Mapping[str, Any], height: int | None = None) -> Any:
        return await self._rpc.view(self.contract_id, method, args, height=height)


def _simulation(answer: Any) -> Simulation | None:
    """What a simulation says; None if its amounts overflow."""
    violated = answer.get("invariant_violated")
    missing: dict[str, int] = {}
    if violated is not None:
        if violated["error"] != "unmatched_deltas":
            return None
        deltas = violated["unmatched_deltas"]
        missing = {token: int(str(units)) for token, units in deltas.items()}
    hashes = tuple(str(one["intent_hash"]) for one in answer["intents_executed"])
    fee_pips = int(str(answer["state"]["fee"]))
    if not 0 <= fee_pips <= PIPS:
        raise ValueError(f"a fee of {fee_pips} pips")
    return Simulation(missing, fee_pips, hashes)


def _events(logs: Sequence[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for log in logs:
        if log.startswith(_EVENT):
            event = json.loads(log.removeprefix(_EVENT))
            yield event["event"], event["data"]


def _executed(
    one: Mapping[str, Any], events: Sequence[tuple[str, list[dict[str, Any]]]]
) -> Executed:
    diffs: list[dict[str, int]] = []
    fees: dict[str, int] = {}
    for event, data in events:
        for entry in data:
            if event == "token_diff" and entry["intent_hash"] == one["intent_hash"]:
                diffs.append({token: int(units) for token, units in entry["diff"].items()})
                for token, units in entry.get("fees_collected", {}).items():
                    fees[token] = fees.get(token, 0) + int(units)
    return Executed(
        one["intent_hash"], one["account_id"], base64.b64decode(one["nonce"]), tuple(diffs), fees
    )
