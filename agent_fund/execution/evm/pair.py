"""Pair: an instrument in terms of two tokens; limits go to the chain, transfers come back as fills.

A fill's price and fee are such that notional and fee together are what moved, to the last unit:
a buy's price is rounded down and a sell's up, and the rest, less than one price unit's worth, is
the fee.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.receipt import Receipt
from agent_fund.execution.evm.token import Token
from agent_fund.execution.live.adapter import Execution


@dataclass(frozen=True)
class Pair:
    """``instrument`` as ``base`` against ``quote`` in the pool at address ``pool``."""

    instrument: Instrument
    base: Token
    quote: Token
    pool: str

    def __post_init__(self) -> None:
        instrument = self.instrument
        if instrument.kind is not Kind.SPOT:
            raise ExecutionError(
                f"instrument {instrument.symbol}", instrument.kind.value, "a pool trades spot"
            )
        self.base.exactly(instrument.lot, instrument.base)

    def most_spent(self, quantity: int, limit: int) -> int:
        """Of the quote token, what buying ``quantity`` at ``limit`` may cost; rounded down."""
        return self.quote.down(self.instrument.notional(quantity, limit), self.instrument.quote)

    def least_received(self, quantity: int, limit: int) -> int:
        """Of the quote token, what selling ``quantity`` at ``limit`` must bring; rounded up."""
        return self.quote.up(self.instrument.notional(quantity, limit), self.instrument.quote)

    def middle(self, ratio: Fraction) -> int:
        """``ratio`` (own units of the quote token for one of the base token) as a price.

        Price units, rounded down to the tick; 0 if it is less than a tick.
        """
        one = self.instrument
        in_units = ratio * Fraction(10**one.quote.scale, 10**self.quote.decimals)
        in_units /= Fraction(10**one.base.scale, 10**self.base.decimals)
        price = in_units / one.multiplier
        return price.numerator // (price.denominator * one.tick) * one.tick

    def execution(
        self, receipt: Receipt, owner: str, *, final: bool
    ) -> tuple[Side, Execution] | None:
        """The trade that the receipt's transfers to and from ``owner`` make.

        None if they make none: the two tokens must have moved in opposite directions.
        """
        base = quote = 0
        index = None
        for moved in receipt.transfers():
            change = moved.amount * ((moved.target == owner) - (moved.source == owner))
            if moved.token == self.base.address:
                base += change
                if change and index is None:
                    index = moved.index
            elif moved.token == self.quote.address:
                quote += change
        if index is None or base * quote >= 0:
            return None
        side = Side.BUY if base > 0 else Side.SELL
        exec_id = f"{receipt.hash}:{index}"
        return side, self._priced(side, abs(base), abs(quote), exec_id, final)

    def _priced(self, side: Side, base: int, quote: int, exec_id: str, final: bool) -> Execution:
        one = self.instrument
        if side is Side.BUY:
            quantity = self.base.arrived(base, one.base)
            spent = self.quote.spent(quote, one.quote)
            price = spent // one.notional(quantity, 1)
            fee = spent - one.notional(quantity, price)
        else:
            quantity = self.base.spent(base, one.base)
            brought = self.quote.arrived(quote, one.quote)
            price = ceil_div(brought, one.notional(quantity, 1))
            fee = one.notional(quantity, price) - brought
        return Execution(exec_id, quantity, price, fee, final)
