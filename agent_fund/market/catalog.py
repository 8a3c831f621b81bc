"""A folder of Parquet files that are what their manifest says, to the byte, or are not read.

``catalog.json`` names each data set's file and SHA-256. A file is read whole, its hash compared,
and only then are the same bytes parsed. Files are never changed in place: a new version has a new
name, and replacing the manifest is what makes it the one that is read. One writer at a time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from agent_fund.audit.atomic import replace_file
from agent_fund.domain.instrument import Instrument
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.gaps import find_gaps
from agent_fund.market.manifest import (
    MANIFEST,
    Entry,
    FundingEntry,
    GapEntry,
    Manifest,
    parse_manifest,
)
from agent_fund.market.parquet import (
    bars_from_parquet,
    bars_to_parquet,
    funding_from_parquet,
    funding_to_parquet,
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Catalog:
    """The data sets of one folder; the folder is made by the first ``write``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """The data sets' names, of bars and of funding rates, sorted."""
        return tuple(self.entries())

    def entries(self) -> Mapping[str, Entry | FundingEntry]:
        """What the manifest says of every data set, by name, sorted.

        Raises:
            MarketError: if the manifest is not one.
        """
        return self._manifest().entries()

    def entry(self, name: str) -> Entry:
        """What the manifest says of the bars ``name``.

        Raises:
            MarketError: if the manifest does not know it, or as funding rates.
        """
        entry = self._entry(name)
        if not isinstance(entry, Entry):
            fix = "it holds funding rates, and bars are wanted: name a data set of bars"
            raise MarketError(str(self.folder / MANIFEST), name, fix)
        return entry

    def funding_entry(self, name: str) -> FundingEntry:
        """What the manifest says of the funding rates ``name``.

        Raises:
            MarketError: if the manifest does not know it, or as bars.
        """
        entry = self._entry(name)
        if not isinstance(entry, FundingEntry):
            fix = "it holds bars, and funding rates are wanted: name a data set of funding"
            raise MarketError(str(self.folder / MANIFEST), name, fix)
        return entry

    def write(
        self,
        name: str,
        columns: BarColumns,
        *,
        step: str,
        max_step_ms: int,
        source: str,
        licence: str,
        notes: str = "",
        asked_from: int | None = None,
    ) -> Entry:
        """Store ``columns`` as data set ``name``, in place of older bars of that name.

        Raises:
            MarketError: for no bars; a name that is not letters, digits, ``-`` and ``_``, or that
                funding rates have.
        """
        self._require_name(name, "bars")
        if not len(columns):
            raise MarketError(columns.source, "no bars", "a data set needs at least one")
        content = bars_to_parquet(columns)
        sha256 = hashlib.sha256(content).hexdigest()
        entry = Entry(
            file=f"{name}.{sha256[:16]}.parquet",
            sha256=sha256,
            bars=len(columns),
            first_close=columns.close_times[0],
            last_close=columns.close_times[-1],
            step=step,
            max_step_ms=max_step_ms,
            gaps=tuple(
                GapEntry(after=gap.after, before=gap.before)
                for gap in find_gaps({name: columns}, max_step_ms)
            ),
            price_scale=columns.price_scale,
            volume_scale=columns.volume_scale,
            source=source,
            licence=licence,
            notes=notes,
            stale_opens=stale_opens(columns),
            asked_from=asked_from,
        )
        self._store(name, entry, content)
        return entry

    def write_funding(
        self,
        name: str,
        columns: FundingColumns,
        *,
        source: str,
        licence: str,
        notes: str = "",
        asked_from: int | None = None,
    ) -> FundingEntry:
        """Store ``columns`` as data set ``name``, in place of older funding rates of that name.

        Raises:
            MarketError: for no payments; a name as ``write`` refuses it, or that bars have.
        """
        self._require_name(name, "funding")
        if not len(columns):
            raise MarketError(columns.source, "no payments", "a data set needs at least one")
        content = funding_to_parquet(columns)
        sha256 = hashlib.sha256(content).hexdigest()
        entry = FundingEntry(
            file=f"{name}.{sha256[:16]}.parquet",
            sha256=sha256,
            payments=len(columns),
            first_time=columns.times[0],
            last_time=columns.times[-1],
            max_step_ms=columns.usual_step_ms(),
            gaps=tuple(GapEntry(after=after, before=before) for after, before in columns.gaps()),
            source=source,
            licence=licence,
            notes=notes,
            asked_from=asked_from,
        )
        self._store(name, entry, content)
        return entry

    def read(self, name: str, instrument: Instrument) -> BarColumns:
        """The bars of data set ``name``, in the units of ``instrument``.

        Raises:
            MarketError: as ``read_bars`` does; if a value has more decimals than the instrument.
        """
        return self.read_bars(name).rescaled(instrument.price_scale, instrument.base.scale)

    def read_bars(self, name: str) -> BarColumns:
        """The bars of data set ``name``, in the units that it is stored in.

        Raises:
            MarketError: if the manifest does not know such bars; if the file is missing or differs
                from the manifest.
        """
        entry = self.entry(name)
        content = self._content(name, entry)
        place = str(self.folder / entry.file)
        return bars_from_parquet(content, place, entry.price_scale, entry.volume_scale)

    def read_funding(self, name: str) -> FundingColumns:
        """The funding rates of data set ``name``; raises as ``read_bars`` does."""
        entry = self.funding_entry(name)
        return funding_from_parquet(self._content(name, entry), str(self.folder / entry.file))

    def _entry(self, name: str) -> Entry | FundingEntry:
        entries = self.entries()
        if name not in entries:
            known = ", ".join(entries) or "no data set"
            raise MarketError(str(self.folder / MANIFEST), name, f"the catalog has: {known}")
        return entries[name]

    def _require_name(self, name: str, kind: str) -> None:
        if not NAME.fullmatch(name):
            raise MarketError("name of a data set", name, "write letters, digits, - and _ only")
        there = self.entries().get(name)
        if there is not None and there.kind != kind:
            fix = f"the catalog has {there.kind} of this name: choose another for {kind}"
            raise MarketError("name of a data set", name, fix)

    def _store(self, name: str, entry: Entry | FundingEntry, content: bytes) -> None:
        manifest = self._manifest()
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / entry.file, content)
        text = manifest.with_entry(name, entry).model_dump_json(indent=1)
        replace_file(self.folder / MANIFEST, f"{text}\n".encode())
        old = manifest.entries().get(name)
        if old is not None and old.file != entry.file:
            (self.folder / old.file).unlink(missing_ok=True)

    def _content(self, name: str, entry: Entry | FundingEntry) -> bytes:
        """The bytes of the data set's file, which are what the manifest says."""
        path = self.folder / entry.file
        if not path.is_file():
            raise MarketError(str(path), "missing file", f"import {name} again")
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != entry.sha256:
            fix = f"the manifest says {entry.sha256}: import {name} again"
            raise MarketError(f"{path}, sha256", sha256, fix)
        return content

    def _manifest(self) -> Manifest:
        path = self.folder / MANIFEST
        return parse_manifest(path.read_bytes(), str(path)) if path.is_file() else Manifest()


def stale_opens(columns: BarColumns) -> str:
    """The share of all bars whose open equals the close before, "numerator/denominator"."""
    pairs = zip(columns.opens[1:], columns.closes, strict=False)
    return f"{sum(open_ == close for open_, close in pairs)}/{len(columns)}"
