"""Files of connections: the shipped one fits its run file, and no account is counted twice."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from paper_world import connections, devnet, short, workspace

from agent_fund.devnet.packages import missing
from agent_fund.paper.connections import load_connections
from agent_fund.paper.errors import PaperError
from agent_fund.paper.run import paper

BACKTESTS = Path(__file__).parents[2] / "backtests"


def test_the_file_for_binance_reaches_every_venue_and_instrument_of_the_carry_run() -> None:
    reached = load_connections(BACKTESTS / "connections" / "binance.toml")
    run = tomllib.loads((BACKTESTS / "devnet_carry.toml").read_text("utf-8"))
    assert set(reached.venues) == {venue["name"] for venue in run["venues"]}
    for line in run["instruments"]:
        venue = reached.venues[line["venue"]]
        assert line["symbol"] in venue.markets
        assert (venue.kind == "binance_futures") == (line.get("kind") == "perpetual")
    assert {reached.carriers["wallet"].spot, reached.carriers["wallet"].futures} == set(
        reached.venues
    )


@pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
def test_two_venues_at_one_account_do_not_start(tmp_path: Path) -> None:
    runfile = workspace(tmp_path, lambda text: short(text, 2))
    with devnet(runfile, tmp_path / ".devnet") as running:
        file = connections(running)
        content = json.loads(file.read_text("utf-8"))
        content["venues"]["cow"]["key"] = content["venues"]["chain-b"]["key"]
        changed = tmp_path / "connections.json"
        changed.write_text(json.dumps(content), "utf-8")
        with pytest.raises(PaperError, match="chain-b has the same account"):
            paper(runfile, connections=changed)
