"""A fund whose purchases are routed, where other things move its money: its run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from accounts_world import CASH, SCALE, Accounts, accounts, records, slow
from carry_world import carry

from agent_fund.audit.verify import verify
from agent_fund.backtest.run import Finished
from agent_fund.fund.control_command import Act
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper import routed as router
from agent_fund.paper.errors import PaperError
from agent_fund.paper.run import paper

HERE = Path(__file__).parent
ROUTE = """[paper.route]
any_venue = false
parts = 1
tolerance = "0.5%"
risk_per_hour = "0.1%"

[compare]"""
SHORT_OF_CASH = {"1": ["buy ETH 9.9"], "5": ["buy ETH 14.8"]}
"""The second purchase finds 20,000 of the 30,000 that it costs, and the rest at the other venue."""


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def routed(
    folder: Path,
    turns: dict[str, list[str]],
    *,
    bars: int = 14,
    drawdown: str = "60%",
    cash: tuple[int, int] = (40_000, 200_000),
) -> Path:
    """The carry run with that script for a strategy, and with routes."""

    def change(text: str) -> str:
        begin, end = text.index("[strategy]"), text.index("[mandate]")
        said = ", ".join(f"{json.dumps(turn)} = {json.dumps(legs)}" for turn, legs in turns.items())
        strategy = (
            '[strategy]\nfile = "strategies/scripted.py"\nclass = "Scripted"\nevery = "bar"\n'
        )
        strategy += f"\n[strategy.parameters]\nturns = {{ {said} }}\n\n"
        text = text[:begin] + strategy + text[end:]
        for before, after in (
            ("guardrails/devnet_carry.py", "guardrails/rotation.py"),
            ('cash = "300000"', f'cash = "{cash[0]}"'),
            ('cash = "200000"', f'cash = "{cash[1]}"'),
            ('cash = "500000"', f'cash = "{sum(cash)}"'),
            ("[compare]", ROUTE),
        ):
            assert before in text
            text = text.replace(before, after)
        return slow(text)

    runfile = carry(folder, bars, change)
    (folder / "strategies" / "scripted.py").write_text((HERE / "scripted.py").read_text())
    mandate = (HERE / "rotation_mandate.py").read_text().replace("60%", drawdown)
    (folder / "guardrails" / "rotation.py").write_text(mandate)
    return runfile


def require_equal(world: Accounts, finished: Finished, cash: tuple[int, int]) -> None:
    """The ledger is the accounts but for what was never the fund's, and the log verifies."""
    for place, own in zip(CASH, cash, strict=True):
        money, held = world.booked()[place]
        assert world.there()[place] == (money + int(CASH[place] - own) * 10**SCALE, held)
    assert verify(finished.folder).run == finished.summary["run"]


def abstained(finished: Finished) -> list[str]:
    return [record["reason"] for record in records(finished.folder, "abort")]


def folder_of(runfile: Path) -> Path:
    (found,) = (runfile.parents[1] / "runs").iterdir()
    return found


def in_transit(world: Accounts, act: Callable[[], None]) -> Callable[..., None]:
    """Let ``act`` happen once, while the first bridge is under way."""
    done: list[bool] = []

    def told(tick: Any, session: Any, stores: Any) -> None:
        if session.fund.book.transit and not done:
            done.append(True)
            act()

    return told


def test_a_purchase_that_is_short_of_cash_gets_it_and_is_made(
    tmp_path: Path, world: Accounts
) -> None:
    finished = world.run(routed(tmp_path, SHORT_OF_CASH))
    assert world.booked()["exchange"][1] == Decimal("24.7")
    assert not world.alarms
    assert not abstained(finished)
    require_equal(world, finished, (40_000, 200_000))


def test_a_guard_that_reduces_while_a_bridge_is_under_way_ends_the_route_and_not_the_run(
    tmp_path: Path, world: Accounts
) -> None:
    cash, modes = (40_000, 20_000), set()
    fall = in_transit(world, lambda: world.quote(Decimal(1580)))

    def told(tick: Any, session: Any, stores: Any) -> None:
        modes.add(tick.mode)
        fall(tick, session, stores)

    finished = world.run(routed(tmp_path, SHORT_OF_CASH, drawdown="8%", cash=cash), told)
    assert Mode.REDUCING in modes
    (reason,) = abstained(finished)
    assert "the route is over: the guard is reducing" in reason
    assert world.booked()["exchange"][1] < Decimal("9.9")
    assert finished.guarantee == "held"
    require_equal(world, finished, cash)


@pytest.mark.parametrize("kill", [0, 1, 2, 3])
def test_a_run_whose_route_was_ended_is_made_again_as_it_was(
    tmp_path: Path, world: Accounts, kill: int
) -> None:
    cash, seen = (40_000, 20_000), []
    fall = in_transit(world, lambda: world.quote(Decimal(1580)))
    runfile = routed(tmp_path, SHORT_OF_CASH, drawdown="8%", cash=cash)

    def told(tick: Any, session: Any, stores: Any) -> None:
        fall(tick, session, stores)
        seen.append(tick.mode)
        if Mode.REDUCING in seen and len(seen) - seen.index(Mode.REDUCING) > kill:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, told)
    finished = world.run(runfile, resume=folder_of(runfile))
    assert len(abstained(finished)) == 1
    assert len(records(finished.folder, "transfer")) == 1
    require_equal(world, finished, cash)


def test_an_operator_who_flattens_and_resumes_meanwhile_ends_the_route_and_not_the_run(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = routed(tmp_path, {**SHORT_OF_CASH, "9": ["buy ETH 1"]})

    def say(act: Act) -> None:
        ControlFile(folder_of(runfile)).ask(act, "ann", "enough")

    flatten = in_transit(world, lambda: say(Act.FLATTEN))
    resumed: list[bool] = []

    def told(tick: Any, session: Any, stores: Any) -> None:
        flatten(tick, session, stores)
        if tick.mode is Mode.HALTED and not resumed:
            resumed.append(True)
            say(Act.RESUME)

    finished = world.run(runfile, told)
    assert resumed
    (reason,) = abstained(finished)
    assert "the route is over: the fund was told to flatten" in reason
    assert world.booked()["exchange"][1] == 1, "the strategy is asked again"
    require_equal(world, finished, (40_000, 200_000))


def test_what_an_operator_adjusts_meanwhile_is_no_part_of_the_route(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = routed(tmp_path, SHORT_OF_CASH)
    begun: list[int] = []

    def told(tick: Any, session: Any, stores: Any) -> None:
        control = ControlFile(folder_of(runfile))
        book = session.fund.book
        if book.transit and not begun:
            begun.append(1)
            control.ask(Act.HALT, "ann", "a look at it")
        elif len(begun) == 1 and session.fund.held and not book.transit:
            begun.append(2)
            control.ask(Act.ADJUST, "ann", "a gift", ("exchange", "USDT", "50"))
            control.ask(Act.RESUME, "ann", "it is booked")

    finished = world.run(runfile, told)
    assert len(begun) == 2
    (reason,) = abstained(finished)
    assert "the fund was told to halt" in reason
    require_equal(world, finished, (40_050, 200_000))


def test_a_strategy_that_abstained_remembers_its_turns_when_the_run_is_made_again(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = routed(tmp_path, {"2": ["abstain"], "6": ["buy ETH 1"]}, bars=9)

    def told(tick: Any, session: Any, stores: Any) -> None:
        if tick.bar == 3:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, told)
    finished = world.run(runfile, resume=folder_of(runfile))
    (bought,) = records(finished.folder, "proposal")
    assert bought["bar"] == 5
    assert abstained(finished) == ["it has no answer"]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        ("fail", "OperationalError"),
        ("exit", "ConfigurationError"),
        ("nonsense", "ConfigurationError"),
    ],
)
def test_a_strategy_that_fails_behind_the_router_abstains_and_its_run_is_made_again(
    tmp_path: Path, world: Accounts, failure: str, kind: str
) -> None:
    runfile = routed(tmp_path, {**SHORT_OF_CASH, "3": [failure], "6": [failure]})
    kills = [3, 11]

    def dies(tick: Any, session: Any, stores: Any) -> None:
        if kills and tick.bar == kills[0]:
            kills.pop(0)
            raise Killed

    finished = None
    while finished is None:
        runs = list((tmp_path / "runs").glob("*"))
        with suppress(Killed):
            finished = world.run(runfile, dies, resume=runs[0] if runs else None)
    failed = f"the strategy failed with {kind}"
    assert [r["reason"] for r in records(finished.folder, "abort")].count(failed) == 2
    assert {(a.venue, a.subject) for a in world.alarms} == {("run", "strategy")}
    assert world.booked()["exchange"][1] == Decimal("24.7")
    require_equal(world, finished, (40_000, 200_000))


def test_a_pair_is_proposed_as_a_pair_and_never_routed_without_its_short(
    tmp_path: Path, world: Accounts
) -> None:
    pair = ["buy ETH 22", "sell ETH-PERP 22"]
    finished = world.run(routed(tmp_path, {"2": pair}, bars=7))
    (proposed,) = records(finished.folder, "proposal")
    assert [leg["instrument"] for leg in proposed["legs"]] == ["ETH", "ETH-PERP"]
    assert not proposed["transfers"]
    spot, short = (world.booked()[place][1] for place in ("exchange", "futures"))
    assert abs(spot + short) <= Decimal("0.001"), "what the guard admits is both or none"
    require_equal(world, finished, (40_000, 200_000))


def test_a_router_that_fails_is_an_abstention_with_an_alarm(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*asked: object) -> None:
        raise ZeroDivisionError("https://key@venue.example")

    monkeypatch.setattr(router, "find_route", broken)
    finished = world.run(routed(tmp_path, SHORT_OF_CASH))
    (reason,) = abstained(finished)
    assert reason == "the router failed: ZeroDivisionError in broken"
    assert [(alarm.venue, alarm.text) for alarm in world.alarms] == [("router", reason)]
    assert world.booked()["exchange"][1] == Decimal("9.9")
    require_equal(world, finished, (40_000, 200_000))


def test_a_stage_that_cannot_be_accounted_for_ends_the_route_and_not_the_run(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = router.Told.report

    def more(self: router.Told, number: int, stage: Any, bar: int) -> Any:
        report = honest(self, number, stage, bar)
        return type(report)(number, report.outcome, report.filled, report.received + 1)

    monkeypatch.setattr(router.Told, "report", more)
    finished = world.run(routed(tmp_path, SHORT_OF_CASH))
    (reason,) = abstained(finished)
    assert "the router failed: report of stage 0" in reason
    assert [alarm.venue for alarm in world.alarms] == ["router"]
    require_equal(world, finished, (40_000, 200_000))


def test_two_carriers_over_one_pair_of_places_do_not_start(tmp_path: Path, world: Accounts) -> None:
    runfile = routed(tmp_path, SHORT_OF_CASH)
    file = world.connections
    content = json.loads(file.read_text("utf-8"))
    content["carriers"]["other"] = content["carriers"]["wallet"]
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(PaperError, match="wallet and other both carry there: leave all but one"):
        paper(runfile, connections=file, clock=world.clock)
