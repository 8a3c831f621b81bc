"""Margin moved between two wallets of one account by a fund: its books are the accounts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from carry_world import carry
from paper_world import Devnet, connections, devnet, strategy
from time_outs import withheld_answers_time_out

from agent_fund.audit.verify import verify
from agent_fund.backtest.assemble import assemble
from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.packages import missing
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.paper.connections import load_connections
from agent_fund.paper.errors import PaperError
from agent_fund.paper.run import paper
from agent_fund.paper.wiring import Wired, Wiring

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
PATH = "/sapi/v1/asset/transfer"
MOVER = '''
"""A strategy for tests: margin to the futures account, and part of it back."""

from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Proposal
from agent_fund.domain.transfer import Transfer


class Mover:
    def __init__(self, there, back):
        self.moves = [("exchange", "futures", there), ("futures", "exchange", back)]

    def decide(self, snapshot, book):
        if book.transit or not self.moves:
            return HOLD
        source, target, amount = self.moves.pop(0)
        return Proposal((), transfers=(Transfer(book.currency.units(amount), source, target),))
'''


def moving(folder: Path, bars: int) -> Path:
    def change(text: str) -> str:
        moves = 'there = "10000.12345678"\nback = "4000.00000001"'
        text = strategy(text, "strategies/mover.py", "Mover", moves)
        assert "[transfers]\nbars = 1" in text
        return text.replace("[transfers]\nbars = 1", "[transfers]\nbars = 5")

    runfile = carry(folder, bars, change)
    (folder / "strategies" / "mover.py").write_text(MOVER, "utf-8")
    return runfile


def accounts(running: Devnet) -> dict[str, Decimal]:
    exchange = running.network.exchange
    return {
        "exchange": exchange.spot_account.total("USDT"),
        "futures": exchange.margin_account.wallet,
    }


@pytest.mark.parametrize("fault", [None, Fault.SILENT])
def test_a_fund_moves_margin_between_two_accounts_once_even_if_an_answer_is_lost(
    tmp_path: Path, fault: Fault | None
) -> None:
    runfile = moving(tmp_path, 6 if fault is None else 12)
    books, kept = [], {}

    def told(tick, session, stores) -> None:
        books.append(session.fund.book)
        kept["alarms"], kept["orphans"] = stores.alarms.all(), stores.alarms.orphans()
        kept["legs"] = list(stores.legs.asked_for({"kind": "transfer"}))

    with (
        devnet(runfile, tmp_path / ".devnet", step=0.5) as running,
        withheld_answers_time_out(running.network.exchange),
    ):
        if fault is not None:
            running.network.exchange.faults.arm(fault, "POST", PATH)
        finished = paper(runfile, connections=connections(running), told_bar=told)
        there = accounts(running)
        posted = [p for m, path, p in running.network.exchange.seen if (m, path) == ("POST", PATH)]
    assert not kept["alarms"]
    assert not kept["orphans"]
    assert [leg.state.value for leg in kept["legs"]] == ["settled", "settled"]
    assert [p["amount"] for p in posted] == ["10000.12345678", "4000.00000001"]
    book = books[-1]
    assert {name: book.currency.amount(units) for name, units in book.places.items()} == there
    assert there["futures"] == Decimal("200000") + Decimal("6000.12345677")
    # At every moment all money was in the books: at a place, or under way.
    currency = [b.cash - sum(b.places.values()) for b in books]
    assert currency == [sum(t.transfer.amount for t in b.transit) for b in books]
    assert verify(finished.folder).run == finished.summary["run"]


def test_a_wallet_is_wired_between_two_venues_of_one_account_and_moves_what_it_can_express(
    tmp_path: Path,
) -> None:
    runfile = moving(tmp_path, 6)
    with devnet(runfile, tmp_path / ".devnet") as running:
        content = json.loads(connections(running).read_text("utf-8"))
        wired = wire(runfile, tmp_path, content, running)
        assert [(c.name, c.carries("exchange", "futures")) for c in wired.carriers] == [
            ("wallet", True)
        ]
        assert wired.step == 10**4  # a scale of 12, and 8 decimals in a wallet
        wallet = content["carriers"]["wallet"]
        for change, words in (
            ({"spot": "futures", "futures": "exchange"}, "of kind binance"),
            ({"spot": "nowhere"}, "nowhere"),
        ):
            content["carriers"]["wallet"] = {**wallet, **change}
            with pytest.raises(PaperError, match=words):
                wire(runfile, tmp_path, content, running)
        content["carriers"]["wallet"] = wallet
        content["venues"]["futures"]["url"] += "/"
        with pytest.raises(PaperError, match="inside one account"):
            wire(runfile, tmp_path, content, running)


def wire(runfile: Path, folder: Path, content: dict, running: Devnet) -> Wired:
    """What a run with these connections would talk to, closed again."""
    file = folder / "connections.json"
    file.write_text(json.dumps(content), "utf-8")
    parts = assemble(runfile, live=True)

    async def built() -> Wired:
        wiring = Wiring(
            load_connections(file),
            parts.instruments,
            parts.currency,
            Keyring(folder),
            bytes(32),
            lambda venue, leg: None,
            lambda order: bytes(32),
        )
        wired = await wiring.build()
        await wired.close()
        return wired

    return running.do(built())
