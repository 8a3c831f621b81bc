"""Two funds do not trade at one account: the second start is refused while the first run lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from accounts_world import Accounts, accounts, slow
from carry_world import carry

from agent_fund.audit.verify import verify
from agent_fund.paper.account_locks import AccountLocks, locks_folder
from agent_fund.paper.errors import PaperError

ACCOUNT = ("binance", "", "key")
HOLD = """
import sys, time
from pathlib import Path
from agent_fund.paper.account_locks import AccountLocks
AccountLocks(Path(sys.argv[1]), Path(sys.argv[2])).take("exchange", ("binance", "", "key"))
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def test_a_second_fund_at_the_same_accounts_is_refused_and_the_first_goes_on(
    tmp_path: Path, world: Accounts
) -> None:
    runfile, refusals = carry(tmp_path, 6, slow), list[str]()

    def told(tick, session, stores) -> None:
        if tick.bar == 3:
            with pytest.raises(PaperError) as refused:
                world.run(runfile)
            refusals.append(str(refused.value))

    finished = world.run(runfile, told)
    (said,) = refusals
    assert said.startswith(f"account of exchange: the run {finished.folder.resolve()} trades there")
    assert f"process {os.getpid()}" in said
    assert "stop that run first" in said
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [finished.folder.name]
    assert verify(finished.folder).run == finished.summary["run"]
    assert list(locks_folder().iterdir()) == []


def test_an_account_is_free_once_the_process_that_held_it_is_killed(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(tmp_path / "a"), str(tmp_path / "locks")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            locks = AccountLocks(tmp_path / "b", tmp_path / "locks")
            with pytest.raises(PaperError, match=f"/a trades there .process {process.pid}"):
                locks.take("spot", ACCOUNT)
            locks.take("spot", ("binance", "", "another"))
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    locks.take("spot", ACCOUNT)
    locks.take("spot", ACCOUNT)
    locks.release()
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_lock_whose_file_was_removed_while_it_was_awaited_is_taken_on_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (AccountLocks(tmp_path / name, tmp_path / "locks") for name in "ab")
    first.take("spot", ACCOUNT)
    opened, times = os.open, list[str]()

    def released_behind_it(path, *more):
        handle = opened(path, *more)
        times.append(path)
        if len(times) == 1:
            first.release()
        return handle

    monkeypatch.setattr("agent_fund.paper.account_locks.os.open", released_behind_it)
    second.take("spot", ACCOUNT)
    assert len(times) == 2
    with pytest.raises(PaperError, match="b trades there"):
        first.take("spot", ACCOUNT)
    second.release()


def test_a_folder_that_cannot_be_used_is_told_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(PaperError, match="make it writable"):
        AccountLocks(tmp_path, tmp_path / "locks").take("spot", ACCOUNT)
