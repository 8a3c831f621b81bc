"""``agent-fund data import`` and ``list``: files into a catalog, and what a catalog holds."""

from __future__ import annotations

import difflib
from pathlib import Path

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.terminal import console, grid, one_line, shown_path, write_json
from agent_fund.domain.errors import DomainError
from agent_fund.market.catalog import Catalog
from agent_fund.market.gaps import iso
from agent_fund.market.manifest import MANIFEST, Entry, FundingEntry
from agent_fund.market.sources import files
from agent_fund.market.sources.raw_bars import store_bars, store_funding
from agent_fund.market.steps import step_text

WIDE = 110
SPARED = ("kind", "scale", "source")


def import_file(
    path: Path,
    name: str,
    kind: str,
    step: str | None,
    scales: tuple[int | None, int | None],
    folder: Path,
    licence: str | None,
    *,
    rounding: bool,
    as_json: bool,
) -> int:
    """Write ``path`` into the catalog at ``folder``, and show what the catalog says of it."""
    require_file(path)
    catalog, terms = Catalog(folder), licence or "not stated"
    entry: Entry | FundingEntry
    if kind == "funding":
        payments = files.read_funding(path, rounding=rounding)
        stated = {"file": path.name, "licence": terms}
        entry = store_funding(catalog, name, payments, rounding=rounding, **stated)
    elif step is None:
        raise DomainError("--step", None, 'say how long a bar is: --step 1h, or "15m", "1d"')
    else:
        price_scale, volume_scale = scales
        bars = files.read(
            path, step=step, price_scale=price_scale, volume_scale=volume_scale, rounding=rounding
        )
        entry = store_bars(
            catalog, name, bars, file=path.name, step=step, licence=terms, rounding=rounding
        )
    if as_json:
        value = {"name": name, "entry": entry.model_dump(mode="json")}
        write_json({**value, "exit": int(ExitCode.OK)})
    else:
        _show({name: entry})
    return ExitCode.OK


def list_data(folder: Path, *, as_json: bool) -> int:
    """Show every data set of the catalog at ``folder``."""
    if not (folder / MANIFEST).is_file():
        fix = f"it holds no {MANIFEST}: name a catalog, or make one with agent-fund data fetch"
        raise DomainError("--catalog", str(folder), fix)
    entries = dict(Catalog(folder).entries())
    if as_json:
        told = {name: entry.model_dump(mode="json") for name, entry in entries.items()}
        write_json({"catalog": str(folder.resolve()), "datasets": told, "exit": int(ExitCode.OK)})
    elif entries:
        _show(entries)
    else:
        console().print(f"{shown_path(folder)} is empty.")
    return ExitCode.OK


def require_file(path: Path) -> None:
    """Raise DomainError, naming the nearest file, if ``path`` is none."""
    if path.is_file():
        return
    there = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, n=1)
    fix = f"there is no such file; did you mean {near[0]!r}?" if near else "there is no such file"
    raise DomainError("file", str(path), fix)


def _show(entries: dict[str, Entry | FundingEntry]) -> None:
    """A table; on a narrow screen without what names say already, or only ``--json`` needs."""
    screen = console()
    heads = ["data set", "kind", ">step", "first", "last", ">rows", ">gaps", "scale", "source"]
    kept = [head for head in heads if screen.width >= WIDE or head not in SPARED]
    table = grid(*kept)
    for column in table.columns:
        column.no_wrap = column.header != "source"
    for name, entry in entries.items():
        if isinstance(entry, Entry):
            step, rows = entry.step, entry.bars
            ends = (entry.first_close, entry.last_close)
            scale = f"{entry.price_scale}, {entry.volume_scale}"
        else:
            step, rows = step_text(entry.max_step_ms), entry.payments
            ends, scale = (entry.first_time, entry.last_time), ""
        first, last = (iso(time)[:10] for time in ends)
        cells = [name, entry.kind, step, first, last, f"{rows:,}", f"{len(entry.gaps):,}", scale]
        cells.append(one_line(entry.source))
        shown = dict(zip(heads, cells, strict=True))
        table.add_row(*(shown[head] for head in kept))
    screen.print(table)
