"""Bars and funding rates as Parquet bytes and back, exactly; the same bytes for the same numbers.

Bars: open_time, close_time timestamp[ms, UTC]; open, high, low, close, volume
decimal128(38, scale). Funding: time timestamp[ms, UTC], rate decimal128(38, RATE_SCALE).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.columns import PRICES, TIMES, BarColumns, from_names
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns

TIMESTAMP = pa.timestamp("ms", tz="UTC")
DIGITS = 38
FUNDING_SCHEMA = pa.schema({"time": TIMESTAMP, "rate": pa.decimal128(DIGITS, RATE_SCALE)})


def bars_to_parquet(columns: BarColumns) -> bytes:
    """The file of ``columns``."""
    return _to_parquet(columns.by_name(), _bar_schema(columns.price_scale, columns.volume_scale))


def bars_from_parquet(
    content: bytes, place: str, price_scale: int, volume_scale: int
) -> BarColumns:
    """The bars of a file that ``bars_to_parquet`` made.

    Raises:
        MarketError: if it is a file of another schema, or its bars are not consistent.
    """
    columns = _from_parquet(content, place, _bar_schema(price_scale, volume_scale))
    return from_names(place, price_scale, volume_scale, columns)


def funding_to_parquet(columns: FundingColumns) -> bytes:
    """The file of ``columns``."""
    return _to_parquet({"time": columns.times, "rate": columns.rates}, FUNDING_SCHEMA)


def funding_from_parquet(content: bytes, place: str) -> FundingColumns:
    """The funding rates of a file that ``funding_to_parquet`` made; raises as bars do."""
    columns = _from_parquet(content, place, FUNDING_SCHEMA)
    return FundingColumns(place, columns["time"], columns["rate"])


def whole_column(table: pa.Table, name: str, place: str) -> pa.Array:
    """Column ``name`` as one array.

    Raises:
        MarketError: naming the row of the first null.
    """
    array = table[name].combine_chunks()
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise MarketError(f"{place}, row {row}, column {name}", None, "every row needs a value")
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
    content = b"".join([value.to_bytes(16, "little", signed=True) for value in units])
    return pa.Array.from_buffers(kind, len(units), [None, pa.py_buffer(content)])


def _bar_schema(price_scale: int, volume_scale: int) -> pa.Schema:
    scales = dict.fromkeys(PRICES, price_scale) | {"volume": volume_scale}
    decimals = {name: pa.decimal128(DIGITS, scale) for name, scale in scales.items()}
    return pa.schema(dict.fromkeys(TIMES, TIMESTAMP) | decimals)


def _to_parquet(columns: Mapping[str, list[int]], schema: pa.Schema) -> bytes:
    arrays = [
        pa.array(values, pa.int64()).cast(TIMESTAMP)
        if schema.field(name).type == TIMESTAMP
        else _decimal_array(values, schema.field(name).type)
        for name, values in columns.items()
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, schema=schema), sink)
    return bytes(sink.getvalue())


def _from_parquet(content: bytes, place: str, schema: pa.Schema) -> dict[str, list[int]]:
    table = pq.read_table(pa.BufferReader(content))
    if not table.schema.equals(schema):
        raise MarketError(f"{place}, schema", str(table.schema), "it is not the manifest's")
    columns: dict[str, list[int]] = {}
    for name in table.column_names:
        array = whole_column(table, name, place)
        is_time = array.type == TIMESTAMP
        columns[name] = array.cast(pa.int64()).to_pylist() if is_time else decimal_units(array)[1]
    return columns
