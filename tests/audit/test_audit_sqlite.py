"""The SQLite log: the same roots as memory, proofs from tiles, and an audit at every open."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.audit.canonical import sha256_hex
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import MemoryLog
from agent_fund.audit.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from agent_fund.audit.sqlite_log import SqliteLog


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % index for index in range(size)]


def write(path: Path, leaves: list[bytes], batch: int = 100, blobs: tuple[bytes, ...] = ()) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        for body in blobs:
            log.put_blob(body)
        for start in range(0, len(leaves), batch):
            for leaf in leaves[start : start + batch]:
                log.append(leaf)
            log.flush()


def execute(path: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(statement, values).rowcount > 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(["append", "many", "flush", "reopen"]), max_size=30),
    st.integers(1, 300),
)
def test_any_history_has_the_root_of_memory(steps: list[str], many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.sqlite"
        log, memory = SqliteLog(path, create=True), MemoryLog()
        try:
            for step in steps:
                if step == "flush":
                    log.flush()
                elif step == "reopen":
                    log.close()
                    log = SqliteLog(path)
                else:
                    for _ in range(many if step == "many" else 1):
                        leaf = b"%d" % memory.size
                        assert log.append(leaf) == memory.append(leaf)
                assert (log.size, log.root()) == (memory.size, memory.root())
            assert list(log.leaves()) == list(memory.leaves())
        finally:
            log.close()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 900), st.integers(1, 400), st.data())
def test_proofs_verify_before_and_after_the_flush(
    durable: int, pending: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "log.sqlite", leaves_of(durable))
        with closing(SqliteLog(Path(folder) / "log.sqlite")) as log:
            for leaf in leaves_of(durable + pending)[durable:]:
                log.append(leaf)
            hashes = [leaf_hash(leaf) for leaf in log.leaves()]
            root = root_of(hashes)
            for flushed in (False, True):
                if flushed:
                    log.flush()
                assert log.root() == root
                for _ in range(5):
                    at = data.draw(st.integers(0, log.size - 1))
                    assert verify_inclusion(at, log.size, hashes[at], log.inclusion(at), root)
                    proof = log.consistency(at + 1)
                    old_root = root_of(hashes[: at + 1])
                    assert verify_consistency(at + 1, log.size, proof, old_root, root)


def test_three_levels_of_tiles_agree_with_memory(path: Path) -> None:
    size = 256**2 + 300
    leaves = leaves_of(size)
    memory = MemoryLog()
    for leaf in leaves:
        memory.append(leaf)
    write(path, leaves, batch=10_000)
    with closing(SqliteLog(path, read_only=True)) as log:
        assert (log.size, log.root()) == (size, memory.root())
        for index in (0, 255, 256, 65_535, 65_536, size - 1):
            digest = leaf_hash(leaves[index])
            assert verify_inclusion(index, size, digest, log.inclusion(index), log.root())
        for old in (1, 256, 65_535, 65_536, 65_537, size):
            old_root = root_of([leaf_hash(leaf) for leaf in leaves[:old]])
            assert verify_consistency(old, size, log.consistency(old), old_root, log.root())


def test_a_closed_log_is_one_file_and_opens_again_for_more(path: Path) -> None:
    write(path, leaves_of(300), blobs=(b"body",))
    assert os.listdir(path.parent) == [path.name]
    with closing(SqliteLog(path)) as log:
        assert list(log.leaves()) == leaves_of(300)
        assert log.blob(sha256_hex(b"body")) == b"body"
        log.append(b"more")
    with closing(SqliteLog(path, read_only=True)) as log:
        assert list(log.leaves()) == [*leaves_of(300), b"more"]


def test_closing_makes_what_was_appended_durable(path: Path) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        log.append(b"never flushed by hand")
    with closing(SqliteLog(path)) as log:
        assert list(log.leaves()) == [b"never flushed by hand"]


def test_a_flush_writes_ahead_and_only_what_is_new(path: Path) -> None:
    wal = path.with_name("log.sqlite-wal")
    write(path, leaves_of(10))
    with closing(SqliteLog(path)) as log:
        for leaf in leaves_of(256 * 30)[10:]:
            log.append(leaf)
        log.flush()
        before = wal.stat().st_size
        log.append(b"one more")
        log.flush()
        assert 0 < wal.stat().st_size - before < 100_000


def test_a_sealed_log_is_one_file_that_only_reads(path: Path) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        for leaf in leaves_of(300):
            log.append(leaf)
        digest = log.put_blob(b"body")
        root = log.root()
        assert not log.sealed
        log.seal()
        assert log.sealed
        assert os.listdir(path.parent) == [path.name]
        assert log.leaf(7) == b"leaf 7"
        for refused in (lambda: log.append(b"x"), lambda: log.put_blob(b"x"), log.seal):
            with pytest.raises(AuditError, match="sealed"):
                refused()
        log.flush()
    before = path.read_bytes()
    for read_only in (False, True):
        with closing(SqliteLog(path, read_only=read_only)) as log:
            assert (log.size, log.root(), log.blob(digest)) == (300, root, b"body")
            assert log.sealed
            with pytest.raises(AuditError):
                log.append(b"x")
            assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_sealed_log_is_read_from_a_folder_that_cannot_be_written(path: Path) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        log.append(b"x")
        log.seal()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with closing(SqliteLog(path, read_only=True)) as log:
            assert list(log.leaves()) == [b"x"]
            assert os.listdir(path.parent) == [path.name]
    finally:
        path.parent.chmod(0o755)


def test_a_sealed_log_can_be_read_while_its_writer_still_holds_it(path: Path) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        log.append(b"x")
        log.seal()
        with closing(SqliteLog(path, read_only=True)) as reader:
            assert reader.root() == log.root()


def test_the_same_run_twice_is_the_same_file(tmp_path: Path) -> None:
    images = []
    for name in ("a", "b"):
        with closing(SqliteLog(tmp_path / name, create=True)) as log:
            for index, leaf in enumerate(leaves_of(700)):
                log.append(leaf)
                if index % 90 == 0:
                    log.put_blob(leaf * 1000)
                    log.flush()
            log.seal()
        images.append((tmp_path / name).read_bytes())
    assert images[0] == images[1]


def test_a_read_only_log_takes_nothing(path: Path) -> None:
    write(path, leaves_of(3))
    before = path.read_bytes()
    with closing(SqliteLog(path, read_only=True)) as log:
        for refused in (lambda: log.append(b"x"), lambda: log.put_blob(b"x"), log.seal):
            with pytest.raises(AuditError, match="open it for writing"):
                refused()
        log.flush()
    assert path.read_bytes() == before


def test_there_is_one_writer_and_no_reader_beside_it(path: Path) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        log.append(b"first")
        log.flush()
        for options in ({}, {"create": True}):
            with pytest.raises(AuditError, match="locked"):
                SqliteLog(path, **options)
        with pytest.raises(AuditError, match="close it first"):
            SqliteLog(path, read_only=True)
        log.append(b"second")
    with closing(SqliteLog(path)) as log:
        assert log.size == 2


def test_opening_names_what_is_not_a_log(path: Path) -> None:
    with pytest.raises(AuditError, match="unable to open"):
        SqliteLog(path)
    with pytest.raises(AuditError, match="unable to open"):
        SqliteLog(path, read_only=True)
    assert not path.exists()
    path.write_bytes(b"not a database, but long enough to be read as the header of one. " * 40)
    for options in ({}, {"create": True}, {"read_only": True}):
        with pytest.raises(AuditError, match="not a database"):
            SqliteLog(path, **options)
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (a)")
    with pytest.raises(AuditError, match="not those of a log"):
        SqliteLog(path)
    with pytest.raises(AuditError, match="exists"):
        SqliteLog(path, create=True)


@pytest.mark.parametrize("journal", [None, "wal"])
def test_a_log_whose_writer_died_before_its_tables_is_empty(
    path: Path, journal: str | None
) -> None:
    path.touch()
    if journal:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA journal_mode = {journal}")
    before = path.read_bytes()
    with pytest.raises(AuditError, match="not those of a log"):
        SqliteLog(path, read_only=True)
    assert path.read_bytes() == before
    with closing(SqliteLog(path)) as log:
        assert log.size == 0
        log.append(b"first")
    with closing(SqliteLog(path, read_only=True)) as log:
        assert list(log.leaves()) == [b"first"]


def test_a_log_that_lost_its_tables_is_not_begun_again(path: Path) -> None:
    write(path, leaves_of(3))
    damaged = bytearray(path.read_bytes())
    # The number of cells on the schema's page: two bytes after the file's header and the flag.
    damaged[103:105] = bytes(2)
    path.write_bytes(damaged)
    with pytest.raises(AuditError):
        SqliteLog(path)
    assert path.read_bytes() == damaged


def test_creating_over_a_log_is_refused_and_changes_nothing(path: Path) -> None:
    write(path, leaves_of(3))
    with pytest.raises(AuditError, match="exists"):
        SqliteLog(path, create=True)
    with pytest.raises(AuditError, match="one of them"):
        SqliteLog(path, create=True, read_only=True)
    with closing(SqliteLog(path)) as log:
        assert log.size == 3


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 699])
def test_a_changed_leaf_is_named_at_open(path: Path, index: int) -> None:
    write(path, leaves_of(700))
    execute(path, "UPDATE leaf SET body = CAST('forged' AS BLOB) WHERE seq = ?", index)
    evidence = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(AuditError) as caught:
            SqliteLog(path, read_only=read_only)
        assert caught.value.subject == f"leaf {index}"
        assert path.read_bytes() == evidence


@pytest.mark.parametrize("size", [1, 256, 257, 700])
def test_a_removed_last_leaf_is_named_at_open(path: Path, size: int) -> None:
    write(path, leaves_of(size))
    execute(path, "DELETE FROM leaf WHERE seq = ?", size - 1)
    with pytest.raises(AuditError) as caught:
        SqliteLog(path)
    assert caught.value.subject in (f"leaf {size - 1}", f"leaf {(size - 1) // 256 * 256}")


def test_a_gap_is_named_at_open(path: Path) -> None:
    write(path, leaves_of(300))
    execute(path, "DELETE FROM leaf WHERE seq = 77")
    with pytest.raises(AuditError) as caught:
        SqliteLog(path)
    assert caught.value.subject == "leaf 77"


def test_leaves_under_other_numbers_are_found_at_open(path: Path) -> None:
    write(path, leaves_of(3))
    execute(path, "UPDATE leaf SET seq = seq + 1000")
    with pytest.raises(AuditError) as caught:
        SqliteLog(path)
    assert caught.value.subject == "leaf 0"


def test_an_added_leaf_is_named_at_open(path: Path) -> None:
    write(path, leaves_of(300))
    execute(path, "INSERT INTO leaf VALUES (300, CAST('forged' AS BLOB))")
    with pytest.raises(AuditError) as caught:
        SqliteLog(path)
    assert caught.value.subject == "leaf 300"


@pytest.mark.parametrize(
    ("level", "n", "subject"), [(0, 1, "leaf 256"), (0, 2, "leaf 512"), (1, 0, "leaves 0 to 255")]
)
def test_a_changed_or_missing_tile_is_named_at_open(
    path: Path, level: int, n: int, subject: str
) -> None:
    write(path, leaves_of(700))
    original = path.read_bytes()
    for statement in (
        "UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = ? AND n = ?",
        "UPDATE tile SET hashes = substr(hashes, 33) WHERE level = ? AND n = ?",
        "DELETE FROM tile WHERE level = ? AND n = ?",
    ):
        path.write_bytes(original)
        execute(path, statement, level, n)
        with pytest.raises(AuditError) as caught:
            SqliteLog(path)
        assert caught.value.subject == subject


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_tile_too_long_is_found_at_open(path: Path, n: int) -> None:
    write(path, leaves_of(700))
    longer = "UPDATE tile SET hashes = CAST(hashes || x'00' AS BLOB) WHERE level = 0 AND n = ?"
    execute(path, longer, n)
    with pytest.raises(AuditError, match="leaf"):
        SqliteLog(path)


def test_a_tile_too_many_is_found_at_open(path: Path) -> None:
    write(path, leaves_of(3))
    execute(path, "INSERT INTO tile VALUES (3, 0, zeroblob(32))")
    with pytest.raises(AuditError, match="leaf 3"):
        SqliteLog(path)


def test_a_changed_blob_is_found_when_it_is_read(path: Path) -> None:
    write(path, leaves_of(3), blobs=(b"body",))
    execute(path, "UPDATE blob SET body = CAST('forged' AS BLOB)")
    with closing(SqliteLog(path)) as log, pytest.raises(AuditError, match="was changed"):
        log.blob(sha256_hex(b"body"))


@pytest.mark.parametrize("statement", ["UPDATE seal SET size = 2", "UPDATE seal SET root = x'00'"])
def test_a_seal_of_another_log_is_found_at_open(path: Path, statement: str) -> None:
    with closing(SqliteLog(path, create=True)) as log:
        for leaf in leaves_of(3):
            log.append(leaf)
        log.seal()
    execute(path, statement)
    with pytest.raises(AuditError, match="seal"):
        SqliteLog(path, read_only=True)


def test_a_trigger_in_the_file_is_refused(path: Path) -> None:
    write(path, leaves_of(3))
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TRIGGER t AFTER INSERT ON leaf BEGIN DELETE FROM leaf; END")
    with pytest.raises(AuditError, match="not those of a log"):
        SqliteLog(path)


def test_a_flipped_byte_of_the_file_is_an_audit_error_or_changes_nothing(path: Path) -> None:
    leaves, body = leaves_of(300), b"body" * 2000
    write(path, leaves, blobs=(body,))
    original = path.read_bytes()
    rng = random.Random(5)
    refused = 0
    for at in [*range(100), *rng.sample(range(100, len(original)), 500)]:
        changed = bytearray(original)
        changed[at] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        try:
            with closing(SqliteLog(path, read_only=True)) as log:
                seen = (log.root(), list(log.leaves()), log.blob(sha256_hex(body)))
        except AuditError:
            refused += 1
        else:
            assert seen == (root_of([leaf_hash(leaf) for leaf in leaves]), leaves, body), at
    assert refused > 100


@contextmanager
def files_cannot_grow(beyond: int = 1) -> Iterator[None]:
    """Every write beyond so many bytes of a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_after_a_failed_commit_the_log_takes_no_more_and_keeps_what_it_had(path: Path) -> None:
    log = SqliteLog(path, create=True)
    log.append(b"acknowledged")
    log.flush()
    log.append(b"lost")
    with files_cannot_grow(), pytest.raises(AuditError, match="commit"):
        log.flush()
    # The disk is well again, but what it holds is not known before it is audited.
    for refused in (
        lambda: log.append(b"x"),
        lambda: log.put_blob(b"x"),
        log.flush,
        log.seal,
    ):
        with pytest.raises(AuditError, match="open it again, which audits it"):
            refused()
    log.close()
    with closing(SqliteLog(path)) as again:
        assert list(again.leaves()) == [b"acknowledged"]
        again.append(b"next")
    with closing(SqliteLog(path, read_only=True)) as again:
        assert list(again.leaves()) == [b"acknowledged", b"next"]


def test_leaves_and_blobs_of_one_flush_are_one_transaction(path: Path) -> None:
    log = SqliteLog(path, create=True)
    log.append(b"leaf")
    digest = log.put_blob(b"body" * 100_000)
    # Room for the leaf and its tile, not for the blob.
    room = path.with_name("log.sqlite-wal").stat().st_size + 100_000
    with files_cannot_grow(room), pytest.raises(AuditError, match="commit"):
        log.flush()
    log.close()
    with closing(SqliteLog(path)) as again:
        assert again.size == 0
        assert not again.has_blob(digest)


def test_a_name_is_never_read_as_part_of_a_uri(tmp_path: Path) -> None:
    odd = tmp_path / "log?mode=memory#%41"
    write(odd, leaves_of(2))
    assert os.listdir(tmp_path) == [odd.name]
    link = tmp_path / "link"
    link.symlink_to(odd)
    with closing(SqliteLog(link)) as log:
        log.append(b"third")
    with closing(SqliteLog(odd, read_only=True)) as log:
        assert log.size == 3
