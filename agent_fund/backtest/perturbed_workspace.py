"""A copy of a workspace in which the time after one bar is another: what a reader of files sees.

The copy holds what the run file names, and no more: the folders of the run file, the strategy, the
mandate and the cassette, and the run's own data sets, bars up to the end of the test window. A
strategy that reads anything else of its workspace does not find it there.
"""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Set
from pathlib import Path
from random import Random

from agent_fund.backtest.calibrated import midnight
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.parts import Parts
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.funding import FundingColumns
from agent_fund.market.perturb import (
    perturbed_bar,
    perturbed_bars,
    perturbed_rate,
    perturbed_volume,
)

RUNS = "runs"
_DRAWS = 64


def copy_perturbed(parts: Parts, after: int, folder: Path) -> Path:
    """Make the copy in ``folder``, and return its run file.

    Every value known at the close of bar number ``after`` of the test window is as it was, every
    later one is another; -1 keeps nothing of the test window. Times stay. The first bar after it
    goes the other way than the true one, for who looks one bar ahead often looks only at that.
    Deterministic.

    Raises:
        RunFileError: the catalog or a file that the run names lies outside the workspace.
        MarketError: as ``Catalog.read_bars`` does.
    """
    runfile, workspace = parts.runfile, parts.workspace
    model = runfile.strategy.model
    path = parts.path.resolve().relative_to(workspace)
    named = [path] + [
        _inside(parts, name)
        for name in (
            runfile.strategy.file,
            runfile.mandate.file,
            *(() if model is None else (model.cassette,)),
        )
    ]
    catalog = _inside(parts, runfile.market.catalog)
    sources = [section.path for section in runfile.instruments if section.path is not None]
    left_out = {(workspace / name).resolve() for name in (str(catalog), RUNS, *sources)}
    for file in named:
        _copy(workspace, folder, file, left_out)
    _perturb(parts, after, Catalog(workspace / catalog), Catalog(folder / catalog))
    return folder / path


def _inside(parts: Parts, name: str) -> Path:
    place = (parts.workspace / name).absolute()
    if ".." in place.parts or not place.is_relative_to(parts.workspace):
        raise RunFileError(
            f"{parts.path}: {name!r} lies outside the workspace, of which the look-ahead check "
            "makes a copy: write a path inside it"
        )
    return place.relative_to(parts.workspace)


def _copy(workspace: Path, folder: Path, file: Path, left_out: Set[Path]) -> None:
    """``file`` with all that lies beside it; alone if it lies in the workspace itself."""

    def ignored(where: str, names: list[str]) -> list[str]:
        return [n for n in names if n == "__pycache__" or (Path(where) / n).resolve() in left_out]

    if len(file.parts) > 1:
        shutil.copytree(
            workspace / file.parent, folder / file.parent, ignore=ignored, dirs_exist_ok=True
        )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workspace / file, folder / file)


def _perturb(parts: Parts, after: int, catalog: Catalog, copy: Catalog) -> None:
    begin, end = (midnight(d) for d in (parts.runfile.market.start, parts.runfile.market.end))
    known = opened = begin - 1
    if after >= 0:
        known, opened = parts.test.close_times[after], parts.test.open_times[after]
    for section in parts.runfile.instruments:
        for name in filter(None, (section.dataset, section.mark, section.index)):
            entry, bars = catalog.entry(name), catalog.read_bars(name).between(None, end)
            copy.write(
                name,
                _later_bars(bars, known, f"{name} {after}"),
                step=entry.step,
                max_step_ms=entry.max_step_ms,
                source=entry.source,
                licence=entry.licence,
            )
        if section.funding is not None:
            name = section.funding.dataset
            there = catalog.funding_entry(name)
            # Whole, since what is a gap between payments depends on all of them.
            rates = _later_rates(catalog.read_funding(name), opened, f"{name} {after}")
            copy.write_funding(name, rates, source=there.source, licence=there.licence)


def _later_bars(bars: BarColumns, known: int, seed: str) -> BarColumns:
    """Other bars from the first one that closes after ``known``."""
    first = bisect_right(bars.close_times, known)
    if first == len(bars):
        return bars
    draw = _turning(bars, first, seed)
    prices = perturbed_bars(draw, 1, first, bars.opens, bars.highs, bars.lows, bars.closes)
    volumes = [perturbed_volume(draw, volume) for volume in bars.volumes[first:]]
    changed = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    changed["volume"] = bars.volumes[:first] + volumes
    return bars.with_columns(bars.by_name() | changed)


def _turning(bars: BarColumns, first: int, seed: str) -> Random:
    """Draws with which bar ``first`` falls where it rose, and rises where it did not.

    The last draws tried, where none does: a price of one unit cannot fall.
    """
    row = (bars.opens[first], bars.highs[first], bars.lows[first], bars.closes[first])
    before = bars.closes[max(first - 1, 0)]
    for attempt in range(_DRAWS):
        name = f"{seed} {attempt}"
        close = perturbed_bar(Random(name), 1, *row)[3]
        if (close > before) is not (row[3] > before):
            break
    return Random(name)


def _later_rates(funding: FundingColumns, opened: int, seed: str) -> FundingColumns:
    """Other rates from the first one paid later than at the open of the last bar that stays."""
    first, draw = bisect_right(funding.times, opened), Random(seed)
    later = [perturbed_rate(draw, rate) for rate in funding.rates[first:]]
    return FundingColumns(funding.source, funding.times, funding.rates[:first] + later)
