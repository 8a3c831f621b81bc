"""Operators and keys in a whole run: what they say is done, and what is secret stays so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from paper_world import connections, devnet, short, strategy, workspace

sys.path.insert(0, str(Path(__file__).parents[1] / "keys"))

from artefacts import find_secrets, find_secrets_in

from agent_fund.audit.verify import verify
from agent_fund.devnet.anvil import DEVELOPMENT_KEYS
from agent_fund.devnet.packages import missing
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.fund.control_command import Act
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper.run import paper

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)


def test_a_fund_is_halted_resumed_and_flattened_between_two_bars_and_its_log_verifies(
    tmp_path: Path,
) -> None:
    runfile = workspace(tmp_path, lambda text: short(text, 11))
    seen = []

    def told(tick, session, stores) -> None:
        fund = session.fund
        seen.append((tick.bar, fund.held, fund.machine.mode, dict(fund.book.positions)))
        (folder,) = (tmp_path / "runs").iterdir()
        board = ControlFile(folder)
        if tick.bar == 2:
            board.ask(Act.HALT, "ann", "a look at the books")
        elif tick.bar == 4:
            board.ask(Act.RESUME, "ann", "they are right")
        elif tick.bar == 6:
            board.ask(Act.FLATTEN, "bob", "the trial is over")

    with devnet(runfile, tmp_path / ".devnet") as running:
        finished = paper(runfile, connections=connections(running), told_bar=told)
    held = [bar for bar, on_hold, _, _ in seen if on_hold]
    assert held == [3, 4]
    assert seen[-1][2] is Mode.HALTED
    assert not any(seen[-1][3].values())
    acts = finished.summary["acts"]
    assert acts["hold"] == acts["resume"] == acts["kill"] == acts["done"] == 1
    commands = ControlFile(finished.folder).read().commands
    assert [c.outcome.value for c in commands] == ["done", "done", "done"]
    assert verify(finished.folder).run == finished.summary["run"]


def test_no_artefact_of_a_run_holds_a_key(tmp_path: Path, monkeypatch, capfd) -> None:
    trader = DEVELOPMENT_KEYS[1]
    secrets = {"trader": bytes.fromhex(trader[2:]), "exchange": b"loopback-secret"}
    runfile = workspace(
        tmp_path,
        lambda text: strategy(
            short(text, 4),
            "strategies/moving_average_cross.py",
            "MovingAverageCross",
            'symbol = "ETH-B"\nfast = 2\nslow = 60\nexposure = "10%"',
        ),
    )
    monkeypatch.setenv("TRADER_KEY", trader)
    monkeypatch.setenv("EXCHANGE_KEY", "loopback-key")
    monkeypatch.setenv("EXCHANGE_SECRET", "loopback-secret")
    with devnet(runfile, tmp_path / ".devnet") as running:
        content = json.loads(connections(running).read_text("utf-8"))
        content["venues"]["chain-b"]["key"] = "env:TRADER_KEY"
        content["venues"]["exchange"]["credentials"] = "env:EXCHANGE_KEY,EXCHANGE_SECRET"
        own = tmp_path / "own.json"
        own.write_text(json.dumps(content), "utf-8")
        finished = paper(runfile, connections=own)
        # And what goes wrong tells nothing either.
        content["chains"]["chain-b"]["chain_id"] = 1
        own.write_text(json.dumps(content), "utf-8")
        with pytest.raises(Exception) as failed:
            paper(runfile, connections=own, out=tmp_path / "again")
    assert find_secrets([finished.folder, tmp_path / "again", tmp_path / "own.json"], secrets) == []
    told = capfd.readouterr()
    text = "".join([told.out, told.err, str(failed.value), repr(failed.value)]).encode()
    assert find_secrets_in("what was printed and raised", text, secrets) == []


def test_a_run_file_or_connections_that_hold_a_key_are_refused(tmp_path: Path) -> None:
    key = DEVELOPMENT_KEYS[2]
    runfile = workspace(
        tmp_path, lambda text: text.replace("lookback = 5", f'lookback = 5\nseed = "{key}"')
    )
    with pytest.raises(KeyRefused) as refused:
        paper(runfile, connections=tmp_path / "none.json")
    assert key not in str(refused.value)
    folder = tmp_path / "second"
    folder.mkdir()
    runfile = workspace(folder, lambda text: text)
    (folder / "with.json").write_text(json.dumps({"venues": {"near": {"key": key}}}), "utf-8")
    with pytest.raises(KeyRefused) as refused:
        paper(runfile, connections=folder / "with.json")
    assert key not in str(refused.value)
