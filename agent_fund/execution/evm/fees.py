"""EIP-1559 fees: enough for the next blocks by the chain's own history, never above a cap.

What is bid is the tip that recent blocks paid on top of twice the base fee, so that the base fee
may rise six blocks in a row by its largest step (1/8) before the bid falls short. Only the base
fee and the tip are paid. What is bid leaves room under the cap for one step more, so that it can
always be cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.domain.money import ceil_div
from agent_fund.execution.errors import ExecutionError

HISTORY: tuple[str, list[Any]] = ("eth_feeHistory", ["0x5", "latest", [50]])
"""The JSON-RPC call that ``FeePolicy.bid`` reads: five blocks, the median tip of each."""


@dataclass(frozen=True)
class Fees:
    """Wei for one unit of gas: ``maximum`` in all, ``tip`` of it for the block's proposer."""

    maximum: int
    tip: int

    def raised(self) -> Fees:
        """Raised by 12.5 %: at least what every node demands to replace a transaction."""
        return Fees(ceil_div(self.maximum * 9, 8), ceil_div(self.tip * 9, 8))


@dataclass(frozen=True)
class FeePolicy:
    """How much may be bid.

    Attributes:
        cap: wei for one unit of gas that is never exceeded.
        least_tip: wei for one unit of gas that is offered even if nobody else offers any.
    """

    cap: int = 500 * 10**9
    least_tip: int = 10**8

    @property
    def highest(self) -> int:
        """The highest bid for what may have to be cancelled: raised, it is not above the cap."""
        return self.cap * 8 // 9

    def bid(self, history: Mapping[str, Any], *, last: bool = False) -> Fees:
        """The fees for a transaction now, by the answer of ``eth_feeHistory``.

        Args:
            last: whether it only frees a nonce: then it may go up to the cap, and wait there
                however dear gas is.

        Raises:
            ExecutionError: if not even the next block's base fee and the tip are under the highest.
        """
        base, tip = self._next_block(history)
        if base + tip > self.highest and not last:
            fix = f"wait until it is under {self.highest}; the cap is {self.cap} wei"
            raise ExecutionError("gas price", base + tip, fix)
        maximum = min(2 * base + tip, self.cap if last else self.highest)
        return Fees(maximum, min(tip, maximum))

    def price(self, history: Mapping[str, Any]) -> int:
        """What a unit of gas would cost in the next block, tip included, in wei."""
        return sum(self._next_block(history))

    def _next_block(self, history: Mapping[str, Any]) -> tuple[int, int]:
        base = int(history["baseFeePerGas"][-1], 16)  # the last one is the next block's
        tips = sorted(int(row[0], 16) for row in history.get("reward") or () if row)
        return base, max(tips[len(tips) // 2] if tips else 0, self.least_tip)

    def replacement(self, before: Fees, history: Mapping[str, Any], *, last: bool = False) -> Fees:
        """The fees in the place of ``before``: raised, and no less than what is bid now.

        Args:
            last: as for ``bid``: whether it cancels.

        Raises:
            ExecutionError: if that is above the highest, or the cap.
        """
        most = self.cap if last else self.highest
        raised, now = before.raised(), self.bid(history, last=last)
        if raised.maximum > most:
            fix = f"wait, {most} is the most; the cap is {self.cap} wei"
            raise ExecutionError("fee of a replacement", raised.maximum, fix)
        maximum = max(raised.maximum, now.maximum)
        return Fees(maximum, max(raised.tip, now.tip))
