"""The lines of a run: one a bar, the past of a resumed run in one, alarms each once."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from accounts_world import accounts, slow
from carry_world import carry
from rich.console import Console

from agent_fund.cli.paper import _Lines


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_resumed_run_says_in_one_line_that_its_past_is_made_again(
    tmp_path: Path, width: int
) -> None:
    first, second = (StringIO() for _ in range(2))
    screens = [Console(file=file, width=width, markup=False) for file in (first, second)]
    with accounts(tmp_path) as world:
        runfile = carry(tmp_path, 8, slow)
        lines = _Lines(screens[0])

        def mortal(tick, session, stores) -> None:
            lines(tick, session, stores)
            if tick.bar == 4:
                raise Killed

        with pytest.raises(Killed):
            world.run(runfile, mortal)
        (folder,) = (tmp_path / "runs").iterdir()
        told = _Lines(screens[1])
        finished = world.run(runfile, told, resume=folder)
    bars = [line.split()[:2] for line in first.getvalue().splitlines()]
    assert bars == [["bar", str(bar)] for bar in range(5)]
    again, *rest = second.getvalue().splitlines()
    assert again == "bars 0 to 3 are made again as they were"
    assert [line.split()[:2] for line in rest] == [["bar", str(bar)] for bar in range(4, 8)]
    assert told.held == finished.held != ()


def test_an_alarm_is_told_once_and_one_that_follows_a_cleared_one_is_told_too(
    tmp_path: Path,
) -> None:
    told = StringIO()
    with accounts(tmp_path) as world:
        lines = _Lines(Console(file=told, width=80, markup=False))

        def alarmed(tick, session, stores) -> None:
            if tick.bar == 1:
                stores.alarms.raise_alarm("exchange", "ETH", "the first thing")
            if tick.bar == 3:
                stores.alarms.clear("ann", world.clock.now() + 1)
                stores.alarms.raise_alarm("exchange", "ETH", "the second thing")
            lines(tick, session, stores)

        world.run(carry(tmp_path, 5, slow), alarmed)
    said = [line for line in told.getvalue().splitlines() if line.startswith("ALARM")]
    assert said == ["ALARM exchange, ETH: the first thing", "ALARM exchange, ETH: the second thing"]
