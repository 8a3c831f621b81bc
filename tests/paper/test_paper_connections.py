"""Files of connections that are shipped fit the run files that they are for."""

from __future__ import annotations

import tomllib
from pathlib import Path

from agent_fund.paper.connections import load_connections

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
