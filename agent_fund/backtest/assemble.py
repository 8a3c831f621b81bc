"""From a run file to a fund: every part built, checked against each other, nothing assumed."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from itertools import product
from pathlib import Path

from agent_fund.backtest.calibrated import midnight, resolved
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.missing import require_datasets
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.runfile.instruments import InstrumentSection
from agent_fund.backtest.runfile.load import load_runfile, workspace_of
from agent_fund.backtest.runfile.runfile import RunFile
from agent_fund.backtest.runfile.section import jsonable
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import to_units
from agent_fund.fund.flows import Flow
from agent_fund.fund.instruments import instrument_of
from agent_fund.fund.terms import Terms
from agent_fund.guard.guardrails.amount import units
from agent_fund.guard.language.demand import require_resolvable
from agent_fund.guard.stress.losses import Loss
from agent_fund.market.catalog import Catalog
from agent_fund.market.gaps import Gap, GapPolicy
from agent_fund.market.load import DataSets, load_table
from agent_fund.market.sources import arch_indices, parquet_files


def assemble(path: Path, *, live: bool = False) -> Parts:
    """All parts of the run that ``path`` states.

    Args:
        live: the bars of the run itself come from its venues; for the test window stands the last
            bar that was known before.

    Raises:
        RunFileError, MarketError, ConfigurationError: with file, place and fix.
    """
    runfile = load_runfile(path)
    try:
        parts = _parts(path, workspace_of(path), runfile, live)
        parts.cadence()
        parts.venues()
    except DomainError as error:
        raise RunFileError(f"{path}: {error}") from error
    return parts


def _parts(path: Path, workspace: Path, runfile: RunFile, live: bool) -> Parts:
    currency = Asset(runfile.fund.currency, runfile.fund.scale)
    first = runfile.venues[0].name
    instruments = tuple(
        _instrument(path, section, currency, first) for section in runfile.instruments
    )
    catalog = Catalog(workspace / runfile.market.catalog)
    _fill(catalog, runfile, workspace)
    require_datasets(path, runfile, catalog)
    datasets = {
        s.symbol: DataSets(
            s.dataset, instrument, s.mark, s.index, None if s.funding is None else s.funding.dataset
        )
        for s, instrument in zip(runfile.instruments, instruments, strict=True)
    }
    if not live:
        _require_window(path, runfile, catalog)
    market = runfile.market
    begin, end = midnight(market.start), midnight(market.end)
    # A gap before the test window only widens the worst move; it is never traded through.
    since = midnight(runfile.mandate.calibrate_start)
    before, _ = load_table(catalog, datasets, GapPolicy.SKIP, since, begin)
    if live:
        test, gaps = before.between(before.close_times[-1], None), tuple[Gap, ...]()
    else:
        test, gaps = load_table(catalog, datasets, GapPolicy(market.gaps), begin, end)
    terms = Terms(
        runfile.execution.order_bars,
        {s.symbol: runfile.latency_of(s) for s in runfile.instruments},
        {s.symbol: runfile.venue_of(s).participation.share for s in runfile.instruments},
        instruments[0].account,
        1 if runfile.transfers is None else runfile.transfers.bars,
    )
    file = workspace / runfile.mandate.file
    mandate, terms = resolved(path, file, runfile, catalog, datasets, terms)
    lines = {i.symbol: i for i in instruments}
    for loss, line in product(map(Loss.parse, mandate.stress.lost), instruments):
        try:
            loss.require_covered(line, lines)
        except DomainError as error:
            raise RunFileError(f"{file}: {error}") from error
    for guardrail in mandate.guardrails:
        if guardrail.kind in ("max_order_value", "turnover_throttle"):
            try:
                units(guardrail, 0, currency)
            except DomainError as error:
                raise RunFileError(f"{file}: {error}") from error
    for clause in mandate.clauses:
        try:
            require_resolvable(clause, lines, mandate.stress)
        except DomainError as error:
            raise RunFileError(f"{file}: guardrail {clause.name}: {error}") from error
    accounts = {instrument.account for instrument in instruments}
    for section in runfile.venues:
        if section.name not in accounts and (section.cash or len(runfile.venues) == 1):
            raise RunFileError(
                f"{path}: venues.{section.name}: no instrument pays from it (isolated margin "
                "accounts are filled by transfers): give the cash to another venue"
            )
    cash = to_units(runfile.fund.cash, currency.scale, "fund.cash")
    if cash <= 0:
        raise DomainError("fund.cash", str(runfile.fund.cash), "a fund starts with some")
    return Parts(
        path,
        workspace,
        runfile,
        currency,
        instruments,
        before,
        test,
        gaps,
        # Of a live run's own bars nothing is known beforehand.
        {
            s.symbol: Fraction(catalog.entry(s.dataset).stale_opens)
            for s in (() if live else runfile.instruments)
        },
        mandate,
        terms,
        tuple(
            Flow(midnight(f.date), to_units(f.amount, currency.scale, f"flow of {f.name}"), f.name)
            for f in runfile.flows
        ),
        cash,
    )


def _instrument(path: Path, section: InstrumentSection, currency: Asset, venue: str) -> Instrument:
    try:
        return instrument_of(jsonable(section.model_dump()), currency, venue)
    except DomainError as error:
        raise RunFileError(f"{path}: instruments.{section.symbol}: {error}") from error


def _require_window(path: Path, runfile: RunFile, catalog: Catalog) -> None:
    """Refuse windows of which a data set knows nothing, and say what it knows."""
    market, mandate = runfile.market, runfile.mandate
    for section in runfile.instruments:
        entry = catalog.entry(section.dataset)
        start_own = section.calibrate_start or mandate.calibrate_start
        for name, start, end in (
            ("market", market.start, market.end),
            ("mandate.calibrate", start_own, mandate.calibrate_end),
        ):
            if start >= end:
                raise RunFileError(
                    f"{path}: instruments.{section.symbol}: its calibration starts on {start}, and "
                    f"mandate.calibrate_end is {end}: start before it"
                )
            if entry.last_close < midnight(start) or entry.first_close >= midnight(end):
                first, last = (
                    dt.datetime.fromtimestamp(t / 1000, dt.UTC).date()
                    for t in (entry.first_close, entry.last_close)
                )
                raise RunFileError(
                    f"{path}: {name}: {section.dataset} has no bar from {start} to {end}; "
                    f"it covers {first} to {last}"
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
