"""A folder of Parquet files that are what their manifest says, to the byte, or are not read.

``catalog.json`` names each data set's file and SHA-256. A file is read whole, its hash compared,
and only then are the same bytes parsed. Files are never changed in place: a new version has a new
name, and replacing the manifest is what makes it the one that is read. One writer at a time.

Parquet columns: open_time, close_time timestamp[ms, UTC]; open, high, low, close, volume
decimal128(38, scale).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_fund.audit.atomic import replace_file
from agent_fund.domain.instrument import Instrument
from agent_fund.market.bars import BarTable
from agent_fund.market.columns import PRICES, TIMES, BarColumns, from_names
from agent_fund.market.errors import MarketError
from agent_fund.market.gaps import Gap, GapPolicy, align, find_gaps

MANIFEST = "catalog.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
TIMESTAMP = pa.timestamp("ms", tz="UTC")
DIGITS = 38

Count = Annotated[int, Field(strict=True, ge=0)]


class GapEntry(BaseModel):
    """A ``Gap`` in the data set itself, without the instruments' names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Count
    before: Count


class Entry(BaseModel):
    """What the manifest says of one data set.

    Attributes:
        file: name of the Parquet file in the catalog's folder.
        first_close, last_close: close_time of the first and last bar, ms since the epoch, UTC.
        step: the length of a bar as people say it, e.g. "1h" or "sessions".
        max_step_ms: the longest time from one close to the next that is no gap.
        price_scale, volume_scale: decimals of the columns.
        source, licence, notes: where the data comes from, under which terms, what was done to it.
        stale_opens: share of all bars whose open equals the close before, unreduced; where it is
            high, opens are no prices at which one could have traded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bars: Count
    first_close: Count
    last_close: Count
    step: str
    max_step_ms: Annotated[int, Field(strict=True, gt=0)]
    gaps: tuple[GapEntry, ...]
    price_scale: Count
    volume_scale: Count
    source: str
    licence: str
    notes: str
    stale_opens: Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]


class Manifest(BaseModel):
    """The content of ``catalog.json``: data sets by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: dict[str, Entry] = Field(default_factory=dict)


class Catalog:
    """The data sets of one folder; the folder is made by the first ``write``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """The data sets' names, sorted."""
        return tuple(sorted(self._manifest().datasets))

    def entry(self, name: str) -> Entry:
        """What the manifest says of ``name``.

        Raises:
            MarketError: if the manifest does not know it, or is not a manifest.
        """
        datasets = self._manifest().datasets
        if name not in datasets:
            known = ", ".join(sorted(datasets)) or "no data set"
            raise MarketError(str(self.folder / MANIFEST), name, f"the catalog has: {known}")
        return datasets[name]

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
    ) -> Entry:
        """Store ``columns`` as data set ``name``, in place of an older one of that name.

        Raises:
            MarketError: for no bars, or a name that is not letters, digits, ``-`` and ``_``.
        """
        if not NAME.fullmatch(name):
            raise MarketError("name of a data set", name, "write letters, digits, - and _ only")
        if not len(columns):
            raise MarketError(columns.source, "no bars", "a data set needs at least one")
        content = _to_parquet(columns)
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
        )
        datasets = self._manifest().datasets
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / entry.file, content)
        manifest = Manifest(datasets=dict(sorted((datasets | {name: entry}).items())))
        replace_file(self.folder / MANIFEST, f"{manifest.model_dump_json(indent=1)}\n".encode())
        old = datasets.get(name)
        if old is not None and old.file != entry.file:
            (self.folder / old.file).unlink(missing_ok=True)
        return entry

    def read(self, name: str, instrument: Instrument) -> BarColumns:
        """The bars of data set ``name``, in the units of ``instrument``.

        Raises:
            MarketError: if the file is missing or differs from the manifest; if a value has more
                decimals than the instrument.
        """
        entry = self.entry(name)
        path = self.folder / entry.file
        if not path.is_file():
            raise MarketError(str(path), "missing file", f"import {name} again")
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != entry.sha256:
            fix = f"the manifest says {entry.sha256}: import {name} again"
            raise MarketError(f"{path}, sha256", sha256, fix)
        bars = _from_parquet(content, str(path), entry)
        return bars.rescaled(instrument.price_scale, instrument.base.scale)

    def _manifest(self) -> Manifest:
        path = self.folder / MANIFEST
        if not path.is_file():
            return Manifest()
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"])) or "document"
            fix = f"{problem['msg']}: import the data again"
            raise MarketError(f"{path}, {place}", problem["input"], fix) from error


def load_table(
    catalog: Catalog,
    datasets: Mapping[str, tuple[str, Instrument]],
    policy: GapPolicy,
    start_ms: int | None = None,
    end_ms: int | None = None,
) -> tuple[BarTable, tuple[Gap, ...]]:
    """The synchronous bars of several data sets with start_ms <= close_time < end_ms.

    Gaps outside that period do not matter. The shortest of the data sets' ``max_step_ms`` holds.

    Args:
        catalog: where the data sets are.
        datasets: by symbol: name of the data set, and the instrument.
        policy: whether a gap is an error.
        start_ms, end_ms: the period, ms since the epoch, UTC; None leaves an end open.

    Returns:
        The table, instruments in the order of ``datasets``, and the gaps in order of time.

    Raises:
        MarketError: as ``Catalog.read``, ``align`` and ``BarTable.from_columns`` do.
    """
    columns = {
        symbol: catalog.read(name, instrument).between(start_ms, end_ms)
        for symbol, (name, instrument) in datasets.items()
    }
    max_step_ms = min((catalog.entry(name).max_step_ms for name, _ in datasets.values()), default=1)
    aligned, gaps = align(columns, policy, max_step_ms)
    instruments = tuple(instrument for _, instrument in datasets.values())
    return BarTable.from_columns(instruments, aligned), gaps


def stale_opens(columns: BarColumns) -> str:
    """The share of all bars whose open equals the close before, "numerator/denominator"."""
    pairs = zip(columns.opens[1:], columns.closes, strict=False)
    return f"{sum(open_ == close for open_, close in pairs)}/{len(columns)}"


def whole_column(table: pa.Table, name: str, place: str) -> pa.Array:
    """Column ``name`` as one array.

    Raises:
        MarketError: naming the row of the first null.
    """
    array = table[name].combine_chunks()
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise MarketError(f"{place}, row {row}, column {name}", None, "every bar needs a value")
    return array


def decimal_units(array: pa.Array) -> tuple[int, list[int]]:
    """Scale and integers of a decimal column without nulls, exactly as Arrow stores them."""
    scale = array.type.scale
    if not len(array):
        return scale, []
    # Arrow's layout of decimal128: 16 bytes, little endian, two's complement.
    exact = array.cast(pa.decimal128(DIGITS, scale))
    halves = np.frombuffer(exact.buffers()[1], dtype="<i8").reshape(-1, 2)
    halves = halves[exact.offset : exact.offset + len(exact)]
    low, high = halves[:, 0].astype("<u8").tolist(), halves[:, 1].tolist()
    return scale, [(above << 64) | below for above, below in zip(high, low, strict=True)]


def _decimal_array(units: list[int], kind: pa.DataType) -> pa.Array:
    content = b"".join([value.to_bytes(16, "little") for value in units])
    return pa.Array.from_buffers(kind, len(units), [None, pa.py_buffer(content)])


def _schema(price_scale: int, volume_scale: int) -> pa.Schema:
    scales = dict.fromkeys(PRICES, price_scale) | {"volume": volume_scale}
    decimals = {name: pa.decimal128(DIGITS, scale) for name, scale in scales.items()}
    return pa.schema(dict.fromkeys(TIMES, TIMESTAMP) | decimals)


def _to_parquet(columns: BarColumns) -> bytes:
    schema = _schema(columns.price_scale, columns.volume_scale)
    arrays = [
        pa.array(values, pa.int64()).cast(TIMESTAMP)
        if name in TIMES
        else _decimal_array(values, schema.field(name).type)
        for name, values in columns.by_name().items()
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, schema=schema), sink)
    return bytes(sink.getvalue())


def _from_parquet(content: bytes, place: str, entry: Entry) -> BarColumns:
    table = pq.read_table(pa.BufferReader(content))
    if not table.schema.equals(_schema(entry.price_scale, entry.volume_scale)):
        raise MarketError(f"{place}, schema", str(table.schema), "it is not the manifest's")
    arrays = {name: whole_column(table, name, place) for name in table.column_names}
    columns = {
        name: array.cast(pa.int64()).to_pylist() if name in TIMES else decimal_units(array)[1]
        for name, array in arrays.items()
    }
    return from_names(place, entry.price_scale, entry.volume_scale, columns)
