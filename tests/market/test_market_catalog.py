from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from market_bars import HOUR, START, hourly, instrument

from agent_fund.market.catalog import Catalog, Entry, stale_opens
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError


def store(catalog: Catalog, name: str, columns: BarColumns) -> Entry:
    return catalog.write(
        name, columns, step="1h", max_step_ms=HOUR, source="a test", licence="none", notes="n"
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def same_values(read: BarColumns, written: BarColumns) -> bool:
    return replace(read, source=written.source) == written


def test_what_is_written_is_read_back_to_the_last_unit(catalog: Catalog) -> None:
    bars = replace(hourly([100, 101, 105]), volumes=[0, 10**38 - 1, 2**64 + 5])
    store(catalog, "btc", bars)
    assert same_values(catalog.read("btc", instrument("BTC")), bars)


def test_parquet_columns_are_timestamps_and_decimals(catalog: Catalog) -> None:
    entry = store(catalog, "btc", hourly([12345]))
    schema = pq.read_schema(catalog.folder / entry.file)
    price, volume = pa.decimal128(38, 2), pa.decimal128(38, 4)
    times = pa.timestamp("ms", tz="UTC")
    assert schema.types == [times, times, price, price, price, price, volume]
    row = pq.read_table(catalog.folder / entry.file).to_pylist()[0]
    assert str(row["close"]) == "123.45"
    assert str(row["volume"]) == "12.3450"


def test_the_manifest_says_what_the_data_is(catalog: Catalog) -> None:
    bars = hourly([100, 100, 103], [0, 1, 5])
    entry = store(catalog, "btc", bars)
    assert catalog.names() == ("btc",)
    assert catalog.entry("btc") == entry
    assert (entry.bars, entry.first_close, entry.last_close) == (3, START + HOUR, START + 6 * HOUR)
    assert [(gap.after, gap.before) for gap in entry.gaps] == [(START + 2 * HOUR, START + 6 * HOUR)]
    assert (entry.price_scale, entry.volume_scale, entry.stale_opens) == (2, 4, "1/3")


def test_stale_opens_are_counted_exactly() -> None:
    bars = replace(hourly([100, 100, 200, 200]), closes=[100, 101, 200, 200])
    assert stale_opens(bars) == "2/4"
    assert Fraction(stale_opens(hourly([7]))) == 0


def test_a_new_version_replaces_the_old_file(catalog: Catalog) -> None:
    old = store(catalog, "btc", hourly([100]))
    store(catalog, "eth", hourly([300]))
    new = store(catalog, "btc", hourly([200]))
    assert new.file != old.file
    assert catalog.read("btc", instrument("BTC")).closes == [200]
    assert catalog.read("eth", instrument("ETH")).closes == [300]
    assert {path.name for path in catalog.folder.iterdir()} == {
        "catalog.json",
        new.file,
        catalog.entry("eth").file,
    }


def test_a_write_that_stops_before_the_manifest_leaves_the_old_data(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(catalog, "btc", hourly([100]))
    whole = Path.replace

    def stop_at_manifest(path: Path, target: Path) -> Path:
        if target.name == "catalog.json":
            raise OSError("stopped")
        return whole(path, target)

    monkeypatch.setattr(Path, "replace", stop_at_manifest)
    with pytest.raises(OSError, match="stopped"):
        store(catalog, "btc", hourly([200]))
    assert catalog.read("btc", instrument("BTC")).closes == [100]


def test_a_file_changed_by_one_bit_is_not_read(catalog: Catalog) -> None:
    entry = store(catalog, "btc", hourly([100, 101]))
    path = catalog.folder / entry.file
    content = bytearray(path.read_bytes())
    for position in range(0, len(content), 97):
        content[position] ^= 1
        path.write_bytes(content)
        with pytest.raises(MarketError, match=f"{entry.sha256}: import btc again") as refused:
            catalog.read("btc", instrument("BTC"))
        assert str(path) in refused.value.place
        content[position] ^= 1


def test_other_data_under_the_same_file_name_is_not_read(catalog: Catalog) -> None:
    entry = store(catalog, "btc", hourly([100, 101]))
    other = store(catalog, "eth", hourly([100, 102]))
    (catalog.folder / entry.file).write_bytes((catalog.folder / other.file).read_bytes())
    with pytest.raises(MarketError, match="import btc again"):
        catalog.read("btc", instrument("BTC"))


def test_a_missing_file_is_named(catalog: Catalog) -> None:
    entry = store(catalog, "btc", hourly([100]))
    (catalog.folder / entry.file).unlink()
    with pytest.raises(MarketError, match=f"{entry.file}: 'missing file'"):
        catalog.read("btc", instrument("BTC"))


def test_an_unknown_data_set_is_refused_with_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(MarketError, match="'btc' is refused; the catalog has: no data set"):
        catalog.entry("btc")
    store(catalog, "eth", hourly([100]))
    with pytest.raises(MarketError, match="the catalog has: eth"):
        catalog.read("btc", instrument("BTC"))


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"sha256": "00"},
        {"file": "../secret.parquet"},
        {"bars": "3"},
        {"stale_opens": "1/0"},
        {"max_step_ms": 0},
    ],
)
def test_a_manifest_that_is_not_one_is_refused(catalog: Catalog, change: dict[str, Any]) -> None:
    store(catalog, "btc", hourly([100]))
    path = catalog.folder / "catalog.json"
    manifest = json.loads(path.read_text())
    manifest["datasets"]["btc"] |= change
    path.write_text(json.dumps(manifest))
    with pytest.raises(MarketError, match=f"datasets.btc.{next(iter(change))}"):
        catalog.names()
    path.write_text("{")
    with pytest.raises(MarketError, match="document"):
        catalog.names()


def test_a_file_of_another_schema_is_refused_even_if_the_manifest_has_its_hash(
    catalog: Catalog,
) -> None:
    store(catalog, "btc", hourly([100]))
    path = catalog.folder / "catalog.json"
    manifest = json.loads(path.read_text())
    manifest["datasets"]["btc"]["price_scale"] = 3
    path.write_text(json.dumps(manifest))
    with pytest.raises(MarketError, match="schema"):
        catalog.read("btc", instrument("BTC", 3))


@pytest.mark.parametrize("name", ["", "../btc", "a/b", ".hidden", "a b", "a.b"])
def test_a_name_that_could_leave_the_folder_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(MarketError, match="name of a data set"):
        store(catalog, name, hourly([100]))


def test_an_empty_data_set_is_refused(catalog: Catalog) -> None:
    with pytest.raises(MarketError, match="no bars"):
        store(catalog, "btc", hourly([]))


def test_an_instrument_with_too_few_decimals_is_refused(catalog: Catalog) -> None:
    store(catalog, "btc", hourly([101]))
    with pytest.raises(MarketError, match="base asset's scale 4 larger"):
        catalog.read("btc", instrument("BTC", 2, 0))
