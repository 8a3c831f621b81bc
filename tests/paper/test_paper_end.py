"""How a run ends: what it still holds is told wherever a person looks, or closed if asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from accounts_world import Accounts, accounts, records, slow
from carry_world import carry

from agent_fund.audit.verify import verify
from agent_fund.backtest.errors import RunFileError, RunFolderError
from agent_fund.cli.main import run as cli
from agent_fund.fund.control_command import Act
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper.errors import PaperError
from agent_fund.paper.run import paper

Capture = pytest.CaptureFixture[str]


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def flattening(text: str) -> str:
    text = slow(text)
    assert 'at_end = "hold"  ' in text
    return text.replace('at_end = "hold"  ', 'at_end = "flatten"  ')


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def test_what_a_finished_run_holds_is_told_wherever_a_person_looks(
    tmp_path: Path, world: Accounts, capsys: Capture
) -> None:
    runfile = carry(tmp_path, 9, slow)
    finished = world.run(runfile)
    spot, short = (world.there()[venue][1] for venue in ("exchange", "futures"))
    assert spot > 0 > short
    names = [f"{spot:.5f} ETH at exchange", f"{short:.3f} ETH-PERP at futures"]
    assert [str(position) for position in finished.held] == names
    capsys.readouterr()
    for arguments, code in (
        (["status", str(finished.folder)], 0),
        (["flatten", str(finished.folder), "--by", "ann", "--why", "enough"], 2),
        (["paper", str(runfile), "--resume", str(finished.folder)], 7),
    ):
        assert cli(arguments) == code
        said = " ".join("".join(capsys.readouterr()).split())
        assert f"still held, and unguarded from now on: {', '.join(names)}" in said
        assert "close it at the venue yourself" in said
    assert cli(["status", str(finished.folder), "--json"]) == 0
    assert "unguarded from now on" in json.loads(capsys.readouterr().out)["ended"]


def test_a_flat_run_that_has_had_its_bars_says_no_more(tmp_path: Path, world: Accounts) -> None:
    runfile = carry(tmp_path, 5, slow)

    def told(tick, session, stores) -> None:
        if tick.bar == 2:
            ControlFile(run_of(tmp_path)).ask(Act.FLATTEN, "ann", "the trial is over")

    finished = world.run(runfile, told)
    assert finished.held == ()
    assert ControlFile(finished.folder).read().ended == "it has had its bars"
    with pytest.raises(RunFolderError, match=r"finished: it has had its bars$"):
        paper(runfile, resume=finished.folder)


@pytest.mark.parametrize("halted", [False, True])
@pytest.mark.parametrize("killed", [False, True])
def test_a_run_that_is_to_end_flat_is_closed_by_its_guard_and_its_log_verifies(
    tmp_path: Path, world: Accounts, halted: bool, killed: bool
) -> None:
    runfile, modes = carry(tmp_path, 8, flattening), list[Mode]()

    def told(tick, session, stores) -> None:
        modes.append(tick.mode)
        if tick.bar == 5 and halted:
            ControlFile(run_of(tmp_path)).ask(Act.HALT, "ann", "a look at the books")
        if tick.mode is Mode.EXITING and killed and not lives:
            lives.append(tick.bar)
            raise Killed

    lives: list[int] = []
    if killed:
        with pytest.raises(Killed):
            world.run(runfile, told)
        finished = world.run(runfile, told, resume=run_of(tmp_path))
    else:
        finished = world.run(runfile, told)
    assert (finished.held, modes[-1]) == ((), Mode.HALTED)
    assert [held for _, held in world.there().values()] == [0, 0]
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]
    (kill,) = [r for r in records(finished.folder, "guard") if r["act"] == "kill"]
    assert kill["bar"] == 7


def test_a_run_without_an_end_cannot_close_at_its_end(tmp_path: Path, world: Accounts) -> None:
    runfile = carry(tmp_path, 0, flattening)
    with pytest.raises(RunFileError, match="bars = 0 it has no end"):
        world.run(runfile)


def test_a_refused_start_leaves_no_folder_and_names_the_run_that_may_have_the_cash(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = carry(tmp_path, 9, slow)
    first = world.run(runfile).folder
    account = world.exchange.margin_account
    world.call(lambda: account.positions.clear())
    with pytest.raises(PaperError, match="cash at exchange") as refused:
        world.run(runfile)
    assert run_of(tmp_path) == first
    (note,) = refused.value.__notes__
    assert note.startswith(f"{first.name} is over, and it holds ")
    assert note.endswith("close that at its venue")


def test_without_a_file_of_connections_the_devnet_of_this_run_file_is_named(
    tmp_path: Path,
) -> None:
    runfile = carry(tmp_path, 9, slow)
    with pytest.raises(PaperError, match=f"agent-fund devnet up {runfile}"):
        paper(runfile)
    assert not (tmp_path / "runs").exists()


def test_on_another_devnet_the_fix_is_named_and_no_folder_is_left(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = carry(tmp_path, 9, slow)
    file = json.loads(world.connections.read_text())
    del file["venues"]["futures"], file["carriers"]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(file))
    with pytest.raises(PaperError, match=r"the file has: exchange; .*agent-fund devnet up RUNFILE"):
        paper(runfile, connections=other)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_start_that_fails_behind_its_first_bar_keeps_its_folder(
    tmp_path: Path, world: Accounts
) -> None:
    def told(tick, session, stores) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        world.run(carry(tmp_path, 9, slow), told)
    assert run_of(tmp_path).is_dir()
