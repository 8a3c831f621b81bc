"""A manifest finds every change of a run folder: any byte, any file more, any file less."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from agent_fund.audit.canonical import encode, sha256_hex
from agent_fund.audit.errors import AuditError
from agent_fund.audit.manifest import ManifestError, check_manifest, write_manifest

EXTRA: dict[str, Any] = {"root": "ab" * 8, "size": 3, "nested": {"mode": "backtest"}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "log.sqlite").write_bytes(b"log")
    (folder / "report.html").write_bytes(b"<p>\n")
    (folder / "sub" / "deep" / "ärger.csv").write_bytes(b"a,b")
    (folder / "sub" / "empty").write_bytes(b"")
    write_manifest(folder, EXTRA)
    return folder


def rewrite(folder: Path, document: Any) -> None:
    (folder / "manifest.json").write_bytes(encode(document))


def read(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_bytes())


def test_the_manifest_lists_every_file_and_the_check_returns_extra(run: Path) -> None:
    assert check_manifest(run) == EXTRA
    data = (run / "manifest.json").read_bytes()
    assert data == encode(json.loads(data))
    files = read(run)["files"]
    paths = ["log.sqlite", "report.html", "sub/deep/ärger.csv", "sub/empty"]
    assert [entry["path"] for entry in files] == paths
    assert files[0] == {"path": "log.sqlite", "bytes": 3, "sha256": sha256_hex(b"log")}
    assert sorted(path.name for path in run.iterdir()) == [
        "log.sqlite",
        "manifest.json",
        "report.html",
        "sub",
    ]


@pytest.mark.parametrize("mask", [1 << bit for bit in range(8)])
def test_any_flipped_byte_of_any_file_is_found(run: Path, mask: int) -> None:
    flips = 0
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        original = path.read_bytes()
        for at in range(len(original)):
            changed = bytearray(original)
            changed[at] ^= mask
            path.write_bytes(changed)
            try:
                extra = check_manifest(run)
            except ManifestError:
                pass
            else:
                assert path.name == "manifest.json"
                assert encode(extra) != encode(EXTRA), (path.name, at)
            flips += 1
        path.write_bytes(original)
    assert flips > 400
    assert check_manifest(run) == EXTRA


def test_two_writes_of_the_same_folder_are_the_same_bytes(run: Path) -> None:
    first = (run / "manifest.json").read_bytes()
    write_manifest(run, dict(reversed(EXTRA.items())))
    assert (run / "manifest.json").read_bytes() == first


def test_a_copied_folder_still_checks(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    assert check_manifest(tmp_path / "copy") == EXTRA


@pytest.mark.parametrize("name", ["log.sqlite", "sub/deep/ärger.csv", "sub/empty"])
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(ManifestError, match="missing") as caught:
        check_manifest(run)
    assert caught.value.subject == name


@pytest.mark.parametrize("name", ["a", "zz", "sub/new", "manifest.json.tmp", "sub/manifest.json"])
def test_a_file_too_many_is_named(run: Path, name: str) -> None:
    (run / name).write_bytes(b"")
    with pytest.raises(ManifestError, match="not listed") as caught:
        check_manifest(run)
    assert caught.value.subject == name


def test_the_first_bad_file_is_named(run: Path) -> None:
    (run / "sub" / "empty").write_bytes(b"x")
    (run / "report.html").write_bytes(b"<b>\n")
    with pytest.raises(ManifestError, match="SHA-256") as caught:
        check_manifest(run)
    assert caught.value.subject == "report.html"


def test_a_changed_size_is_named(run: Path) -> None:
    (run / "log.sqlite").write_bytes(b"log ")
    with pytest.raises(ManifestError, match=r"log\.sqlite: 4 .* 3 bytes"):
        check_manifest(run)


@pytest.mark.parametrize("target", ["log.sqlite", "sub", "nowhere"])
def test_symbolic_links_are_refused_by_both(run: Path, target: str) -> None:
    (run / "link").symlink_to(run / target)
    for use in (lambda: check_manifest(run), lambda: write_manifest(run, EXTRA)):
        with pytest.raises(ManifestError, match="link"):
            use()


def test_a_file_replaced_by_a_link_to_its_copy_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.move(run / "log.sqlite", tmp_path / "moved")
    (run / "log.sqlite").symlink_to(tmp_path / "moved")
    with pytest.raises(ManifestError, match=r"log\.sqlite"):
        check_manifest(run)


def test_a_manifest_that_is_a_link_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.move(run / "manifest.json", tmp_path / "moved")
    (run / "manifest.json").symlink_to(tmp_path / "moved")
    with pytest.raises(ManifestError, match="link"):
        check_manifest(run)


def test_special_files_are_refused(run: Path) -> None:
    os.mkfifo(run / "pipe")
    with pytest.raises(ManifestError, match="special file"):
        check_manifest(run)


def test_a_folder_without_a_manifest_did_not_finish(run: Path) -> None:
    (run / "manifest.json").unlink()
    with pytest.raises(ManifestError, match="did not finish"):
        check_manifest(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(more=1),
        lambda d: d.pop("extra"),
        lambda d: d.update(extra=[]),
        lambda d: d.update(format="agent-fund/manifest/v2"),
        lambda d: d.update(files={}),
        lambda d: d["files"].reverse(),
        lambda d: d["files"].append(d["files"][-1]),
        lambda d: d["files"].append({"path": "../run/log.sqlite", "bytes": 3, "sha256": "0" * 64}),
        lambda d: d["files"][0].update(path="./log.sqlite"),
        lambda d: d["files"][0].update(bytes=True),
        lambda d: d["files"][0].update(sha256=0),
        lambda d: d["files"][0].update(sha256=d["files"][0]["sha256"].upper()),
        lambda d: d["files"][0].update(note=""),
        lambda d: d["files"].insert(0, "log.sqlite"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(run: Path, change: Any) -> None:
    document = read(run)
    change(document)
    rewrite(run, document)
    with pytest.raises(ManifestError):
        check_manifest(run)


def test_true_is_not_a_size_of_one_byte(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    write_manifest(tmp_path, {})
    document = read(tmp_path)
    document["files"][0]["bytes"] = True
    rewrite(tmp_path, document)
    with pytest.raises(ManifestError, match="bytes an integer"):
        check_manifest(tmp_path)


@pytest.mark.parametrize("end", [b"\n", b" ", b"\x00"])
def test_bytes_after_the_manifest_are_refused(run: Path, end: bytes) -> None:
    with (run / "manifest.json").open("ab") as stream:
        stream.write(end)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        check_manifest(run)


def test_a_manifest_that_is_no_object_is_refused(run: Path) -> None:
    rewrite(run, [1])
    with pytest.raises(ManifestError, match="extra, files and format"):
        check_manifest(run)


def test_what_a_broken_write_left_is_replaced(run: Path) -> None:
    (run / "manifest.json.tmp").write_bytes(b"half")
    write_manifest(run, EXTRA)
    assert check_manifest(run) == EXTRA


def test_a_refused_write_leaves_the_old_manifest(run: Path) -> None:
    before = (run / "manifest.json").read_bytes()
    inexact: Any = {"return": 0.5}
    with pytest.raises(AuditError, match="float"):
        write_manifest(run, inexact)
    assert (run / "manifest.json").read_bytes() == before
    assert check_manifest(run) == EXTRA
