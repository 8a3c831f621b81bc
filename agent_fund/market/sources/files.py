"""A user's own file, read by its suffix: ``.csv`` or ``.parquet``."""

from __future__ import annotations

from pathlib import Path

from agent_fund.market.errors import MarketError
from agent_fund.market.sources import csv_files, parquet_files
from agent_fund.market.sources.raw_bars import RawBars, RawFunding

SUFFIXES = (".csv", ".parquet")


def read(
    path: Path,
    *,
    step: str | None = None,
    price_scale: int | None = None,
    volume_scale: int | None = None,
    rounding: bool = False,
) -> RawBars:
    """The rows of bars in ``path``; arguments as ``parquet_files.read`` has them.

    Raises:
        MarketError: for another suffix; naming file, row, column and value.
    """
    reads = csv_files.read if _is_csv(path) else parquet_files.read
    return reads(path, price_scale, volume_scale, step, rounding)


def read_funding(path: Path, *, rounding: bool = False) -> RawFunding:
    """The funding rates in ``path``; raises as ``read`` does."""
    reads = csv_files.read_funding if _is_csv(path) else parquet_files.read_funding
    return reads(path, rounding=rounding)


def _is_csv(path: Path) -> bool:
    if path.suffix.lower() not in SUFFIXES:
        raise MarketError("file of market data", str(path), "give a .csv or .parquet file")
    return path.suffix.lower() == ".csv"
