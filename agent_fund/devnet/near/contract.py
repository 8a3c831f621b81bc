"""What a contract on the loopback chain is: methods that see a Call and may schedule Promises.

A method is called by name with the JSON object of its arguments. It returns a JSON value, bytes or
None. ``Panic`` undoes everything that the receipt did, but for its logs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_fund.devnet.near.state import State


class Panic(Exception):  # noqa: N818 - the name that contracts use
    """A contract that gives up; the message is the contract's own."""


@dataclass
class Promise:
    """A call of another contract, and of a callback with its result.

    Attributes:
        args: the JSON object of the arguments.
        then: called on the contract that made the promise, whatever the result is.
    """

    receiver: str
    method: str
    args: Mapping[str, Any]
    deposit: int = 0
    then: Promise | None = None


@dataclass
class Call:
    """One receipt as its contract sees it.

    Attributes:
        state: storage of the contract.
        now_ns: time of the block, nanoseconds since 1970.
        results: what the promises this is a callback of gave, None for a failed one.
    """

    state: State
    me: str
    predecessor: str
    signer: str
    deposit: int
    now_ns: int
    results: tuple[bytes | None, ...] = ()
    logs: list[str] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)

    def event(self, standard: str, version: str, event: str, data: Any) -> None:
        """Log a NEP-297 event."""
        body = {"standard": standard, "version": version, "event": event, "data": data}
        self.logs.append("EVENT_JSON:" + compact(body))

    def require_one_yocto(self) -> None:
        """Panic unless exactly 1 yoctoNEAR is attached: a sign that a full-access key signed."""
        if self.deposit != 1:
            raise Panic("Requires attached deposit of exactly 1 yoctoNEAR")

    def require_private(self) -> None:
        """Panic unless the contract called itself."""
        if self.predecessor != self.me:
            raise Panic("Method is private")


Method = Callable[[Call, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Contract:
    """Methods by name; ``views`` may be called without a transaction."""

    methods: Mapping[str, Method]
    views: Mapping[str, Method]

    def run(self, call: Call, method: str, args: bytes, *, view: bool = False) -> Any:
        """The result of ``method``.

        Raises:
            Panic: if there is no such method, the arguments are no JSON object, or it panics.
        """
        found = self.views.get(method) or (None if view else self.methods.get(method))
        if found is None:
            raise Panic(f"MethodResolveError(MethodNotFound): {method}")
        try:
            given = json.loads(args or b"{}")
        except ValueError as error:
            raise Panic(f"Failed to deserialize input from JSON: {error}") from None
        try:
            return found(call, given)
        except KeyError as error:
            raise Panic(f"missing field {error}") from None


def compact(value: Any) -> str:
    """JSON without spaces, as contracts write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def amount(value: Any) -> int:
    """A token amount: a u128 as a decimal string.

    Raises:
        Panic: for anything else.
    """
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        raise Panic(f"invalid amount: {value!r}")
    if int(value) >= 2**128:
        raise Panic(f"amount overflow: {value}")
    return int(value)
