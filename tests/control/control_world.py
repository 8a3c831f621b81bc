"""A second process that runs a small fund, and waiting for what it does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_fund.fund.control_command import Command
from agent_fund.fund.control_file import Control, ControlError, ControlFile
from agent_fund.fund.control_status import Status

LOOP = Path(__file__).parent / "control_loop.py"
STATUS = Status(3, 1000, 2000, "active", "USD", "1.00", "1.00", "0", "0.1")


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The fund of ``folder``, once it has begun to beat; it is killed in the end."""
    beats = _beats(folder)
    process = subprocess.Popen([sys.executable, str(LOOP), str(folder)])
    try:
        until(process, lambda: _beats(folder) > beats)
        yield process
    finally:
        process.kill()
        process.wait()


def until(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Wait for ``condition``, for as long as ``process`` lives."""
    while not condition():
        assert process.poll() is None, "the fund has ended"
        time.sleep(0.002)


def control(folder: Path) -> Control:
    return ControlFile(folder).read()


def last(folder: Path) -> Command:
    return control(folder).commands[-1]


def turns(folder: Path) -> int:
    """How many turns the fund has taken since its start."""
    status = control(folder).status
    return -1 if status is None else status.bar


def held(folder: Path) -> int:
    lines = (folder / "trades.txt").read_text().split()
    return lines.count("buy") - lines.count("sell")


def later(folder: Path, process: subprocess.Popen[bytes], more: int = 5) -> None:
    """Wait until the fund has taken some more turns."""
    goal = turns(folder) + more
    until(process, lambda: turns(folder) >= goal)


def _beats(folder: Path) -> int:
    try:
        return control(folder).beat
    except ControlError:
        return 0
