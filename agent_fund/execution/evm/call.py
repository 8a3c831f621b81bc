"""Call and Action: what the fund's account does on a chain, and what it may cost at most."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "0x0000000000000000000000000000000000000000"
"""Stands for the token of an action that takes, or brings, no token."""


@dataclass(frozen=True)
class Call:
    """One contract call from the fund's account.

    Attributes:
        to: checksum address. ``value``: wei sent along.
        approval: whether it only sets an allowance for another call of its batch; a cancel replaces
            the other calls and lets these happen, so that no allowance is left over.
    """

    to: str
    data: bytes
    value: int = 0
    approval: bool = False


@dataclass(frozen=True)
class Action:
    """A call with what it may take and must bring; what a verdict covers.

    Attributes:
        spender: the contract that is allowed to take ``token_in``, e.g. the router.
        token_in: address; ``max_in`` is in the token's own units, and the whole allowance.
        token_out: address, or NOTHING if it brings nothing to this account (a deposit elsewhere).
        min_out: the token's own units that must arrive at least.
    """

    call: Call
    spender: str
    token_in: str
    max_in: int
    token_out: str
    min_out: int
