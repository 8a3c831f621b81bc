"""Which of the fund's instruments trades in which market of an exchange, under which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.market_rules import MarketRules, require_compatible


class Listing:
    """Instruments by market; the rules are known once the exchange has told them.

    Args:
        venue: name of the domain Venue; every instrument must be of it.
        markets: the exchange's id of the market, by instrument.

    Raises:
        ExecutionError: for an instrument of another venue, or two in one market.
    """

    def __init__(self, venue: str, markets: Mapping[Instrument, str]) -> None:
        for instrument, market in markets.items():
            if instrument.venue.name != venue:
                raise ExecutionError("venue", instrument.venue.name, f"{venue} trades its own only")
            if list(markets.values()).count(market) > 1:
                raise ExecutionError(f"market at {venue}", market, "list one instrument of it")
        self.venue = venue
        self.instruments = {market: instrument for instrument, market in markets.items()}
        self.rules: dict[str, MarketRules] = {}
        self._markets = {instrument.symbol: market for instrument, market in markets.items()}

    @property
    def markets(self) -> tuple[str, ...]:
        """The exchange's ids."""
        return tuple(self.instruments)

    def compare(self, listed: Mapping[str, MarketRules]) -> None:
        """Take over the rules of the listed markets at a start, those that are halted too.

        Raises:
            ExecutionError: for a market that is not there, or an instrument that is too coarse.
        """
        for market, instrument in self.instruments.items():
            if market not in listed:
                known = ", ".join(sorted(m for m, rules in listed.items() if not rules.halted)[:5])
                fix = f"write one that is trading there, such as {known}"
                raise ExecutionError(f"market of {instrument.symbol}", market, fix)
            require_compatible(instrument, listed[market])
            self.rules[market] = listed[market]

    def require_steps(self) -> None:
        """Before a new run: each lot is the exchange's step, so that any part of it is booked.

        A run that goes on keeps its lots, whatever the exchange has made of its steps.

        Raises:
            ExecutionError: naming the lot to write.
        """
        for market, instrument in self.instruments.items():
            lot, step = instrument.base.amount(instrument.lot), self.rules[market].step
            if lot != step:
                fix = f"{market} trades in steps of {step}, and a part of a lot could not be booked"
                name = f"lot of {instrument.symbol}"
                raise ExecutionError(name, str(lot), f"{fix}: write {step}")

    def renew(self, listed: Mapping[str, MarketRules]) -> None:
        """Take over what the rules are by now; a market that is gone is halted for good."""
        for market, known in self.rules.items():
            self.rules[market] = listed.get(market, replace(known, halted="not listed any more"))

    def market(self, instrument: Instrument) -> str:
        """The market of ``instrument``.

        Raises:
            ExecutionError: if it is not listed here, or not as the fund states it.
        """
        market = self._markets.get(instrument.symbol)
        if market is None or self.instruments[market] != instrument:
            raise ExecutionError(f"instrument at {self.venue}", instrument.symbol, "list it here")
        return market

    def code(self, asset: Asset) -> str:
        """The exchange's code of ``asset``, in which instruments here are quoted.

        Raises:
            ExecutionError: if none is quoted in it, or they differ.
        """
        quoted = [m for m, instrument in self.instruments.items() if instrument.quote == asset]
        codes = sorted({self.rules[market].quote for market in quoted})
        if len(codes) != 1:
            fix = f"{self.venue} pays for instruments quoted in it with one asset"
            raise ExecutionError(f"code of {asset.symbol}", codes, fix)
        return codes[0]

    def assets(self, balances: Mapping[str, Decimal]) -> dict[str, int]:
        """Balances in base units by the fund's symbols; other assets are none of the fund's.

        A perpetual's position goes by its market. What is finer than the fund's units is left out,
        never added.
        """
        found: dict[str, int] = {}
        for market, instrument in self.instruments.items():
            rules = self.rules[market]
            base = market if instrument.margin is not None else rules.base
            for asset, code in ((instrument.base, base), (instrument.quote, rules.quote)):
                units = Fraction(balances.get(code, Decimal(0))) * 10**asset.scale
                found[asset.symbol] = units.numerator // units.denominator
        return found
