"""An exchange's margin account as the fund's adapter: what it says of marks, funding, liquidations.

A mark finer than the instrument's prices is rounded to the nearest price unit, half to even; it is
what limits are watched by, and nothing is booked at it. Amounts that are booked are exact or
refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Unpack

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.adapter import ExchangeAdapter, Terms
from agent_fund.execution.exchange.answer import Failure
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.margin_api import FundingRate, Income, MarginApi
from agent_fund.execution.exchange.margin_terms import require_terms
from agent_fund.execution.live.margin import ForcedTrade, FundingReceipt, Mark


class MarginExchangeAdapter(ExchangeAdapter):
    """One margin account at one exchange; arguments as for ExchangeAdapter."""

    _api: MarginApi

    def __init__(
        self,
        name: str,
        api: MarginApi,
        markets: Mapping[Instrument, str],
        fees: Fees,
        **terms: Unpack[Terms],
    ) -> None:
        super().__init__(name, api, markets, fees, **terms)

    async def start(self) -> None:
        """As ExchangeAdapter's; and the margin terms, which the guard's proofs rest on."""
        await super().start()
        try:
            told = await self._api.terms(self._listing.markets)
        except Failure as failure:
            fix = "is it reachable, and may the key read the account?"
            raise ExecutionError(f"margin at {self.name}", failure.reason, fix) from None
        for market, instrument in self._listing.instruments.items():
            require_terms(instrument, market, told[market])

    async def marks(self, instruments: Sequence[Instrument]) -> Mapping[str, Mark]:
        """The marks now, by symbol; absent where the exchange tells none, or does not answer."""
        named = {self._listing.market(instrument): instrument for instrument in instruments}
        try:
            told = await self._api.marks(tuple(named))
        except Failure:
            return {}
        return {
            instrument.symbol: Mark(
                _nearest(told[market].mark, instrument), _nearest(told[market].index, instrument)
            )
            for market, instrument in named.items()
            if market in told
        }

    async def funding_rates(
        self, instruments: Sequence[Instrument], since: int, until: int
    ) -> Mapping[str, int]:
        """The sum of the funding rates of the times ``since < t <= until`` (Unix ms), by symbol.

        In 10**-RATE_SCALE of the notional, positive: longs pay; 0 where there was no payment.

        Raises:
            ExecutionError: if the exchange does not answer, or a rate has more decimals.
        """
        found = {}
        for instrument in instruments:
            market = self._listing.market(instrument)
            try:
                told = await self._api.rates(market, since + 1, until) if since < until else ()
            except Failure as failure:
                fix = "ask again when it answers"
                subject = f"funding rates at {self.name}"
                raise ExecutionError(subject, failure.reason, fix) from None
            rates = _by_time(market, told)
            found[instrument.symbol] = sum(
                rate for time, rate in rates.items() if since < time <= until
            )
        return found

    async def funding(self, since: int) -> tuple[FundingReceipt, ...]:
        """Funding paid and received at ``since`` (Unix ms) or later, each payment once.

        Raises:
            ExecutionError: if the exchange does not answer, or a payment is in another market or
                asset.
        """
        try:
            payments = await self._api.income(since)
        except Failure as failure:
            fix = "ask again when it answers"
            raise ExecutionError(f"funding at {self.name}", failure.reason, fix) from None
        found: dict[str, FundingReceipt] = {}
        for payment in payments:
            receipt = self._receipt(payment)
            if found.setdefault(receipt.payment_id, receipt) != receipt:
                fix = "it was told in two versions: ask the exchange"
                raise ExecutionError(f"funding at {self.name}", receipt.payment_id, fix)
        return tuple(found.values())

    async def forced(self, since: int) -> tuple[ForcedTrade, ...]:
        """Trades of the exchange's own making at ``since`` (Unix ms) or later, in order.

        Raises:
            ExecutionError: if the exchange does not answer, or one cannot be booked exactly.
        """
        try:
            pairs = await self._told_since(since)
        except Failure as failure:
            fix = "ask again when it answers"
            raise ExecutionError(f"forced trades at {self.name}", failure.reason, fix) from None
        executed, doubtful = self._executed(pairs, forced=True)
        for one in doubtful:
            fix = "a person must book it"
            raise ExecutionError(f"trade {one.exec_id} at {self.name}", one.reason, fix)
        return tuple(
            ForcedTrade(
                exec_id=trade.exec_id,
                symbol=self._listing.instruments[trade.market].symbol,
                quantity=-made.quantity if trade.buy else made.quantity,
                price=made.price,
                fee=made.fee,
                time=trade.time,
            )
            for _, trade, made in executed
        )

    async def arm_dead_man(self, seconds: int) -> None:
        """Let the exchange cancel all that rests in ``seconds`` unless this is called again.

        Args:
            seconds: 0 disarms.

        Raises:
            ExecutionError: if the exchange did not confirm it.
        """
        try:
            await self._api.arm_dead_man(self._listing.markets, seconds)
        except Failure as failure:
            fix = "watch this venue by other means"
            raise ExecutionError(f"dead-man timer at {self.name}", failure.reason, fix) from None

    def _receipt(self, payment: Income) -> FundingReceipt:
        instrument = self._listing.instruments.get(payment.market)
        if instrument is None:
            fix = "trade it here, or leave that market of this account alone"
            raise ExecutionError(f"funding at {self.name}", payment.market, fix)
        quote = self._listing.rules[payment.market].quote
        if payment.asset != quote:
            fix = f"let the account pay funding of {payment.market} in {quote}"
            raise ExecutionError(f"funding at {self.name}", payment.asset, fix)
        units = instrument.quote.units(payment.amount, f"funding of {instrument.symbol}")
        return FundingReceipt(payment.payment_id, instrument.symbol, units, payment.time)


def _nearest(price: Decimal, instrument: Instrument) -> int:
    """Price units."""
    return int(price.scaleb(instrument.price_scale).to_integral_value(ROUND_HALF_EVEN))


def _by_time(market: str, told: Sequence[FundingRate]) -> dict[int, int]:
    """Each time's rate once, in 10**-RATE_SCALE, exactly.

    Raises:
        ExecutionError: for a rate with more decimals, or two rates of one time.
    """
    found: dict[int, int] = {}
    for row in told:
        units = Fraction(row.rate) * 10**RATE_SCALE
        if units.denominator != 1:
            fix = f"rates are kept with {RATE_SCALE} decimals: ask what it means"
            raise ExecutionError(f"funding rate of {market}", str(row.rate), fix)
        if found.setdefault(row.time, units.numerator) != units.numerator:
            fix = "it was told in two versions: ask the exchange"
            raise ExecutionError(f"funding rate of {market} at {row.time}", str(row.rate), fix)
    return found
