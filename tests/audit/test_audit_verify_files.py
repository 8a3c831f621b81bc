"""Every byte and every file of a run folder counts; what is unreadable is refused, not fatal."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from audit_forger import Forger, remanifest
from audit_runs import Runs

from agent_fund.audit.canonical import encode
from agent_fund.audit.errors import VerificationError
from agent_fund.audit.manifest import MANIFEST, write_manifest
from agent_fund.audit.verify import FILES, HISTORY, LOG, SUMMARY, verify

SAMPLE = 300
FUZZED = 60


@pytest.fixture
def folder(runs: Runs, tmp_path: Path) -> Path:
    """A copy of a finished run with all that the backtest wrote."""
    return Path(shutil.copytree(runs.folder("trend"), tmp_path / "run"))


@pytest.fixture
def small(runs: Runs, tmp_path: Path) -> Path:
    """The same run with a report of a few bytes, so that hashing it takes no time."""
    return Forger(runs.folder("trend")).seal(tmp_path / "small")


def flip(path: Path, at: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bits]))


@pytest.mark.parametrize("name", [MANIFEST, SUMMARY])
def test_no_byte_of_a_small_file_can_be_flipped(small: Path, name: str) -> None:
    verify(small)
    rng = random.Random(name)
    path = small / name
    for at in range(path.stat().st_size):
        bits = rng.randrange(1, 256)
        flip(path, at, bits)
        with pytest.raises(VerificationError):
            verify(small)
        flip(path, at, bits)
    verify(small)


@pytest.mark.parametrize("name", [LOG, HISTORY, "report.html"])
def test_no_byte_of_a_large_file_can_be_flipped(folder: Path, name: str) -> None:
    rng = random.Random(name)
    path = folder / name
    for other in FILES - {name, SUMMARY}:
        (folder / other).write_bytes(b"")
    remanifest(folder)
    size = path.stat().st_size
    for at in {0, size - 1, *(rng.randrange(size) for _ in range(SAMPLE))}:
        flip(path, at, 1 << at % 8)
        with pytest.raises(VerificationError) as caught:
            verify(folder)
        assert caught.value.place == name
        flip(path, at, 1 << at % 8)


@pytest.mark.parametrize("name", [LOG, HISTORY, SUMMARY])
def test_a_damaged_file_under_a_remade_manifest_is_never_fatal(small: Path, name: str) -> None:
    verified = verify(small)
    rng = random.Random(name)
    path = small / name
    whole = path.read_bytes()
    refused = 0
    for _ in range(FUZZED):
        at, bits = rng.randrange(len(whole)), rng.randrange(1, 256)
        flip(path, at, bits)
        remanifest(small)
        try:
            # What passes is a byte that means nothing: a free page, or a figure made of floats.
            assert verify(small).root == verified.root
        except VerificationError:
            refused += 1
        path.write_bytes(whole)
    assert refused > FUZZED // 4


@pytest.mark.parametrize("name", sorted(FILES | {MANIFEST}))
def test_no_file_may_be_missing_empty_cut_or_renamed(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(VerificationError, match=name):
        verify(folder)
    for body in (b"", whole[:-1], whole + b"\0"):
        path.write_bytes(body)
        with pytest.raises(VerificationError, match=name):
            verify(folder)
    path.write_bytes(whole)
    verify(folder)
    path.rename(folder / f"{name}.old")
    with pytest.raises(VerificationError):
        verify(folder)


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_may_be_missing_under_a_remade_manifest(small: Path, name: str) -> None:
    (small / name).unlink()
    remanifest(small)
    with pytest.raises(VerificationError, match="a run folder holds"):
        verify(small)


@pytest.mark.parametrize("name", [LOG, HISTORY, SUMMARY])
def test_an_empty_file_under_a_remade_manifest_is_refused(small: Path, name: str) -> None:
    (small / name).write_bytes(b"")
    remanifest(small)
    with pytest.raises(VerificationError, match=name):
        verify(small)


def added_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("trust me")


def added_empty_file(folder: Path) -> None:
    (folder / ".hidden").touch()


def added_folder(folder: Path) -> None:
    (folder / "more").mkdir()


def added_log_beside_the_log(folder: Path) -> None:
    (folder / f"{LOG}-wal").write_bytes(b"\0" * 32)


def linked_report(folder: Path) -> None:
    report = folder / "report.html"
    report.rename(folder.parent / "elsewhere.html")
    report.symlink_to(folder.parent / "elsewhere.html")


def linked_manifest(folder: Path) -> None:
    manifest = folder / MANIFEST
    manifest.rename(folder.parent / MANIFEST)
    manifest.symlink_to(folder.parent / MANIFEST)


def folder_for_a_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()


@pytest.mark.parametrize(
    "change",
    [
        added_file,
        added_empty_file,
        added_folder,
        added_log_beside_the_log,
        linked_report,
        linked_manifest,
        folder_for_a_manifest,
    ],
)
def test_nothing_may_be_added_or_linked(small: Path, change: Callable[[Path], None]) -> None:
    change(small)
    with pytest.raises(VerificationError):
        verify(small)


def test_what_is_added_is_refused_under_a_remade_manifest_too(small: Path) -> None:
    added_file(small)
    remanifest(small)
    with pytest.raises(VerificationError, match="a run folder holds"):
        verify(small)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="No such file"):
        verify(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(VerificationError, match="Not a directory"):
        verify(tmp_path / "file")
    with pytest.raises(VerificationError, match=MANIFEST):
        verify(tmp_path)


def test_another_root_is_refused_and_the_right_one_not(small: Path) -> None:
    root = verify(small).root
    assert verify(small, root).root == verify(small, root.upper()).root == root
    for other in ("", "00" * 32, root[:-1], root + "00"):
        with pytest.raises(VerificationError, match="root"):
            verify(small, other)


@pytest.mark.parametrize("key", ["run", "root", "size"])
def test_the_manifest_states_the_logs_own_root(small: Path, key: str) -> None:
    extra = json.loads((small / MANIFEST).read_text())["extra"]
    for wrong in ({**extra, key: "0"}, {**extra, "more": ""}):
        write_manifest(small, wrong)
        with pytest.raises(VerificationError, match=r"manifest\.json"):
            verify(small)


# -- a summary and a history that say more than the log ----------------------------------------


def places(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The place of each figure in a summary."""
    if isinstance(value, dict) and value:
        return [place for key, inner in value.items() for place in places(inner, (*path, key))]
    return [path]


# What rests on data that no log holds, or is measured in floats.
FLOATS = {"exposure", "stale_opens", "unguarded", "box_coverage"}
RATIOS = {"cagr", "volatility", "sharpe", "sortino", "calmar"}


@pytest.mark.parametrize("run", ["trend", "crash"])
def test_every_figure_of_the_summary_that_is_no_float_is_checked(
    run: str, runs: Runs, tmp_path: Path
) -> None:
    folder = Forger(runs.folder(run)).seal(tmp_path / "copy")
    path = folder / SUMMARY
    whole = path.read_bytes()
    unchecked = set()
    for place in places(json.loads(whole)):
        summary = json.loads(whole)
        table = summary
        for key in place[:-1]:
            table = table[key]
        for forged in forgeries_of(table[place[-1]]):
            table[place[-1]] = forged
            path.write_bytes(encode(summary))
            remanifest(folder)
            if accepted(folder):
                unchecked.add(place)
    assert all(place[0] in FLOATS or place[-1] in RATIOS for place in unchecked)


def forgeries_of(value: object) -> list[object]:
    """Values that are not ``value``, one of which may be taken for it."""
    likely = True if value == 1 else 1 if value is True else [] if value == {} else "0"
    return [likely, None] if likely != value or type(likely) is not type(value) else [None]


def accepted(folder: Path) -> bool:
    """Whether ``folder`` verifies; what is refused must be the summary."""
    try:
        verify(folder)
    except VerificationError as error:
        if not error.place.startswith(SUMMARY):
            raise
        return False
    return True


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b'{ "run": 1 }', b'{"a":1.5}', b"\xff"])
def test_a_summary_of_another_kind_is_refused(small: Path, body: bytes) -> None:
    (small / SUMMARY).write_bytes(body)
    remanifest(small)
    with pytest.raises(VerificationError, match=r"summary\.json"):
        verify(small)


def changed_cell(name: str) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        values = table.column(name).to_pylist()
        values[-1] = next(value for value in values if value != values[-1])
        column = pa.array(values, table.schema.field(name).type)
        return table.set_column(at, name, column)

    change.__name__ = f"changed_{name}"
    return change


def row_left_out(table: pa.Table) -> pa.Table:
    return table.slice(0, len(table) - 1)


def column_left_out(table: pa.Table) -> pa.Table:
    return table.drop_columns(["mark"])


def column_added(table: pa.Table) -> pa.Table:
    return table.append_column("alpha", table.column("nav"))


def column_twice(table: pa.Table) -> pa.Table:
    return table.append_column("nav", table.column("cash"))


def nav_as_double(table: pa.Table) -> pa.Table:
    at = table.column_names.index("nav")
    return table.set_column(at, "nav", table.column("nav").cast(pa.float64()))


def times_without_zone(table: pa.Table) -> pa.Table:
    at = table.column_names.index("close_time")
    return table.set_column(at, "close_time", table.column("close_time").cast(pa.timestamp("ms")))


def null_in_a_column(table: pa.Table) -> pa.Table:
    at = table.column_names.index("nav")
    values = [None, *table.column("nav").to_pylist()[1:]]
    return table.set_column(at, "nav", pa.array(values, table.schema.field("nav").type))


CELLS = ("bar", "close_time", "nav_open", "nav", "mark", "cash", "position.SP500")


@pytest.mark.parametrize(
    "change",
    [
        *map(changed_cell, CELLS),
        row_left_out,
        column_left_out,
        column_added,
        column_twice,
        nav_as_double,
        times_without_zone,
        null_in_a_column,
    ],
    ids=lambda change: change.__name__,
)
def test_a_history_that_is_not_the_logs_is_refused(
    small: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    path = small / HISTORY
    pq.write_table(change(pq.read_table(path)), path)
    remanifest(small)
    with pytest.raises(VerificationError, match=r"history\.parquet"):
        verify(small)


# -- logs that are no logs of a run --------------------------------------------------------------


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"kind":"mark"}',
        b'{"kind": "mark", "rows": []}',
        b'{"kind":"mark","kind":"mark","rows":[]}',
        b'{"kind":"mark","rows":[1.0]}',
        b'{"kind":["mark"],"rows":[]}',
        b'{"kind":"mark","rows":[[]]}',
        b'{"kind":"mark","rows":[[0,0,0,{},{},0,0]]}',
        b'{"kind":"gap","after":0,"before":1,"missing":[]}',
        b'{"act":"look","kind":"guard"}',
        b'{"act":["look"],"kind":"guard"}',
        b"[" * 8000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("index", [0, 1])
def test_a_leaf_that_is_no_record_is_refused_by_number(
    runs: Runs, tmp_path: Path, leaf: bytes, index: int
) -> None:
    forger = Forger(runs.folder("trend"))
    leaves = [encode(record) for record in forger.records]
    leaves[index] = leaf
    folder = forger.seal(tmp_path / "forged", leaves)
    with pytest.raises(VerificationError) as caught:
        verify(folder)
    assert caught.value.index == index


def test_a_log_of_no_bars_is_refused(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("trend"))
    close = forger.records[-1] | {"bars": 0, "nav": forger.records[0]["cash"]}
    forger.records = [forger.records[0], close | {"mark": forger.records[0]["cash"]}]
    with pytest.raises(VerificationError, match="at least one bar"):
        verify(forger.seal(tmp_path / "forged"))


def test_a_blob_that_is_missing_is_named_with_its_record(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("model"))
    for number, (key, kind) in enumerate(
        [("proof", "look"), ("fields", "intent"), ("body", "response"), ("mandate", "genesis")]
    ):
        index = forger.where(lambda r, k=key, n=kind: r.get(k) and n in (r["kind"], r.get("act")))
        forget = forger.records[index][key]
        first = forger.where(lambda r, k=key, d=forget: r.get(k) == d)
        with pytest.raises(VerificationError, match="not in the log") as caught:
            verify(forger.seal(tmp_path / f"forged-{number}", forget=forget))
        assert caught.value.index == first
