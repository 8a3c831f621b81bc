"""Cover: how far an admitted order reaches on chain, and the refusal of every action beyond it.

The guard's side works it out from the order that the guard admitted and from the tokens' own
decimals, never from what the executor says. Amounts are rounded against the fund: what may be
spent down, what must arrive up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eth_utils.crypto import keccak

from agent_fund.domain.order import Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.call import NOTHING, Action


@dataclass(frozen=True)
class TokenUnits:
    """An asset as a chain counts it: the fund's ``scale`` decimals, the token's ``decimals``."""

    address: str
    scale: int
    decimals: int

    def down(self, units: int) -> int:
        """``units`` base units of the fund as the token's, rounded down."""
        power = self.decimals - self.scale
        return units * 10**power if power >= 0 else int(units // 10**-power)

    def up(self, units: int) -> int:
        """The same, rounded up."""
        return -self.down(-units)


@dataclass(frozen=True)
class Cover:
    """What may be signed for one leg.

    Attributes:
        venues: the contracts that may be called, each with the one that may take ``token_in``.
        token_in, token_out: addresses; NOTHING for no token.
        most_in, least_out: the tokens' own units.
        deadline: Unix seconds, the last at which it may run.
        most_value: wei that may be sent along.
        call_hash: keccak256 of the only calldata allowed; demanded where nothing comes back to the
            Safe, because then no balance shows whether the call did what it should.
    """

    venues: Mapping[str, str] = field(hash=False)
    token_in: str
    most_in: int
    token_out: str
    least_out: int
    deadline: int
    most_value: int = 0
    call_hash: bytes | None = None

    @classmethod
    def of(
        cls,
        order: Order,
        base: TokenUnits,
        quote: TokenUnits,
        venues: Mapping[str, str],
        deadline: int,
    ) -> Cover:
        """The cover of what remains of ``order``, whole or not at all, at its limit or better."""
        name = f"order {order.order_id}"
        for asset, token in ((order.instrument.base, base), (order.instrument.quote, quote)):
            if asset.scale != token.scale:
                raise ExecutionError(name, token.scale, f"{asset.symbol} has scale {asset.scale}")
        if not order.remaining:
            raise ExecutionError(name, order.status.value, "nothing remains that could be covered")
        money = order.instrument.notional(order.remaining, order.limit)
        if order.side is Side.BUY:
            spent, received = (quote, money), (base, order.remaining)
        else:
            spent, received = (base, order.remaining), (quote, money)
        return cls(
            dict(venues),
            spent[0].address,
            spent[0].down(spent[1]),
            received[0].address,
            received[0].up(received[1]),
            deadline,
        )

    def require(self, action: Action, deadline: int) -> None:
        """Refuse an action that reaches further.

        Raises:
            ExecutionError: with the first thing that is not covered.
        """
        if action.call.to not in self.venues:
            raise ExecutionError("target", action.call.to, f"covered are {sorted(self.venues)}")
        if action.token_in != NOTHING and action.spender != self.venues[action.call.to]:
            fix = f"the allowance goes to {self.venues[action.call.to]}"
            raise ExecutionError("spender", action.spender, fix)
        if (action.token_in, action.token_out) != (self.token_in, self.token_out):
            fix = f"the order gives {self.token_in} for {self.token_out}"
            raise ExecutionError("tokens", (action.token_in, action.token_out), fix)
        if not 0 <= action.max_in <= self.most_in:
            raise ExecutionError("max_in", action.max_in, f"at most {self.most_in} is covered")
        if action.min_out < self.least_out:
            raise ExecutionError("min_out", action.min_out, f"at least {self.least_out} must come")
        if not 0 <= action.call.value <= self.most_value:
            raise ExecutionError("value", action.call.value, f"at most {self.most_value} wei")
        if deadline > self.deadline:
            raise ExecutionError("deadline", deadline, f"the order ends at {self.deadline}")
        if self.call_hash is None:
            if action.token_out == NOTHING or action.min_out == 0:
                fix = "nothing comes back, so the cover must name the exact calldata"
                raise ExecutionError("calldata", action.call.data[:4].hex(), fix)
        elif keccak(action.call.data) != self.call_hash:
            fix = f"its hash must be {self.call_hash.hex()}"
            raise ExecutionError("calldata", keccak(action.call.data).hex(), fix)
