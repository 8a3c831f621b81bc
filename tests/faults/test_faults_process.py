"""A run on the devnet, killed by the system again and again, ends like any other."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_stage import AT, USD
from faults_world import verdict_of

from agent_fund.devnet.connection_file import FILE
from agent_fund.devnet.packages import missing
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.live.adapter import Holdings
from agent_fund.paper.connections import load_connections
from agent_fund.paper.wiring import Wiring

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "agent_fund.cli.main"]
RUNFILE = "backtests/devnet.toml"
BARS = 9  # the strategy buys at all venues at once after the sixth
SEED = 20_261_123


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The repository's own run file, with bars of a second."""
    for folder in ("strategies", "guardrails"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    (tmp_path / "backtests").mkdir()
    text = (REPOSITORY / RUNFILE).read_text("utf-8")
    before, section, paper = text.partition("[paper]")
    paper = re.sub(r'^bar = ".*"', 'bar = "1s"', paper, flags=re.MULTILINE)
    paper = re.sub(r"^bars = \d+", f"bars = {BARS}", paper, flags=re.MULTILINE)
    (tmp_path / RUNFILE).write_text(before + section + paper)
    return tmp_path


@pytest.fixture
def devnet(workspace: Path) -> Iterator[None]:
    """The devnet as a process of its own, for as long as the test lasts."""
    command = [*COMMAND, "devnet", "up", RUNFILE, "--step", "1"]
    with subprocess.Popen(command, cwd=workspace, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("Ctrl-C" in line for line in process.stdout), "it did not come up"
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def command(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=workspace, capture_output=True, text=True, check=False
    )


def killed(workspace: Path, arguments: list[str], writes: int) -> bool:
    """Start a run and kill it after so many writes to its live file; False if it ended first."""
    seen, last = 0, 0
    with (workspace / "out.txt").open("a") as out:
        process = subprocess.Popen([*COMMAND, *arguments], cwd=workspace, stdout=out, stderr=out)
        try:
            while process.poll() is None and seen < writes:
                times = [f.stat().st_mtime_ns for f in workspace.glob("runs/*/live.sqlite-wal")]
                if times and times[0] != last:
                    seen, last = seen + 1, times[0]
                time.sleep(0.0005)
            ended = process.poll() is not None
        finally:
            process.kill()
            process.wait()
    return not ended


@pytest.mark.usefixtures("devnet")
def test_a_run_killed_at_random_moments_and_resumed_is_verified_and_its_books_are_the_venues(
    workspace: Path,
) -> None:
    moments = random.Random(SEED)
    arguments, kills = ["paper", RUNFILE], 0
    for first, last in ((8, 24), (2, 12)):
        kills += killed(workspace, arguments, moments.randint(first, last))
        (folder,) = workspace.glob("runs/devnet-*")
        arguments = ["paper", RUNFILE, "--resume", str(folder)]
    assert kills == 2, (workspace / "out.txt").read_text()
    ended = command(workspace, *arguments)
    assert ended.returncode == 0, ended.stderr
    verified = command(workspace, "audit", "verify", str(folder))
    assert verified.returncode == 0, verified.stdout
    told = json.loads(command(workspace, "status", str(folder), "--json").stdout)
    assert told["life"] == "ended"
    status = told["status"]
    assert status["bar"] >= BARS - 1  # it goes on while anything is under way
    assert status["alarms"] == []
    assert status["orders"] == []  # else the books could not yet be what the venues say
    cash = {one["name"]: one["detail"].removesuffix(" USD") for one in status["venues"]}
    coins = {one["symbol"]: one["quantity"] for one in status["positions"]}
    assert len(coins) == len(AT)
    for venue, found in asyncio.run(holdings(workspace)).items():
        line = AT[venue]
        assert found.assets[USD.symbol] == USD.units(cash[venue]), venue
        assert found.assets[line.base.symbol] == line.quantity(coins[line.symbol]), venue
        assert not found.open_references


async def holdings(workspace: Path) -> dict[str, Holdings]:
    """What the venues say that the fund has."""
    wires = load_connections(workspace / ".devnet" / FILE)

    def nothing(venue: str, leg_id: str) -> None:
        """Nothing is signed here."""

    wiring = Wiring(
        wires, list(AT.values()), USD, Keyring(workspace), bytes(32), nothing, verdict_of
    )
    wired = await wiring.build()
    try:
        now = time.time_ns() // 1_000_000
        return {name: await a.holdings(now) for name, a in wired.adapters.items()}
    finally:
        await wired.close()
