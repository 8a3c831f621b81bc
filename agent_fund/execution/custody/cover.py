"""Cover: how far an admitted leg reaches on chain, and the refusal of every action beyond it.

The guard's side works it out from the order that the guard admitted and from the tokens' own
decimals, never from what the executor says. Amounts are rounded against the fund: what may be
spent down, what must arrive up.

The calldata is always part of it. A balance that rises does not show that the call made it rise:
whatever else is owed to the Safe may arrive while the call runs, if the call lets a stranger's
contract run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_fund.domain.order import Order, Side
from agent_fund.execution.custody.calldata import Calldata, Exactly
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.amm import Amm
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
        calldata: what the call may say.
        most_value: wei that may be sent along.
    """

    venues: Mapping[str, str] = field(hash=False)
    token_in: str
    most_in: int
    token_out: str
    least_out: int
    deadline: int
    calldata: Calldata
    most_value: int = 0

    @classmethod
    def of_order(
        cls, order: Order, base: Token, quote: Token, amm: Amm, owner: str, deadline: int
    ) -> Cover:
        """What remains of ``order``, whole or not at all, at its limit or better, at ``amm``.

        The one call covered is written here: between the two tokens themselves, for ``owner``, by
        the order's own amounts, until ``deadline``.

        Args:
            owner: checksum address of the Safe, which gives and receives.

        Raises:
            ExecutionError: if nothing remains.
        """
        if not order.remaining:
            name = f"order {order.order_id}"
            raise ExecutionError(name, order.status.value, "nothing remains that could be covered")
        instrument, venues = order.instrument, {amm.router: amm.router}
        money = instrument.notional(order.remaining, order.limit)
        if order.side is Side.BUY:
            sold, bought = quote.address, base.address
            most = quote.down(money, instrument.quote)
            least = base.up(order.remaining, instrument.base)
            data = amm.exact_out(sold, bought, least, most, owner, deadline)
        else:
            sold, bought = base.address, quote.address
            most = base.down(order.remaining, instrument.base)
            least = quote.up(money, instrument.quote)
            data = amm.exact_in(sold, bought, most, least, owner, deadline)
        return cls(venues, sold, most, bought, least, deadline, Exactly.these(data))

    @classmethod
    def of_deposit(
        cls, contract: str, token_in: str, amount: int, calldata: Calldata, deadline: int
    ) -> Cover:
        """A deposit of ``amount``, or less, into ``contract``; nothing comes back."""
        return cls({contract: contract}, token_in, amount, NOTHING, 0, deadline, calldata)

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
        self.calldata.require(call.data)
