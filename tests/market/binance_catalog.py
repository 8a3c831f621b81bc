"""A catalog of the shared Binance files, made once on a machine and then only read."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from market_bars import BINANCE

from agent_fund.market.catalog import Catalog
from agent_fund.market.names import dataset_name
from agent_fund.market.sources import parquet_files

CACHE = Path(__file__).resolve().parents[2] / ".cache"
MANIFEST = BINANCE / "MANIFEST.json"
MARK_SCALE = 8
LICENCE = "none of its own; for tests only"


def binance_catalog() -> Path:
    """The folder of a finished catalog: binance-BTCUSDT-spot-1h, -perp-1h, -mark-1h, -funding ...

    Skips the test if the files are not there. The folder is for reading: copy it to change it.
    """
    if not MANIFEST.is_file():
        pytest.skip(f"no market data at {BINANCE}")
    digest = hashlib.sha256(MANIFEST.read_bytes()).hexdigest()
    finished = CACHE / f"binance-catalog-{digest[:16]}"
    if finished.is_dir():
        return finished
    CACHE.mkdir(exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix="binance-catalog-", suffix=".tmp", dir=CACHE))
    try:
        import_folder(Catalog(building), BINANCE)
        building.chmod(0o755)
        try:
            os.rename(building, finished)
        except OSError:
            # Another worker was first: what it made is the same.
            if not finished.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return finished


def import_folder(catalog: Catalog, folder: Path) -> None:
    """Import every ``BASE_QUOTE-{spot,perp,mark}-STEP`` and ``BASE_QUOTE-funding`` Parquet file."""
    for path in sorted(folder.glob("*.parquet")):
        pair, series, *step = path.stem.split("-")
        base, quote = pair.split("_")
        if series == "funding":
            catalog.write_funding(
                dataset_name("binance", base, quote, series),
                parquet_files.load_funding(path),
                source=path.name,
                licence=LICENCE,
            )
            continue
        parquet_files.import_into(
            catalog,
            dataset_name("binance", base, quote, series, step[0]),
            path,
            price_scale=MARK_SCALE if series == "mark" else None,
            step=step[0],
            licence=LICENCE,
            rounding=series == "mark",  # they went through doubles that are no decimals
        )
