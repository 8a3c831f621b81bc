"""Cover: how far an admitted leg reaches on chain, and the refusal of every action beyond it.

The guard's side works it out from the order that the guard admitted and from the tokens' own
decimals, never from what the executor says. Amounts are rounded against the fund: what may be
spent down, what must arrive up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_fund.domain.order import Order, Side
from agent_fund.execution.custody.calldata import Calldata
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.call import NOTHING, Action
from agent_fund.execution.evm.token import Token


@dataclass(frozen=True)
class Cover:
    """What may be signed for one leg.

    Attributes:
        venues: the contracts that may be called, each with the one that may take ``token_in``.
        token_in, token_out: addresses; NOTHING for no token.
        most_in, least_out: the tokens' own units.
        deadline: Unix seconds, the last at which it may run.
        most_value: wei that may be sent along.
        calldata: what the call may say; demanded where nothing comes back to the Safe, because then
            no balance shows whether the call did what it should.
    """

    venues: Mapping[str, str] = field(hash=False)
    token_in: str
    most_in: int
    token_out: str
    least_out: int
    deadline: int
    most_value: int = 0
    calldata: Calldata | None = None

    @classmethod
    def of_order(
        cls, order: Order, base: Token, quote: Token, venues: Mapping[str, str], deadline: int
    ) -> Cover:
        """What remains of ``order``, whole or not at all, at its limit or better.

        Raises:
            ExecutionError: if nothing remains.
        """
        if not order.remaining:
            name = f"order {order.order_id}"
            raise ExecutionError(name, order.status.value, "nothing remains that could be covered")
        instrument = order.instrument
        money = instrument.notional(order.remaining, order.limit)
        if order.side is Side.BUY:
            most = quote.down(money, instrument.quote)
            least = base.up(order.remaining, instrument.base)
            return cls(venues, quote.address, most, base.address, least, deadline)
        most = base.down(order.remaining, instrument.base)
        least = quote.up(money, instrument.quote)
        return cls(venues, base.address, most, quote.address, least, deadline)

    @classmethod
    def of_deposit(
        cls, contract: str, token_in: str, amount: int, calldata: Calldata, deadline: int
    ) -> Cover:
        """A deposit of ``amount``, or less, into ``contract``; nothing comes back."""
        return cls({contract: contract}, token_in, amount, NOTHING, 0, deadline, calldata=calldata)

    def require(self, action: Action, deadline: int) -> None:
        """Refuse an action that reaches further.

        Raises:
            ExecutionError: with the first thing that is not covered.
        """
        call = action.call
        if call.to not in self.venues:
            raise ExecutionError("target", call.to, f"covered are {sorted(self.venues)}")
        if action.token_in != NOTHING and action.spender != self.venues[call.to]:
            fix = f"the allowance goes to {self.venues[call.to]}"
            raise ExecutionError("spender", action.spender, fix)
        if (action.token_in, action.token_out) != (self.token_in, self.token_out):
            fix = f"the leg gives {self.token_in} for {self.token_out}"
            raise ExecutionError("tokens", (action.token_in, action.token_out), fix)
        if not 0 <= action.max_in <= self.most_in:
            raise ExecutionError("max_in", action.max_in, f"at most {self.most_in} is covered")
        if action.min_out < self.least_out:
            raise ExecutionError("min_out", action.min_out, f"{self.least_out} or more must come")
        if not 0 <= call.value <= self.most_value:
            raise ExecutionError("value", call.value, f"at most {self.most_value} wei are covered")
        if deadline > self.deadline:
            raise ExecutionError("deadline", deadline, f"the leg ends at {self.deadline}")
        if self.calldata is not None:
            self.calldata.require(call.data)
        elif action.token_out == NOTHING or action.min_out <= 0:
            fix = "nothing need come back, so the cover must say what the calldata may be"
            raise ExecutionError("calldata", call.data[:4].hex(), fix)
