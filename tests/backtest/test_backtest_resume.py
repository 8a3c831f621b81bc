"""A run that was cut off anywhere is resumed to the very bytes of one that was not."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backtest_killed import DIED
from backtest_workspace import MODEL, SMA, changed, make, make_margined, planned, record_cassette

from agent_fund.audit.canonical import encode
from agent_fund.audit.errors import AuditError
from agent_fund.audit.manifest import MANIFEST
from agent_fund.audit.recorder import ResumeError
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.verify import HISTORY, LOG, SUMMARY, verify
from agent_fund.backtest.errors import RunFolderError
from agent_fund.backtest.run import backtest

Workspace = Callable[..., Path]
KILLED = Path(__file__).with_name("backtest_killed.py")
ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SHORT = ("end = 2008-04-01", "end = 2007-09-01")
ALONE = ("unguarded = true", "unguarded = false")
SAMPLED = 6
THROTTLES = """
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle

mandate.add(repeated_execution_throttle(times=3, bars=12))
mandate.add(turnover_throttle("2.2%", bars=8))
"""


class Whole:
    """An uninterrupted run, how often its log was committed, and what it left."""

    def __init__(self, path: Path, commits: int, folder: Path) -> None:
        self.path = path
        self.commits = commits
        self.verified = verify(folder)
        self.summary = (folder / SUMMARY).read_bytes()
        self.history = (folder / HISTORY).read_bytes()


@pytest.fixture(scope="module")
def whole(market: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A model's run that nobody interrupted."""
    path = make(
        tmp_path_factory.mktemp("whole") / "workspace", SHORT, ALONE, (SMA, MODEL), market=market
    )
    record_cassette(path)
    done = subprocess.run(
        command(path, "none"), capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return Whole(path, int(done.stdout), next(runs(path).iterdir()))


@pytest.fixture(scope="module")
def margined(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run over two venues with funding and transfers that nobody interrupted."""
    plan = {
        4: ["buy 300 COIN", "sell 300 PERP"],
        20: ["move 90000 futures wallet"],
        31: ["buy 40 PERP", "move 50000 wallet futures"],
        60: ["sell 900 PERP"],
        80: ["buy all PERP"],
    }
    path = make_margined(tmp_path_factory.mktemp("margined") / "workspace", planned(plan), ALONE)
    done = subprocess.run(
        command(path, "none"), capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return Whole(path, int(done.stdout), next(runs(path).iterdir()))


@pytest.fixture(scope="module")
def throttled(market: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run whose agent sends more than its throttles let through."""
    plan = {bar: ["buy 5 SP500"] if bar % 3 else ["buy 8 NASDAQ"] for bar in range(2, 40)}
    path = make(
        tmp_path_factory.mktemp("throttled") / "workspace",
        SHORT,
        ALONE,
        (SMA, planned(plan)),
        market=market,
    )
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text(file.read_text() + THROTTLES)
    done = subprocess.run(
        command(path, "none"), capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return Whole(path, int(done.stdout), next(runs(path).iterdir()))


def runs(path: Path) -> Path:
    return path.parent.parent / "runs"


def command(path: Path, place: str, number: int = 0) -> list[str]:
    return [sys.executable, str(KILLED), str(path), place, str(number)]


def died(path: Path, place: str, number: int = 0) -> Path:
    """The folder that a run left which died there."""
    before = set(runs(path).iterdir())
    done = subprocess.run(
        command(path, place, number), capture_output=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == DIED, done.stderr
    (folder,) = set(runs(path).iterdir()) - before
    assert not (folder / MANIFEST).exists()
    return folder


def require_whole(whole: Whole, folder: Path) -> None:
    assert backtest(whole.path, resume=folder).folder == folder
    assert verify(folder) == whole.verified
    assert (folder / SUMMARY).read_bytes() == whole.summary
    assert (folder / HISTORY).read_bytes() == whole.history


@pytest.mark.parametrize("sample", range(SAMPLED))
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_run_killed_at_a_commit_is_resumed(whole: Whole, place: str, sample: int) -> None:
    ends = [1, 2, whole.commits - 1, whole.commits]
    inner = random.Random(place).sample(range(3, whole.commits - 1), SAMPLED)
    number = [*ends, *inner][sample]
    require_whole(whole, died(whole.path, place, number))


@pytest.mark.parametrize("sample", range(SAMPLED))
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_margined_run_killed_at_a_commit_is_resumed(
    margined: Whole, place: str, sample: int
) -> None:
    number = random.Random(f"{place} {sample}").randrange(1, margined.commits + 1)
    require_whole(margined, died(margined.path, place, number))


@pytest.mark.parametrize("sample", range(SAMPLED))
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_throttled_run_killed_at_a_commit_refuses_the_same_proposals(
    throttled: Whole, place: str, sample: int
) -> None:
    """What was sent before the kill counts after it: the log is the very same, refusals and all."""
    reasons = json.loads(throttled.summary)["reasons"]
    assert min(reasons["repeated_execution_throttle"], reasons["turnover_throttle"]) > 2
    number = random.Random(f"{place} {sample}").randrange(1, throttled.commits + 1)
    require_whole(throttled, died(throttled.path, place, number))


def test_a_margined_run_killed_at_any_moment_is_resumed(margined: Whole) -> None:
    killed_at_any_moment(margined)


@pytest.mark.parametrize("place", ["settle", "sealed", HISTORY, SUMMARY, "report.html", MANIFEST])
def test_a_run_killed_after_its_log_was_whole_is_resumed(whole: Whole, place: str) -> None:
    require_whole(whole, died(whole.path, place))


def test_a_run_killed_at_any_moment_is_resumed(whole: Whole) -> None:
    killed_at_any_moment(whole)


def killed_at_any_moment(whole: Whole) -> None:
    rng = random.Random(0)
    before = set(runs(whole.path).iterdir())
    with subprocess.Popen(
        command(whole.path, "none"), env=ENVIRONMENT, stdout=subprocess.PIPE
    ) as process:
        while not (new := set(runs(whole.path).iterdir()) - before):
            assert process.poll() is None
        (folder,) = new
        while process.poll() is None and not (folder / LOG).exists():
            pass
        # It runs for some tenths of a second from here on.
        for _ in range(rng.randrange(10**6)):
            pass
        process.kill()
    if (folder / MANIFEST).exists():
        assert verify(folder) == whole.verified
    else:
        require_whole(whole, folder)


def test_a_record_that_the_run_does_not_make_stops_the_resumption(whole: Whole) -> None:
    folder = died(whole.path, "after", 3)
    log = SqliteLog(folder / LOG)
    log.append(log.leaf(0))
    size = log.size
    log.close()
    with pytest.raises(ResumeError, match=f"record {size - 1}"):
        backtest(whole.path, resume=folder)
    assert not (folder / MANIFEST).exists()


def test_a_finished_run_is_not_resumed(whole: Whole) -> None:
    folder = next(f for f in runs(whole.path).iterdir() if (f / MANIFEST).exists())
    with pytest.raises(RunFolderError, match="finished"):
        backtest(whole.path, resume=folder)


def test_what_is_no_run_folder_is_not_resumed(whole: Whole, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no log\.sqlite"):
        backtest(whole.path, resume=tmp_path)
    (tmp_path / LOG).write_bytes(b"not a log" * 1000)
    with pytest.raises(AuditError, match="log"):
        backtest(whole.path, resume=tmp_path)
    assert not (tmp_path / MANIFEST).exists()


@pytest.fixture
def cut_off(workspace: Workspace) -> tuple[Path, Path]:
    """A run file and the folder of a run of it that was cut off."""
    path = workspace(SHORT, ALONE)
    runs(path).mkdir()
    return path, died(path, "after", 4)


def another_parameter(path: Path) -> None:
    path.write_text(changed(path.read_text(), ("fast = 5", "fast = 4")))


def another_window(path: Path) -> None:
    path.write_text(changed(path.read_text(), ("2007-09-01", "2007-09-10")))


def another_strategy_file(path: Path) -> None:
    file = path.parent.parent / "strategies" / "moving_average_cross.py"
    file.write_text(file.read_text() + "\n")


def another_mandate(path: Path) -> None:
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text(changed(file.read_text(), ('"20%"', '"21%"')))


def another_lock_file(path: Path) -> None:
    (path.parent.parent / "uv.lock").write_text("another")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (another_parameter, "strategy.parameters."),
        (another_window, "market."),
        (another_strategy_file, "the strategy's file is another"),
        (another_mandate, "mandate."),
        (another_lock_file, "the lock file is another"),
    ],
)
def test_a_run_whose_inputs_changed_is_not_resumed(
    cut_off: tuple[Path, Path], change: Callable[[Path], None], said: str
) -> None:
    path, folder = cut_off
    before = leaves(folder)
    change(path)
    with pytest.raises(ResumeError, match="record 0, with which the run began") as refused:
        backtest(path, resume=folder)
    assert said in str(refused.value)
    assert "undo what has changed since, or begin a new run" in str(refused.value)
    assert len(str(refused.value)) < 500
    assert leaves(folder) == before
    assert not (folder / MANIFEST).exists()


def test_a_mandate_file_with_another_comment_is_the_same_mandate(
    cut_off: tuple[Path, Path],
) -> None:
    path, folder = cut_off
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text(file.read_text() + "\n# the same limits\n")
    assert verify(backtest(path, resume=folder).folder).guarantee == "held"


def test_a_log_that_another_run_wrote_is_not_resumed(cut_off: tuple[Path, Path]) -> None:
    path, folder = cut_off
    old = leaves(folder)
    (folder / LOG).unlink()
    log = SqliteLog(folder / LOG, create=True)
    for leaf in [*old[:-1], encode({"kind": "mark", "rows": []})]:
        log.append(leaf)
    log.close()
    with pytest.raises(ResumeError, match=f"record {len(old) - 1}"):
        backtest(path, resume=folder)


def leaves(folder: Path) -> list[bytes]:
    log = SqliteLog(folder / LOG)
    found = list(log.leaves())
    log.close()
    return found
