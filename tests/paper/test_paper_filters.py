"""A carry fund whose exchange changes its filters while it lives: the way out and a resume work."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from accounts_world import PERPETUAL, Accounts, accounts, slow
from carry_world import carry

from agent_fund.devnet.exchange.route import Route
from agent_fund.fund.control_command import Act
from agent_fund.fund.control_file import ControlFile
from agent_fund.paper.errors import PaperError

BARS = 20


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def change(world: Accounts, **changes: Any) -> None:
    """What holds for the perpetual from now on; to be called in the exchange's loop."""
    symbols = world.exchange.futures.symbols
    symbols["ETHUSDT"] = replace(symbols["ETHUSDT"], **changes)


def flattening(tmp_path: Path, bar: int) -> Any:
    """At the end of that bar the operator asks for the way out."""

    def told(tick: Any, session: Any, stores: Any) -> None:
        if tick.bar == bar:
            (run,) = (tmp_path / "runs").iterdir()
            ControlFile(run).ask(Act.FLATTEN, "ann", "enough")

    return told


def test_after_a_coarser_tick_the_way_out_still_ends_in_nothing_held(
    tmp_path: Path, world: Accounts
) -> None:
    world.in_bar(6, lambda: change(world, tick=Decimal(1)))
    world.run(carry(tmp_path, BARS, slow), flattening(tmp_path, 7))
    assert world.there()["futures"][1] == world.there()["exchange"][1] == 0
    assert world.booked() == world.there()
    assert len(world.alarms) <= 1
    assert all("the guard's way out is refused" in alarm.text for alarm in world.alarms)


CHANGES = [
    {"tick": Decimal("0.05")},
    {"tick": Decimal("0.001")},
    {"step": Decimal("0.0001")},
    {"step": Decimal("0.01")},
    {"status": "SETTLING"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_run_with_a_position_is_taken_up_again_whatever_filter_has_changed(
    tmp_path: Path, world: Accounts, changes: dict[str, Any]
) -> None:
    runfile = carry(tmp_path, BARS, slow)

    def killed(tick: Any, session: Any, stores: Any) -> None:
        if tick.bar == 7:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, killed)
    held = world.there()["futures"][1]
    assert held < 0
    world.call(lambda: change(world, **changes))
    (folder,) = (tmp_path / "runs").iterdir()
    world.run(runfile, resume=folder)
    assert world.booked() == world.there()
    assert world.session is not None
    if "status" in changes:
        assert world.there()["futures"][1] == held
        assert world.session.fund.book.position(PERPETUAL) < 0


def test_a_run_is_taken_up_again_beside_a_position_that_nobody_listed(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = carry(tmp_path, BARS, slow)

    def killed(tick: Any, session: Any, stores: Any) -> None:
        if tick.bar == 7:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, killed)
    routes = world.exchange._routes
    row = {"symbol": "OLDUSDT", "positionSide": "BOTH", "positionAmt": "1", "marginAsset": "USDT"}
    row |= {"unrealizedProfit": "1", "notional": "1"}
    for path in ("/fapi/v3/account", "/fapi/v3/positionRisk"):
        real = routes["GET", path].answer

        def answer(parameters: Any, real: Any = real) -> Any:
            told = real(parameters)
            if isinstance(told, list):
                return [*told, row]
            return {**told, "positions": [*told["positions"], row]}

        routes["GET", path] = Route(answer, 5)
    (folder,) = (tmp_path / "runs").iterdir()
    held = world.there()
    world.run(runfile, resume=folder)
    assert world.booked()["futures"][1] == world.there()["futures"][1]
    assert held["futures"][1] < 0


@pytest.mark.parametrize("step", [Decimal("0.0001"), Decimal("0.01")])
def test_a_new_run_is_refused_whose_lots_are_not_the_steps_of_its_exchange(
    tmp_path: Path, world: Accounts, step: Decimal
) -> None:
    change(world, step=step)
    with pytest.raises(PaperError, match=f"write {step}"):
        world.run(carry(tmp_path, BARS, slow))
