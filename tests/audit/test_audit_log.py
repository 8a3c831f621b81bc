"""Both logs keep the promises of ``Log``: order, roots, blobs by digest, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_fund.audit.canonical import MAX_LEAF, sha256_hex
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log, MemoryLog, require_blob
from agent_fund.audit.merkle import EMPTY_ROOT, leaf_hash, root_of
from agent_fund.audit.sqlite_log import SqliteLog


def memory(folder: Path) -> Log:
    return MemoryLog()


def sqlite(folder: Path) -> Log:
    return SqliteLog(folder / "log.sqlite", create=True)


@pytest.fixture(params=[memory, sqlite])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    make: Callable[[Path], Log] = request.param
    made = make(tmp_path)
    yield made
    made.close()


def test_an_empty_log_has_the_empty_root(log: Log) -> None:
    assert log.size == 0
    assert log.root() == EMPTY_ROOT
    assert list(log.leaves()) == []


def test_leaves_come_back_in_order_flushed_or_not(log: Log) -> None:
    leaves = [b"leaf %d" % index for index in range(600)]
    for index, leaf in enumerate(leaves):
        assert log.append(leaf) == index
        if index in (0, 3, 255, 300, 511):
            log.flush()
        assert log.size == index + 1
    assert list(log.leaves()) == leaves
    assert [log.leaf(index) for index in range(600)] == leaves
    assert log.root() == root_of([leaf_hash(leaf) for leaf in leaves])
    log.flush()
    assert list(log.leaves()) == leaves


def test_an_iteration_survives_a_flush_in_its_middle(log: Log) -> None:
    leaves = [b"leaf %d" % index for index in range(700)]
    for leaf in leaves:
        log.append(leaf)
    iteration = log.leaves()
    seen = [next(iteration) for _ in range(300)]
    log.flush()
    log.append(b"later")
    assert seen + list(iteration) == leaves


@pytest.mark.parametrize("index", [-1, 1])
def test_an_index_outside_the_log_is_refused(log: Log, index: int) -> None:
    log.append(b"only")
    with pytest.raises(AuditError, match="leaf index"):
        log.leaf(index)


def test_the_largest_leaf_is_kept_and_a_larger_one_refused(log: Log) -> None:
    log.append(bytes(MAX_LEAF))
    with pytest.raises(AuditError, match=str(MAX_LEAF + 1)):
        log.append(bytes(MAX_LEAF + 1))
    assert log.size == 1


@pytest.mark.parametrize("leaf", ["text", bytearray(b"x"), memoryview(b"x"), None])
def test_only_bytes_are_leaves(log: Log, leaf: Any) -> None:
    with pytest.raises(AuditError, match="encode it to bytes"):
        log.append(leaf)
    assert log.size == 0


def test_a_blob_is_found_by_its_digest_flushed_or_not(log: Log) -> None:
    body = bytes(range(256)) * 100
    digest = log.put_blob(body)
    assert digest == sha256_hex(body)
    assert log.has_blob(digest)
    assert log.blob(digest) == body
    log.flush()
    assert log.has_blob(digest)
    assert log.put_blob(body) == digest
    log.flush()
    assert log.blob(digest) == body
    assert log.root() == EMPTY_ROOT


@pytest.mark.parametrize("digest", ["", "0" * 64, sha256_hex(b"never put")])
def test_an_absent_blob_is_an_error(log: Log, digest: str) -> None:
    assert not log.has_blob(digest)
    with pytest.raises(AuditError, match="not in the log"):
        log.blob(digest)


def test_a_blob_whose_body_was_changed_is_an_error() -> None:
    with pytest.raises(AuditError, match="was changed"):
        require_blob(sha256_hex(b"one"), b"two")


def test_a_closed_log_takes_no_more_and_closes_again(log: Log) -> None:
    log.append(b"kept")
    log.close()
    with pytest.raises(AuditError, match="clos"):
        log.append(b"late")
    with pytest.raises(AuditError, match="clos"):
        log.put_blob(b"late")
    log.close()
