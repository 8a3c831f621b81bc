"""How much of the prepaid coin is left, so that no order is sent that it could not pay for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.booking import COIN_SCALE
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.market_rules import MarketRules


class PrepaidCoin:
    """The balance as last seen, less what reports told since; it errs on the low side."""

    def __init__(self, fees: Fees) -> None:
        self._fees = fees
        self._left: Decimal | None = None
        self._counted: dict[str, int] = {}

    @property
    def units(self) -> int | None:
        """Units of 10**-8 that are left; None if no coin is configured, or none was seen yet."""
        return None if self._left is None else int(self._left.scaleb(COIN_SCALE))

    def compare(self, venue: str, traded: Mapping[str, MarketRules]) -> None:
        """Check that the coin is none of the assets that are traded, by market.

        Raises:
            ExecutionError: if it is: commissions would be taken out of what the books count.
        """
        for market, rules in traded.items():
            if self._fees.coin and self._fees.coin in (rules.base, rules.quote):
                fix = f"{market} trades it: let another account trade that, or prepay nothing"
                raise ExecutionError(f"prepaid coin at {venue}", self._fees.coin, fix)

    def look(self, balances: Mapping[str, Decimal]) -> None:
        """Take over the balance that the exchange tells."""
        if self._fees.coin:
            self._left = balances.get(self._fees.coin, Decimal(0))

    def burn(self, leg_id: str, units: int) -> None:
        """A leg has taken ``units`` so far."""
        if self._left is not None:
            self._left -= Decimal(units - self._counted.get(leg_id, 0)).scaleb(-COIN_SCALE)
            self._counted[leg_id] = units

    def require(self, venue: str) -> None:
        """Check that the reserve is there.

        Raises:
            ExecutionError: if it is not.
        """
        if self._left is not None and self._left < self._fees.reserve:
            raise ExecutionError(
                f"prepaid coin at {venue}",
                f"{self._left} {self._fees.coin}",
                f"hold {self._fees.reserve} or more: without it commissions are taken elsewhere",
            )
