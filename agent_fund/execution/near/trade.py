"""A swap as the fund books it, and as it has to be remembered between signing and settlement.

The price is the quotient rounded towards less money moved, and the rest is the fee: what was paid
or received is the notional plus or minus the fee, to the last unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Order, Side
from agent_fund.execution.live.adapter import Execution


def maximum_rest(order: Order) -> int:
    """The largest fee that rounding the price of ``order`` can leave, quote base units."""
    return order.instrument.notional(order.quantity, 1) - 1


@dataclass(frozen=True)
class Swap:
    """``quantity`` base units against ``money`` quote base units, whole or not at all.

    Attributes:
        unit: the notional of ``quantity`` at a price of one price unit.
        token_in, units_in: what is given away, in the token's units; the others: what comes.
    """

    side: Side
    quantity: int
    money: int
    unit: int
    token_in: str
    units_in: int
    token_out: str
    units_out: int

    @property
    def diff(self) -> dict[str, int]:
        """The change of the account's balances by token id."""
        return {self.token_in: -self.units_in, self.token_out: self.units_out}

    def execution(self, exec_id: str, *, final: bool) -> Execution:
        """The trade, exactly."""
        buys = self.side is Side.BUY
        price = self.money // self.unit if buys else ceil_div(self.money, self.unit)
        fee = (self.money - price * self.unit) * self.side.sign
        return Execution(exec_id, self.quantity, price, fee, final)

    def notes(self) -> dict[str, str]:
        """Everything as plain strings."""
        return {
            "side": self.side.value,
            "quantity": str(self.quantity),
            "money": str(self.money),
            "unit": str(self.unit),
            "token_in": self.token_in,
            "units_in": str(self.units_in),
            "token_out": self.token_out,
            "units_out": str(self.units_out),
        }

    @classmethod
    def of_notes(cls, notes: Mapping[str, str]) -> Swap:
        """The swap that ``notes`` gave."""
        return cls(
            Side(notes["side"]),
            int(notes["quantity"]),
            int(notes["money"]),
            int(notes["unit"]),
            notes["token_in"],
            int(notes["units_in"]),
            notes["token_out"],
            int(notes["units_out"]),
        )
