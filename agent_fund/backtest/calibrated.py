"""The mandate of a run, resolved: its stress set calibrated on what came before the test window.

Each instrument is calibrated on its own history, from the mandate's first day or its own, whichever
the run file says. What the venues can cost is compared with what the mandate allows for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.loading import load_object
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.runfile.instruments import InstrumentSection
from agent_fund.backtest.runfile.runfile import RunFile
from agent_fund.domain.errors import DomainError
from agent_fund.execution.costs import (
    HalfSpread,
    Participation,
    SquareRootImpact,
    maximum_slippage,
)
from agent_fund.fund.terms import Terms
from agent_fund.guard.guardrails.liquidity import way_out
from agent_fund.guard.mandate import Mandate
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.wayout import opens_needed
from agent_fund.market.catalog import Catalog
from agent_fund.market.load import DataSets, Series, load_series
from agent_fund.market.steps import step_ms


def load_mandate(path: Path) -> Mandate:
    """The ``mandate`` that the Python file at ``path`` sets.

    Raises:
        ConfigurationError: no such file, or it sets none.
    """
    found = load_object(path, "mandate", "mandate file")
    if not isinstance(found, Mandate):
        raise ConfigurationError(f"mandate file {path.name}", f"`mandate` is {found!r}")
    return found


def resolved(
    path: Path,
    file: Path,
    runfile: RunFile,
    catalog: Catalog,
    datasets: Mapping[str, DataSets],
    terms: Terms,
) -> tuple[ResolvedMandate, Terms]:
    """The mandate, and the terms with the share of volume that it leaves.

    Raises:
        RunFileError: naming what does not fit the mandate.
        MarketError: as ``load_series`` does.
    """
    try:
        mandate = load_mandate(file)
    except DomainError as error:
        raise RunFileError(f"{file}: {error}") from error
    liquidity = next((g for g in mandate.guardrails if g.kind == "liquidity"), None)
    bars = runfile.execution.exit_bars
    shares: dict[str, Fraction] = {}
    for symbol, share in terms.participation.items():
        shares[symbol], bars = way_out(liquidity, share, bars)
    _require_assets(file, runfile, mandate)
    _require_legging(path, file, terms, mandate)
    needed = opens_needed(max(terms.latency.values()), bars)
    declared = mandate.stress.horizon
    if declared is not None and declared < needed:
        raise RunFileError(
            f"{file}: horizon: {declared} opens do not cover the way out, which takes {needed}"
        )
    horizon = declared or needed
    past = histories(runfile, catalog, datasets, horizon)
    window = runfile.mandate
    text = f"{window.calibrate_start} to {window.calibrate_end}"
    names = [venue.name for venue in runfile.venues]
    chains = dict.fromkeys(v.chain for v in runfile.venues if v.chain is not None)
    issuers = dict.fromkeys(s.issuer for s in runfile.instruments if s.issuer is not None)
    try:
        stress = mandate.stress.resolve(past, horizon, text, names, tuple(chains), tuple(issuers))
    except DomainError as error:
        raise RunFileError(f"{file}: {error}") from error
    _require_costs(path, runfile, mandate)
    try:
        found = mandate.resolve(stress, bars)
    except DomainError as error:
        raise RunFileError(f"{file}: {error}") from error
    return found, replace(terms, participation=shares)


def histories(
    runfile: RunFile, catalog: Catalog, datasets: Mapping[str, DataSets], horizon: int
) -> dict[str, Past]:
    """Each instrument's own calibration window, by symbol.

    Raises:
        MarketError: as ``load_series`` does.
    """
    window, past = runfile.mandate, {}
    for section in runfile.instruments:
        start = section.calibrate_start or window.calibrate_start
        bounds = midnight(start), midnight(window.calibrate_end)
        series = load_series(catalog, datasets[section.symbol], *bounds)
        past[section.symbol] = _past(section, series, horizon)
    return past


def _past(section: InstrumentSection, series: Series, horizon: int) -> Past:
    times, opens = series.close_times, series.opens
    past = Past(times, opens, series.mark_opens, series.mark_closes)
    if section.funding is None:
        return past
    step = min(later - earlier for later, earlier in zip(times[1:], times, strict=False))
    every = step_ms(section.funding.every)
    return replace(past, funding=section.funding.cap, fundings=horizon * step // every + 1)


def _require_assets(file: Path, runfile: RunFile, mandate: Mandate) -> None:
    """A hedge of what the run does not trade would hold whatever happens."""
    coverage = next((g for g in mandate.guardrails if g.kind == "hedge_coverage"), None)
    known = sorted({s.underlying or s.symbol for s in runfile.instruments})
    for asset in () if coverage is None else coverage.terms["assets"].split():
        if asset not in known:
            raise RunFileError(
                f"{file}: hedge_coverage: no instrument of the run has the underlying {asset!r}; "
                f"underlyings are {', '.join(known)}"
            )


def _require_legging(path: Path, file: Path, terms: Terms, mandate: Mandate) -> None:
    """Where latencies differ, legs of a way out part, and the mandate must allow for it."""
    if mandate.costs.legging or len(set(terms.latency.values())) == 1:
        return
    apart = ", ".join(f"{symbol} {bars}" for symbol, bars in terms.latency.items())
    raise RunFileError(
        f"{path}: latency: in bars it is {apart}, so the legs of a way out do not close at one "
        f'time, and {file.name} allows nothing for that: write costs(legging="0.5%"), or what you '
        "think they may part by, or give all one latency"
    )


def _require_costs(path: Path, runfile: RunFile, mandate: Mandate) -> None:
    for section in runfile.venues:
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
                    f"{path}: venue {section.name}: its {name} can reach {float(worst):.4%}, and "
                    f"the mandate allows for {float(allowed):.4%}: raise costs({name}=...) or "
                    "lower the venue's"
                )


def midnight(day: dt.date) -> int:
    """The start of ``day`` in UTC, ms since the epoch."""
    moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1000
