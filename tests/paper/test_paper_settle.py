"""A venue fills beyond a limit: the order is in doubt for good, until a named person settles it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from paper_world import connections, devnet, short, strategy, truth, workspace

from agent_fund.audit.verify import verify
from agent_fund.cli.main import run as cli
from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Purpose, Status
from agent_fund.fund.control_command import Act, Outcome
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper.run import paper

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)

BEYOND = Decimal("30")
WORDS = ("--by", "ann", "--wait", "0", "--json")


def by(act: str, folder: Path, *about: str) -> None:
    """The command, as a person gives it; its answer is read later."""
    assert cli([act, str(folder), *about, *WORDS, "--why", "their error 4711"]) == 0


class Person:
    """What a person does who sees the fund wait, bar by bar."""

    def __init__(self, running, runs: Path) -> None:
        self.running, self.runs = running, runs
        self.waited, self.doubts, self.modes = 0, [], []

    def __call__(self, tick, session, stores) -> None:
        fund, book = session.fund, session.fund.book
        self.book = book
        (folder,) = self.runs.iterdir()
        self.file = ControlFile(folder)
        self.modes.append(fund.machine.mode)
        self.alarms, self.orphans = stores.alarms.all(), stores.alarms.orphans()
        given = [c.act for c in self.file.read().commands]
        # The guard's own orders are in doubt for a moment only: they fill, and that is told next.
        open_ones = [o for o in book.open_orders if o.purpose is Purpose.AGENT]
        doubts = [o for o in open_ones if o.status is Status.UNKNOWN]
        if not doubts:
            return
        order = doubts[0].order_id
        if not given:
            self.doubts = doubts
            by("settle", folder, order[:12])  # refused: nobody has halted the fund
        elif Act.FLATTEN not in given:
            by("flatten", folder)
        else:
            self.waited += 1  # what may still fill must not be closed beside
            assert fund.machine.mode is Mode.EXITING
            assert self.alarms
        if self.waited == 2:
            by("adjust", folder, "exchange", "USD", "-1")  # refused: an order is open there
            by("settle", folder, order[:12])
            money, coins = truth(self.running)["exchange"]
            paid = money - Decimal(book.places["exchange"]) / 10**8
            bought = coins - Decimal(book.position("ETH")) / 10**4
            by("adjust", folder, "exchange", "USD", f"{paid:f}", "ETH", f"{bought:+f}")


def test_a_person_settles_a_doubt_adjusts_the_books_and_the_fund_gets_out(tmp_path: Path) -> None:
    runfile = workspace(
        tmp_path,
        lambda text: strategy(
            short(text, 14),
            "strategies/moving_average_cross.py",
            "MovingAverageCross",
            'symbol = "ETH"\nfast = 1\nslow = 2\nexposure = "10%"',
        ),
    )
    with devnet(runfile, tmp_path / ".devnet") as running:
        person = Person(running, tmp_path / "runs")
        running.network.exchange.spot.beyond = BEYOND
        finished = paper(runfile, connections=connections(running), told_bar=person)
        money, coins = truth(running)["exchange"]
    assert person.doubts, "the venue's fill was believed"
    assert person.waited >= 2
    answers = [(c.act.value, c.outcome, c.answer) for c in person.file.read().commands]
    assert [(act, outcome) for act, outcome, _ in answers] == [
        ("settle", Outcome.REFUSED),
        ("flatten", Outcome.DONE),
        ("adjust", Outcome.REFUSED),
        ("settle", Outcome.DONE),
        ("adjust", Outcome.DONE),
    ], answers
    assert "halt or flatten the fund first" in answers[0][2]
    assert person.modes[-1] is Mode.HALTED
    assert not person.alarms
    assert not person.orphans
    assert not any(person.book.positions.values())
    assert money == Decimal(person.book.places["exchange"]) / 10**8
    assert coins == 0
    settled, adjusted = finished.summary["corrections"]
    assert settled["why"] == adjusted["why"] == "ann: their error 4711"
    assert settled["order"] == person.doubts[0].order_id
    assert Decimal(adjusted["nav"]) < 0
    assert Decimal(adjusted["amounts"]["ETH"]) > 0
    (failure,) = [f for f in finished.summary["failures"] if f["assumption"] == "A4"]
    assert failure["bar"] == adjusted["bar"]
    page = (finished.folder / "report.html").read_text()
    assert "What people corrected" in page
    assert verify(finished.folder).run == finished.summary["run"]
