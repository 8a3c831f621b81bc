"""A whole run file: its tables together, and what each asks of the others."""

from __future__ import annotations

from typing import Any, TypeGuard

from pydantic import Field, model_validator

from agent_fund.backtest.runfile.fund import FlowSection, FundSection, MandateSection
from agent_fund.backtest.runfile.instruments import InstrumentSection
from agent_fund.backtest.runfile.market import MarketSection
from agent_fund.backtest.runfile.nearest import nearest
from agent_fund.backtest.runfile.paper import PaperSection
from agent_fund.backtest.runfile.report import CompareSection, WindowSection
from agent_fund.backtest.runfile.section import Section
from agent_fund.backtest.runfile.strategy import StrategySection
from agent_fund.backtest.runfile.venues import ExecutionSection, TransferSection, VenueSection


class RunFile(Section):
    """A whole run file, with the file's own place."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    fund: FundSection
    market: MarketSection
    instruments: tuple[InstrumentSection, ...] = Field(min_length=1)
    strategy: StrategySection
    mandate: MandateSection
    venues: tuple[VenueSection, ...] = Field(min_length=1)
    execution: ExecutionSection
    compare: CompareSection
    transfers: TransferSection | None = None
    paper: PaperSection | None = None
    flows: tuple[FlowSection, ...] = ()
    windows: tuple[WindowSection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _on_chains(cls, value: Any) -> Any:
        """Each instrument that does not state it stands on the chain that its venue states."""
        if not isinstance(value, dict):
            return value
        venues, instruments = value.get("venues"), value.get("instruments")
        if not (_tables(venues) and _tables(instruments)):
            return value
        only = venues[0].get("name") if len(venues) == 1 else None
        chains = {str(v.get("name")): v.get("chain") for v in venues}
        filled = [
            {"chain": chains[str(i.get("venue", only))], **i}
            if chains.get(str(i.get("venue", only)))
            else i
            for i in instruments
        ]
        return {**value, "instruments": filled}

    @model_validator(mode="after")
    def _consistent(self) -> RunFile:
        names = [venue.name for venue in self.venues]
        if len(set(names)) != len(names):
            raise ValueError(f"venues: {', '.join(names)}: give each name once")
        if len(names) > 1:
            if self.transfers is None:
                raise ValueError("transfers: several venues need it: bars that money is under way")
            if any(venue.cash is None for venue in self.venues):
                raise ValueError("venues: state the cash that stands at each at the start")
        parts = [venue.cash for venue in self.venues if venue.cash is not None]
        if parts and min(parts) < 0:
            raise ValueError("venues: the cash at a venue is not negative")
        if parts and sum(parts) != self.fund.cash:
            raise ValueError(
                f"venues: their cash makes {sum(parts)}, fund.cash is {self.fund.cash}"
            )
        symbols = [section.symbol for section in self.instruments]
        if len(set(symbols)) != len(symbols):
            raise ValueError(f"instruments: {', '.join(symbols)}: give each symbol once")
        for section in self.instruments:
            if section.venue is None and len(names) > 1:
                raise ValueError(
                    f"instruments.{section.symbol}: say which venue: {', '.join(names)}"
                )
            if section.venue is not None and section.venue not in names:
                raise ValueError(
                    f"instruments.{section.symbol}: venue {section.venue!r}"
                    f"{nearest(section.venue, names)}"
                )
            if section.chain != self.venue_of(section).chain:
                raise ValueError(
                    f"instruments.{section.symbol}: chain {section.chain!r}: its venue states "
                    f"{self.venue_of(section).chain!r}: leave it to the venue"
                )
            if section.issuer is not None and section.kind != "spot":
                raise ValueError(
                    f"instruments.{section.symbol}: issuer {section.issuer!r}: state it of spot; "
                    "a contract is owed by its venue"
                )
            stated = (section.mark, section.funding, section.margin)
            if any((part is None) == (section.kind == "perpetual") for part in stated):
                raise ValueError(
                    f"instruments.{section.symbol}: a perpetual needs mark, funding and margin, "
                    "spot has none of them"
                )
        return self

    def venue_of(self, section: InstrumentSection) -> VenueSection:
        """The venue at which an instrument trades."""
        name = section.venue or self.venues[0].name
        return next(venue for venue in self.venues if venue.name == name)

    def latency_of(self, section: InstrumentSection) -> int:
        """Bars before an order in an instrument can fill, beyond the next open."""
        return (section.latency or self.venue_of(section).latency).bars


def _tables(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether ``value`` is an array of tables, as far as one can tell before it is checked."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
