"""One strategy file and one mandate, backtested, and run on real venues; the books are theirs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from paper_world import connections, devnet, short, strategy, truth, workspace

from agent_fund.audit.verify import verify
from agent_fund.backtest.run import backtest
from agent_fund.devnet.packages import missing
from agent_fund.paper.run import paper
from agent_fund.paper.stores import Stores

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)


class Watched:
    """What is seen at every bar."""

    def __init__(self) -> None:
        self.books = []

    def __call__(self, tick, session, stores: Stores) -> None:
        self.books.append(session.fund.book)
        self.alarms = stores.alarms.all()
        self.orphans = stores.alarms.orphans()
        self.legs = stores.legs.asked_for({})


def test_one_run_file_is_backtested_and_trades_at_an_exchange_on_chains_and_on_near(
    tmp_path: Path,
) -> None:
    runfile = workspace(tmp_path, lambda text: short(text, 6))
    simulated = backtest(runfile, out=tmp_path / "simulated")
    assert simulated.guarantee == "held"
    seen = Watched()
    with devnet(runfile, tmp_path / ".devnet") as running:
        finished = paper(runfile, connections=connections(running), told_bar=seen)
        there = truth(running)
    assert finished.guarantee == "held"
    assert not seen.alarms
    assert not seen.orphans
    book = seen.books[-1]
    assert {s for s, q in book.positions.items() if q} == {
        "ETH",
        "ETH-A",
        "ETH-B",
        "ETH-C",
        "ETH-N",
    }
    assert not book.open_orders
    for symbol, quantity in book.positions.items():
        instrument = book.instruments[symbol]
        money, coins = there[instrument.venue.name]
        assert coins == Decimal(quantity) / 10**4
        assert money == Decimal(book.places[instrument.venue.name]) / 10**8
    verified = verify(finished.folder)
    assert verified.run == finished.summary["run"]


@pytest.mark.parametrize("relayer", ["honest", "never"])
def test_a_route_sells_on_one_chain_bridges_and_buys_on_the_other_or_is_refunded(
    tmp_path: Path, relayer: str
) -> None:
    from agent_fund.devnet.relayer import Filling

    def change(text: str) -> str:
        text = strategy(
            short(text, 12 if relayer == "honest" else 18),
            "strategies/rotation.py",
            "Rotation",
            'first = "ETH-A"\nsecond = "ETH-B"',
        )
        text = text.replace("guardrails/devnet.py", "guardrails/rotation.py")
        text = text.replace("[transfers]\nbars = 1", "[transfers]\nbars = 4")
        for name, cash in (("chain-b", "1000"), ("exchange", "199000")):
            place = text.index(f'name = "{name}"')
            text = text[:place] + text[place:].replace('cash = "100000"', f'cash = "{cash}"', 1)
        return text

    here = Path(__file__).parent
    runfile = workspace(tmp_path, change)
    (tmp_path / "strategies" / "rotation.py").write_text((here / "rotation.py").read_text())
    (tmp_path / "guardrails" / "rotation.py").write_text((here / "rotation_mandate.py").read_text())
    seen = Watched()
    with devnet(runfile, tmp_path / ".devnet") as running:
        if relayer == "never":
            running.network.relayer.filling = Filling.NEVER
        finished = paper(runfile, connections=connections(running), told_bar=seen)
        there = truth(running)
    book = seen.books[-1]
    assert not seen.alarms, seen.alarms
    transfers = [leg for leg in seen.legs if leg.request["kind"] == "transfer"]
    ended = {leg.state.value for leg in transfers if leg.state.ended}
    if relayer == "honest":
        assert ended == {"settled"}
        assert book.position("ETH-B") > 0
    else:
        # The strategy tries again whenever its money has come back.
        assert ended == {"refunded"}
        assert book.position("ETH-B") == 0
    # At every moment all money was in the books: at a place, or under way.
    currency = [b.cash - sum(b.places.values()) for b in seen.books]
    under_way = [sum(t.transfer.amount for t in b.transit) for b in seen.books]
    assert currency == under_way
    assert any(under_way)
    for name in ("chain-a", "chain-b"):
        money, coins = there[name]
        assert money == Decimal(book.places[name]) / 10**8
        held = sum(q for s, q in book.positions.items() if book.instruments[s].venue.name == name)
        assert coins == Decimal(held) / 10**4
    assert verify(finished.folder).run == finished.summary["run"]
