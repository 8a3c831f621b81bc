"""What the catalog lacks of a run file's data sets, and the commands that bring it there."""

from __future__ import annotations

import datetime as dt
import difflib
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.runfile.runfile import RunFile
from agent_fund.market.catalog import Catalog
from agent_fund.market.names import FUNDING, DatasetName, parse_name

DEFAULT_STEP = "1h"


def require_datasets(path: Path, runfile: RunFile, catalog: Catalog) -> None:
    """Refuse what the catalog lacks, with the nearest name and the command that fetches it.

    Raises:
        RunFileError: naming every data set that is missing.
    """
    known = set(catalog.names())
    wanted = [
        name
        for s in runfile.instruments
        for name in (s.dataset, s.mark, s.index, None if s.funding is None else s.funding.dataset)
        if name is not None
    ]
    missing = list(dict.fromkeys(name for name in wanted if name not in known))
    if not missing:
        return
    # What the run file names besides is no misspelling of what is missing.
    spare = sorted(known - set(wanted))
    lacking = ", ".join(f"{name}{_near(name, spare)}" for name in missing)
    lines = [f"{path}: the catalog {catalog.folder} lacks {lacking}"]
    where = f"--catalog {shlex.quote(str(catalog.folder))}"
    lines += [f"fetch: {command} {where}" for command in _commands(runfile, missing)]
    lines.append(f"files of your own: agent-fund data import FILE --name NAME {where}")
    raise RunFileError("\n".join(lines))


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _commands(runfile: RunFile, missing: Iterable[str]) -> list[str]:
    """One command an exchange and length of a bar, for names that an exchange's series have."""
    currency = runfile.fund.currency
    named = [parts for parts in map(parse_name, missing) if parts is not None]
    steps = {parts.exchange: parts.step for parts in named if parts.step}
    found: dict[tuple[str, str], list[DatasetName]] = {}
    for parts in named:
        if parts.pair.removesuffix(currency) not in ("", parts.pair):
            # Funding has no step of its own, and comes along with bars.
            step = parts.step or steps.get(parts.exchange, DEFAULT_STEP)
            found.setdefault((parts.exchange, step), []).append(parts)
    return [
        _command(exchange, step, names, currency, _first_day(runfile), runfile.market.end)
        for (exchange, step), names in found.items()
    ]


def _command(
    exchange: str,
    step: str,
    names: Sequence[DatasetName],
    currency: str,
    since: dt.date,
    until: dt.date,
) -> str:
    symbols = dict.fromkeys(_symbol(name, currency) for name in names)
    series = {name.series for name in names}
    options = [f"--{kind}" for kind in ("mark", "index", FUNDING) if kind in series]
    options += [] if step == DEFAULT_STEP else [f"--timeframe {step}"]
    words = [exchange, *symbols, f"--since {since}", f"--until {until}", *options]
    return f"agent-fund data fetch {' '.join(words)}"


def _symbol(name: DatasetName, currency: str) -> str:
    """As ccxt writes it; a perpetual settles in the fund's currency."""
    market = f"{name.pair.removesuffix(currency)}/{currency}"
    return market if name.series == "spot" else f"{market}:{currency}"


def _first_day(runfile: RunFile) -> dt.date:
    """The first day that the run needs; an exchange begins later where it listed later."""
    own = [s.calibrate_start for s in runfile.instruments if s.calibrate_start is not None]
    return min([runfile.mandate.calibrate_start, *own])
