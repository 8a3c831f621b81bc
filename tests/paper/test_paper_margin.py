"""Cash and carry on the devnet: a spot account, a margin account, and what the latter tells.

What goes wrong there is in test_paper_accounts, on a clock of its own.
"""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from carry_world import carry
from paper_world import Devnet, connections, devnet

from agent_fund.audit.verify import verify
from agent_fund.devnet.packages import missing
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
