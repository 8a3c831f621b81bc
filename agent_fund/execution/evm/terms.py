"""Terms: what an action may do to its owner's balances, whatever the venue reckons.

A venue counts what it sends and asks for. What a token keeps of a transfer, or takes on top of it,
shows in the balances alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call


class TermsError(ExecutionError):
    """Calls that pass, and move other amounts than they may; ``value`` is what they move."""


@dataclass(frozen=True)
class Terms:
    """``action``, with the tokens of ``owner`` (checksum address).

    ``token_in`` falls by ``max_in`` at most, ``token_out`` rises by ``min_out`` at least.
    """

    owner: str
    action: Action

    @property
    def looks(self) -> tuple[Call, ...]:
        """The calls that ask for the owner's balances of the tokens."""
        tokens = (self.action.token_in, self.action.token_out)
        data = call_data("balanceOf(address)", self.owner)
        return tuple(Call(token, data) for token in tokens if token != NOTHING)

    def require(self, before: Sequence[bytes], after: Sequence[bytes]) -> None:
        """Refuse other balances.

        Args:
            before, after: the answers to ``looks``, before the action and after it.

        Raises:
            TermsError: with what was spent, or with what arrived.
            ExecutionError: if a token states no balance.
        """
        rises = [
            _balance(look.to, later) - _balance(look.to, earlier)
            for look, earlier, later in zip(self.looks, before, after, strict=True)
        ]
        spent = -rises.pop(0) if self.action.token_in != NOTHING else 0
        if spent > self.action.max_in:
            fix = f"at most {self.action.max_in} may leave {self.owner}: does the token take a fee?"
            raise TermsError(f"spent of {self.action.token_in}", spent, fix)
        arrived = rises.pop() if rises else 0
        if arrived < self.action.min_out:
            fix = f"{self.action.min_out} must reach {self.owner}: does the token keep a fee?"
            raise TermsError(f"arrival of {self.action.token_out}", arrived, fix)


def _balance(token: str, answer: bytes) -> int:
    if len(answer) != 32:
        raise ExecutionError("balance of a token", token, "give an ERC-20's address")
    return int.from_bytes(answer, "big")
