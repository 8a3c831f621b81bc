"""The parts of a run: all that does not change while it runs, and what is made from it afresh."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from agent_fund.agents.cassette import CassettePlayer
from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.loading import build, load_class, require_strategy
from agent_fund.agents.strategy import Strategy
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.runfile.runfile import RunFile
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import to_units
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
)
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.flows import Flow
from agent_fund.fund.terms import Terms
from agent_fund.guard.guardrails.fixed_floor import floor_of
from agent_fund.guard.machine import Floor
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.market.bars import BarTable
from agent_fund.market.gaps import Gap


@dataclass(frozen=True)
class Parts:
    """Everything of a run that does not change while it runs.

    Attributes:
        calibration, test: bars of the two windows; ``before``: bars known when the test begins.
        stale_opens: by symbol, the share of bars whose open equals the close before.
    """

    path: Path
    workspace: Path
    runfile: RunFile
    currency: Asset
    instruments: tuple[Instrument, ...]
    before: BarTable
    test: BarTable
    gaps: tuple[Gap, ...]
    stale_opens: Mapping[str, Fraction]
    mandate: ResolvedMandate
    terms: Terms
    flows: tuple[Flow, ...]
    cash: int

    def venues(self) -> dict[str, SimulatedVenue]:
        """Fresh venues with the run file's models, by name."""
        latencies = {symbol: Latency(bars) for symbol, bars in self.terms.latency.items()}
        return {
            section.name: SimulatedVenue(
                section.name,
                ProportionalFee(section.fee.rate),
                HalfSpread(section.spread.share),
                SquareRootImpact(section.impact.coefficient),
                Participation(section.participation.share),
                Latency(section.latency.bars),
                latencies,
            )
            for section in self.runfile.venues
        }

    def capital(self) -> dict[str, int]:
        """The fund's cash at the start, by venue; what stands at none is left out."""
        venues = self.runfile.venues
        if len(venues) == 1:
            return {venues[0].name: self.cash}
        parts = {v.name: to_units(v.cash or 0, self.currency.scale, v.name) for v in venues}
        return {name: cash for name, cash in parts.items() if cash}

    def book(self) -> Book:
        """What the fund has before its first bar: cash, where it stands."""
        places = dict.fromkeys((i.account for i in self.instruments), 0) | self.capital()
        instruments = {i.symbol: i for i in self.instruments}
        return Book(self.currency, self.cash, instruments, places=places)

    def floor(self) -> Floor:
        """The mandate's fixed floor at the start, if it has one."""
        return floor_of(self.mandate.guardrail("fixed_floor"), self.cash, self.currency)

    def cadence(self) -> Cadence:
        """A fresh cadence."""
        return Cadence(self.runfile.strategy.every)

    def cassette(self) -> CassettePlayer | None:
        """The cassette at its beginning; None for a strategy without a model."""
        section = self.runfile.strategy.model
        return None if section is None else CassettePlayer(self.workspace / section.cassette)

    def strategy(self, model: ChatModel | None) -> Strategy:
        """A fresh strategy; ``model`` answers it, if it asks one."""
        section = self.runfile.strategy
        cls = load_class(self.workspace / section.file, section.name)
        parameters: dict[str, object] = dict(section.parameters)
        if model is not None and section.model is not None:
            parameters |= {"model": model, "model_name": section.model.name}
        elif "model" in inspect.signature(cls).parameters:
            raise RunFileError(
                f"{self.path}: strategy.model: {section.name} asks a language model; "
                "name it and its cassette"
            )
        try:
            strategy = build(cls, parameters)
            require_strategy(strategy)
        except (ConfigurationError, DomainError) as error:
            error.add_note(f"see strategy.parameters in {self.path}")
            raise
        return strategy  # type: ignore[return-value]
