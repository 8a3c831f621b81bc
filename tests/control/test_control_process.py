from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from control_world import running

from agent_fund.fund.control_process import (
    LOCK,
    AlreadyRunningError,
    Life,
    ProcessLock,
    life_of,
    read_process,
    started_of,
    this_process,
)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / LOCK
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_folder_that_nobody_took_over_is_dead(tmp_path: Path) -> None:
    assert life_of(tmp_path) is Life.DEAD
    assert read_process(tmp_path) is None


def test_a_process_lives_from_its_lock_to_its_release(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path)
    assert life_of(tmp_path) is Life.RUNNING
    process = read_process(tmp_path)
    assert process is not None
    assert (process.pid, process.started) == (os.getpid(), started_of(os.getpid()))
    lock.release()
    assert life_of(tmp_path) is Life.DEAD
    assert read_process(tmp_path) == process


def test_a_killed_process_is_dead_and_another_may_follow(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        assert life_of(tmp_path) is Life.RUNNING
        found = read_process(tmp_path)
        assert found is not None
        assert found.pid == process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert life_of(tmp_path) is Life.DEAD
    with running(tmp_path):
        assert life_of(tmp_path) is Life.RUNNING


def test_a_process_that_is_killed_and_not_waited_for_is_dead(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.001)
        os.kill(process.pid, 0)  # the id is taken still
        assert life_of(tmp_path) is Life.DEAD


def test_two_processes_do_not_run_one_fund(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_fund.fund.control_process._PATIENCE", 0.05)
    with running(tmp_path) as process, pytest.raises(AlreadyRunningError, match=str(process.pid)):
        ProcessLock(tmp_path)


def test_a_fund_that_starts_while_somebody_looks_waits_for_him(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(
        "agent_fund.fund.control_process.time.sleep", lambda seconds: os.close(looking)
    )
    lock = ProcessLock(tmp_path)
    assert life_of(tmp_path) is Life.RUNNING
    lock.release()


def test_one_who_looks_does_not_keep_a_fund_from_starting(tmp_path: Path) -> None:
    ProcessLock(tmp_path).release()
    code = (
        "import sys; from pathlib import Path\n"
        "from agent_fund.fund.control_process import life_of\n"
        "print(flush=True)\n"
        "while True: life_of(Path(sys.argv[1]))"
    )
    looking = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert looking.stdout is not None
        looking.stdout.readline()
        for _ in range(50):
            ProcessLock(tmp_path).release()
    finally:
        looking.kill()
        looking.communicate()


def test_an_id_that_was_given_to_another_process_is_not_believed(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path)
    for changes in (
        {"started": started_of(os.getpid()) + "1"},
        {"started": "another-boot/1"},
        {"pid": 1},
        {"pid": 2**22 + 1},
    ):
        before = json.loads((tmp_path / LOCK).read_text())
        rewrite(tmp_path, **changes)
        assert life_of(tmp_path) is Life.DEAD, changes
        rewrite(tmp_path, **before)
        assert life_of(tmp_path) is Life.RUNNING
    lock.release()


def test_an_id_and_a_beginning_without_the_lock_are_not_believed(tmp_path: Path) -> None:
    ProcessLock(tmp_path).release()
    found = read_process(tmp_path)
    assert found is not None
    assert (found.pid, found.started) == (this_process().pid, this_process().started)
    assert life_of(tmp_path) is Life.DEAD


def test_a_lock_held_by_a_child_does_not_make_its_dead_parent_live(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    told, tell = context.Pipe()

    def parent() -> None:
        lock = ProcessLock(tmp_path)
        if os.fork() == 0:
            tell.send(os.getpid())
            signal.pause()
        lock.release()
        os._exit(0)

    process = context.Process(target=parent)
    process.start()
    child = told.recv()
    process.join()
    try:
        assert life_of(tmp_path) is Life.DEAD
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_fund_on_another_host_is_neither_alive_nor_dead_here(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path)
    rewrite(tmp_path, host="elsewhere.example")
    assert life_of(tmp_path) is Life.ELSEWHERE
    lock.release()
    assert life_of(tmp_path) is Life.ELSEWHERE


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"pid": "1"}'])
def test_a_lock_that_does_not_say_whose_it_is_counts_by_itself(
    tmp_path: Path, content: bytes
) -> None:
    lock = ProcessLock(tmp_path)
    (tmp_path / LOCK).write_bytes(content)
    assert life_of(tmp_path) is Life.RUNNING
    lock.release()
    assert life_of(tmp_path) is Life.DEAD
