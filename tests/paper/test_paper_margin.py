"""Cash and carry on real accounts: a spot account, a margin account, and what the latter tells."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from carry_world import carry
from paper_world import Devnet, connections, devnet

from agent_fund.audit.verify import verify
from agent_fund.backtest.errors import Interrupted
from agent_fund.devnet.packages import missing
from agent_fund.paper.clock import WallClock
from agent_fund.paper.run import paper

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
SCALE = 12


def accounts(running: Devnet) -> dict[str, tuple[int, Decimal]]:
    """(cash in the fund's units, contracts or coins) by venue, as the exchange has them."""
    exchange = running.network.exchange
    spot, margin = exchange.spot_account, exchange.margin_account
    return {
        "exchange": (int(spot.total("USDT").scaleb(SCALE)), spot.total("ETH")),
        "futures": (int(margin.cash.scaleb(SCALE)), margin.position("ETHUSDT").quantity),
    }


def books(session) -> dict[str, tuple[int, Decimal]]:
    """The same by the ledger."""
    book = session.fund.book
    held = {i.venue.name: i.base.amount(book.position(s)) for s, i in book.instruments.items()}
    return {place: (cash, held[place]) for place, cash in book.places.items()}


def records(folder: Path, kind: str) -> list[dict]:
    log = sqlite3.connect(folder / "log.sqlite")
    found = [json.loads(body) for (body,) in log.execute("SELECT body FROM leaf ORDER BY seq")]
    log.close()
    return [record for record in found if record["kind"] == kind]


def require_equal(running: Devnet, session, folder: Path) -> None:
    """The ledger is the accounts, but for funding paid since the fund asked the last time."""
    booked, there = books(session), accounts(running)
    paid = sum(p.amount for p in running.network.exchange.margin_account.payments)
    unheard = int(paid.scaleb(SCALE)) - sum(int(r["amount"]) for r in records(folder, "funding"))
    assert booked["exchange"] == there["exchange"]
    assert booked["futures"] == (there["futures"][0] - unheard, there["futures"][1])


def test_a_carry_fund_holds_both_legs_earns_funding_and_its_books_are_the_accounts(
    tmp_path: Path,
) -> None:
    runfile = carry(tmp_path, 14)
    kept = {}

    def told(tick, session, stores) -> None:
        kept["session"], kept["alarms"] = session, stores.alarms.all()

    with devnet(runfile, tmp_path / ".devnet", step=0.2) as running:
        finished = paper(runfile, connections=connections(running), told_bar=told)
        require_equal(running, kept["session"], finished.folder)
        timers = [p for m, path, p in running.network.exchange.seen if "countdown" in path]
    assert not kept["alarms"]
    booked = books(kept["session"])
    assert booked["exchange"][1] > 0 > booked["futures"][1]
    assert records(finished.folder, "funding")
    assert Decimal(finished.summary["perpetuals"]["funding_received"]) > 0
    assert verify(finished.folder).run == finished.summary["run"]
    # The venue would have cancelled everything; at the end nothing was left to cancel.
    assert [t["countdownTime"] for t in timers] == ["120000", "0"]


def test_a_stopped_run_goes_on_and_hears_no_payment_twice(tmp_path: Path) -> None:
    runfile = carry(tmp_path, 16)
    clock, kept = WallClock(), {}

    def stops(tick, session, stores) -> None:
        if any(stores.tape.answers("futures clearing")) and tick.bar >= 5:
            clock.stop()

    def told(tick, session, stores) -> None:
        kept["session"], kept["alarms"] = session, stores.alarms.all()

    with devnet(runfile, tmp_path / ".devnet", step=0.2) as running:
        wires = connections(running)
        with pytest.raises(Interrupted):
            paper(runfile, connections=wires, clock=clock, told_bar=stops)
        (folder,) = (tmp_path / "runs").iterdir()
        finished = paper(runfile, connections=wires, resume=folder, told_bar=told)
        require_equal(running, kept["session"], finished.folder)
    assert not kept["alarms"]
    bars = [r["bar"] for r in records(finished.folder, "funding")]
    assert len(bars) == len(set(bars)) > 1
    assert verify(finished.folder).run == finished.summary["run"]


def test_a_short_that_its_venue_closes_is_booked_and_the_coin_is_sold(tmp_path: Path) -> None:
    runfile = carry(tmp_path, 26)
    kept = {"short": []}

    def told(tick, session, stores) -> None:
        kept["session"], kept["alarms"] = session, stores.alarms.all()
        kept["short"].append(books(session)["futures"][1])
        if tick.bar == 6:
            running.do(deleverage(running))

    async def deleverage(running: Devnet) -> None:
        exchange = running.network.exchange
        held = exchange.margin_account.position("ETHUSDT").quantity
        exchange.futures_market.deleverage("ETHUSDT", round(abs(held) / 2, 2))

    with devnet(runfile, tmp_path / ".devnet", step=0.2) as running:
        finished = paper(runfile, connections=connections(running), told_bar=told)
        require_equal(running, kept["session"], finished.folder)
    (forced,) = records(finished.folder, "forced")
    assert int(forced["quantity"]) < 0
    assert finished.summary["perpetuals"]["liquidations"] == 1
    assert finished.summary["guarantee"] == "assumption failed"
    assert [f["assumption"] for f in finished.summary["failures"]][-1] == "A7"
    booked = books(kept["session"])
    # The legs were evened by selling coins, within a bar or two of the news.
    assert abs(booked["exchange"][1] + booked["futures"][1]) <= Decimal("0.01")
    assert not kept["alarms"]
    assert verify(finished.folder).run == finished.summary["run"]


def at_hyperliquid(text: str) -> str:
    """The perpetual at Hyperliquid, whose contracts have four decimals and another tick."""
    text = text.replace('"futures"', '"hyperliquid"').replace("asset_scale = 3", "asset_scale = 4")
    before, after = text.split("[instruments.funding]")
    head, _, tail = before.rpartition('tick = "0.01"')
    head = head.replace('lot = "0.001"', 'lot = "0.0001"')
    return f'{head}tick = "0.1"{tail}[instruments.funding]{after}'


def test_the_same_strategy_carries_at_hyperliquid_with_signed_actions(tmp_path: Path) -> None:
    runfile = carry(tmp_path, 12, at_hyperliquid)
    kept = {}

    def told(tick, session, stores) -> None:
        kept["session"], kept["alarms"] = session, stores.alarms.all()

    with devnet(runfile, tmp_path / ".devnet", step=0.2) as running:
        finished = paper(runfile, connections=connections(running), told_bar=told)
        account = running.network.exchange.usdc_account
    assert not kept["alarms"]
    paid = sum(p.amount for p in account.payments).scaleb(SCALE)
    unheard = int(paid) - sum(int(r["amount"]) for r in records(finished.folder, "funding"))
    cash, contracts = books(kept["session"])["hyperliquid"]
    assert (cash + unheard, contracts) == (
        int(account.cash.scaleb(SCALE)),
        account.position("ETH").quantity,
    )
    assert contracts < 0
    assert records(finished.folder, "funding")
    assert verify(finished.folder).run == finished.summary["run"]
