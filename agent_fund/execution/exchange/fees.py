"""What an account at an exchange pays: the highest rate, and the prepaid coin if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Order
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.market_rules import MarketRules


@dataclass(frozen=True)
class Fees:
    """The terms of the account; compared with what the exchange says at ``start``.

    Attributes:
        rate: the highest commission, as a share of the notional.
        coin: the exchange's code of a prepaid asset that pays it; empty: the quote asset pays.
        reserve: how much of the coin must be there for an order to be sent at all: more than the
            commission of the largest order, of which nobody here knows the worth in the coin.

    Raises:
        ExecutionError: for a coin without a reserve.
    """

    rate: Decimal
    coin: str = ""
    reserve: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.coin and self.reserve <= 0:
            fix = f"write how much {self.coin} must be there for an order to be sent"
            raise ExecutionError(f"reserve of {self.coin}", str(self.reserve), fix)

    def share(self, notional: int) -> int:
        """The commission on ``notional``, in its own units, rounded up."""
        rate = Fraction(self.rate)
        return ceil_div(notional * rate.numerator, rate.denominator)

    def maximum(self, order: Order, rules: MarketRules) -> int:
        """The most that the quote asset pays: each lot may be a trade, each trade is rounded up.

        With a prepaid coin too: where it falls short, the commission is taken out of the trade.
        Where ticks are finer than the fund's prices, a fee makes up the rest of the price.
        """
        instrument = order.instrument
        rounding = Fraction(rules.commission) * 10**instrument.quote.scale
        most = self.share(instrument.notional(order.quantity, order.limit))
        most += order.quantity // instrument.lot * int(rounding)
        if (Fraction(rules.tick) * 10**instrument.price_scale).denominator != 1:
            most += instrument.notional(order.quantity, 1)
        return most
