"""From a run file to a fund: every part built, checked against each other, nothing assumed."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from agent_fund.agents.cassette import CassettePlayer
from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.loading import build, load_class, load_object
from agent_fund.agents.strategy import Strategy
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.runfile import InstrumentSection, RunFile, load_runfile, workspace_of
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.money import to_units
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
    maximum_slippage,
)
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.flows import Flow
from agent_fund.fund.terms import Terms
from agent_fund.guard.mandate import Mandate, ResolvedMandate
from agent_fund.guard.wayout import opens_needed
from agent_fund.market.bars import BarTable
from agent_fund.market.catalog import Catalog, load_table
from agent_fund.market.gaps import Gap, GapPolicy
from agent_fund.market.sources import arch_indices, parquet_files


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

    def venue(self) -> SimulatedVenue:
        """A fresh venue with the run file's models."""
        section = self.runfile.venue
        return SimulatedVenue(
            section.name,
            ProportionalFee(section.fee.rate),
            HalfSpread(section.spread.share),
            SquareRootImpact(section.impact.coefficient),
            Participation(section.participation.share),
            Latency(section.latency.bars),
        )

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
        strategy = build(cls, parameters)
        if not callable(getattr(strategy, "decide", None)):
            raise ConfigurationError(f"class {section.name}", "a strategy has a method decide")
        return strategy  # type: ignore[return-value]


def assemble(path: Path) -> Parts:
    """All parts of the run that ``path`` states.

    Raises:
        RunFileError, MarketError, ConfigurationError: with file, place and fix.
    """
    runfile = load_runfile(path)
    try:
        parts = _parts(path, workspace_of(path), runfile)
        parts.cadence()
        parts.venue()
    except DomainError as error:
        raise RunFileError(f"{path}: {error}") from error
    return parts


def _parts(path: Path, workspace: Path, runfile: RunFile) -> Parts:
    currency = Asset(runfile.fund.currency, runfile.fund.scale)
    venue = Venue(runfile.venue.name)
    instruments = tuple(_instrument(s, currency, venue) for s in runfile.instruments)
    catalog = Catalog(workspace / runfile.market.catalog)
    _fill(catalog, runfile, workspace)
    datasets = {
        s.symbol: (s.dataset, instrument)
        for s, instrument in zip(runfile.instruments, instruments, strict=True)
    }
    _require_window(path, runfile, catalog)
    policy = GapPolicy(runfile.market.gaps)
    first = runfile.mandate.calibrate_start
    # A gap in the calibration window only widens the worst move; it is never traded through.
    past, _ = load_table(catalog, datasets, GapPolicy.SKIP, _ms(first), _ms(runfile.market.start))
    test, gaps = load_table(
        catalog, datasets, policy, _ms(runfile.market.start), _ms(runfile.market.end)
    )
    latency = runfile.venue.latency.bars
    exit_bars = runfile.execution.exit_bars
    terms = Terms(
        runfile.execution.order_bars, exit_bars, latency, runfile.venue.participation.share
    )
    mandate = _mandate(workspace / runfile.mandate.file, path, runfile, past, terms)
    cash = to_units(runfile.fund.cash, currency.scale, "fund.cash")
    if cash <= 0:
        raise DomainError("fund.cash", str(runfile.fund.cash), "a fund starts with some")
    return Parts(
        path,
        workspace,
        runfile,
        currency,
        instruments,
        past,
        test,
        gaps,
        {s.symbol: Fraction(catalog.entry(s.dataset).stale_opens) for s in runfile.instruments},
        mandate,
        terms,
        tuple(
            Flow(_ms(f.date), to_units(f.amount, currency.scale, f"flow of {f.name}"), f.name)
            for f in runfile.flows
        ),
        cash,
    )


def _require_window(path: Path, runfile: RunFile, catalog: Catalog) -> None:
    """Refuse windows of which a data set knows nothing, and say what it knows."""
    market, mandate = runfile.market, runfile.mandate
    for section in runfile.instruments:
        entry = catalog.entry(section.dataset)
        for name, start, end in (
            ("market", market.start, market.end),
            ("mandate.calibrate", mandate.calibrate_start, mandate.calibrate_end),
        ):
            if entry.last_close < _ms(start) or entry.first_close >= _ms(end):
                first, last = (
                    dt.datetime.fromtimestamp(t / 1000, dt.UTC).date()
                    for t in (entry.first_close, entry.last_close)
                )
                raise RunFileError(
                    f"{path}: {name}: {section.dataset} has no bar from {start} to {end}; "
                    f"it covers {first} to {last}"
                )


def load_mandate(path: Path) -> Mandate:
    """The ``mandate`` that the Python file at ``path`` sets.

    Raises:
        ConfigurationError: no such file, or it sets none.
    """
    found = load_object(path, "mandate")
    if not isinstance(found, Mandate):
        raise ConfigurationError(f"mandate file {path.name}", f"`mandate` is {found!r}")
    return found


def _mandate(
    file: Path, path: Path, runfile: RunFile, past: BarTable, terms: Terms
) -> ResolvedMandate:
    try:
        mandate = load_mandate(file)
    except DomainError as error:
        raise RunFileError(f"{file}: {error}") from error
    window = past.between(_ms(runfile.mandate.calibrate_start), _ms(runfile.mandate.calibrate_end))
    needed = opens_needed(terms.latency, terms.exit_bars)
    declared = mandate.stress.horizon
    if declared is not None and declared < needed:
        raise RunFileError(
            f"{file}: horizon: {declared} opens do not cover the way out, which takes {needed}"
        )
    first, last = runfile.mandate.calibrate_start, runfile.mandate.calibrate_end
    stress = mandate.stress.resolve(
        window.opens, window.closes, declared or needed, f"{first} to {last}"
    )
    section = runfile.venue
    slippage = maximum_slippage(
        HalfSpread(section.spread.share),
        SquareRootImpact(section.impact.coefficient),
        Participation(section.participation.share),
    )
    for name, worst, allowed in (
        ("slippage", slippage, mandate.costs.slippage),
        ("fee", section.fee.rate, mandate.costs.fee),
    ):
        if worst > allowed:
            raise RunFileError(
                f"{path}: venue: its {name} can reach {float(worst):.4%}, and the mandate "
                f"allows for {float(allowed):.4%}: raise costs({name}=...) or lower the venue's"
            )
    return mandate.resolve(stress, terms.exit_bars)


def _instrument(section: InstrumentSection, currency: Asset, venue: Venue) -> Instrument:
    symbol = section.symbol
    return Instrument(
        symbol,
        Asset(symbol, section.asset_scale),
        currency,
        venue,
        section.price_scale,
        to_units(section.lot, section.asset_scale, f"lot of {symbol}"),
        to_units(section.tick, section.price_scale, f"tick of {symbol}"),
    )


def _fill(catalog: Catalog, runfile: RunFile, workspace: Path) -> None:
    """Import what the catalog lacks and the run file says how to get."""
    known = set(catalog.names())
    for section in runfile.instruments:
        if section.dataset in known or section.source == "catalog":
            continue
        if section.source == "arch":
            known |= {"sp500", "nasdaq"}
            arch_indices.import_into(catalog)
        elif section.path is None or section.step is None:
            raise RunFileError(f"instruments.{section.symbol}: source parquet needs path and step")
        else:
            known.add(section.dataset)
            parquet_files.import_into(
                catalog,
                section.dataset,
                workspace / section.path,
                price_scale=section.price_scale,
                volume_scale=section.asset_scale,
                step=section.step,
                licence=section.licence,
                rounding=section.rounding,
            )


def _ms(day: dt.date) -> int:
    moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1000
