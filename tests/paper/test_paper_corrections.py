"""What persons correct, between the board and the fund: once, whatever crashes, or refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "fund"))

from test_fund_operators import CAPITAL, PLACE, Losing, holding

from agent_fund.domain.order import Status
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.tape import Tape
from agent_fund.fund.control import ControlBoard
from agent_fund.fund.control_command import Act, Command, Outcome
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper.operators import Operators


class Killed(BaseException):
    """The process is gone."""


class Venue:
    """What operators ask of a venue."""

    trade_to_tell, in_doubt = False, True

    def tells(self, order_id: str) -> bool:
        return self.trade_to_tell

    def doubts(self, order_id: str) -> bool:
        return self.in_doubt


class Run:
    """One process after another: the same folder, and a fund that is made again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = ControlFile(folder)
        self.venue, self.silent, self.pending = Venue(), False, False
        self.begin(first=True)

    def begin(self, first: bool = False) -> None:
        self.board = ControlBoard(self.folder, restart="x", first=first)
        self.live = LiveFile(self.folder / "live.sqlite")
        self.alarms = Alarms(self.live, lambda: 1)
        self.world = holding(bars=0)
        tape = Tape(self.live)
        self.operators = Operators(
            self.board, self.world.fund, tape, self.alarms, {PLACE: self.venue}, self._unheard
        )

    def _unheard(self, venue: str) -> bool:
        if self.silent:
            raise ExecutionError(f"clearing of {venue}", "time-out", "it is asked again")
        return self.pending

    def bar(self) -> None:
        """One bar, and what was done after it before the crash."""
        self.world.run(len(self.world.ticks) + 1)
        self.operators.repeat(self.fund.bar)

    def end(self) -> None:
        self.live.close()
        self.board.close()

    @property
    def fund(self):
        return self.world.fund

    def say(self, act: Act, *about: str) -> Command:
        """A command, heard and answered."""
        command, _ = self.file.ask(act, "ann", "their error", about)
        self.operators.heed()
        return self.file.read().commands[command.id - 1]


@pytest.fixture
def run(tmp_path: Path):
    found = Run(tmp_path)
    yield found
    found.end()


def started(run: Run, bars: int = 3) -> Run:
    for _ in range(bars):
        run.bar()
    run.say(Act.HALT)
    return run


def test_an_adjustment_is_done_answered_and_part_of_its_bar(run: Run) -> None:
    started(run)
    run.alarms.raise_alarm(PLACE, "USD", "less")
    run.alarms.quarantine(PLACE, "COIN", "more")
    command = run.say(Act.ADJUST, PLACE, "USD", "-1000.5", "COIN", "0.5")
    assert command.outcome is Outcome.DONE, command.answer
    assert "NAV -500.5" in command.answer
    assert run.fund.machine.v == CAPITAL - 500 * 10**8 - 5 * 10**7
    assert run.operators.figures[2]["nav"] == run.fund.machine.v
    assert run.operators.figures[2]["positions"] == (10_050,)
    assert not run.alarms.all()
    assert not run.alarms.orphans()


def test_a_command_whose_answer_a_crash_took_is_not_done_twice(run: Run, monkeypatch) -> None:
    started(run)
    nav = run.fund.machine.v

    def killed(id, text, outcome=Outcome.DONE):
        raise Killed

    monkeypatch.setattr(run.board, "answer", killed)
    with pytest.raises(Killed):
        run.say(Act.ADJUST, PLACE, "USD", "-1000")
    run.end()
    run.begin()
    for _ in range(3):
        run.bar()
    assert run.fund.machine.v == nav - 1000 * 10**8
    run.operators.heed()
    command = run.file.read().commands[-1]
    assert (command.outcome, command.answer) == (Outcome.DONE, "it was done before a restart")
    assert run.fund.machine.v == nav - 1000 * 10**8
    again = run.say(Act.ADJUST, PLACE, "USD", "-1000")  # a new command is a new act
    assert again.id == command.id + 1
    assert run.fund.machine.v == nav - 2000 * 10**8


def test_a_command_of_a_control_file_made_anew_is_another_one(run: Run) -> None:
    started(run)
    nav = run.fund.machine.v
    run.say(Act.ADJUST, PLACE, "USD", "-1000")
    run.file.set_aside()
    run.file.create()
    run.file.ask(Act.HALT, "ann", "again")
    command = run.say(Act.ADJUST, PLACE, "USD", "-1000")
    assert command.id == 2
    assert run.fund.machine.v == nav - 2000 * 10**8


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ((PLACE,), "state an asset"),
        ((PLACE, "USD"), "state each asset once"),
        ((PLACE, "USD", "1", "USD", "2"), "state each asset once"),
        ((PLACE, "USD", "one"), "write a decimal number"),
        ((PLACE, "USD", "-1e390"), "'more than there can be' is refused"),
        (("elsewhere", "USD", "1"), "the fund's places are"),
    ],
)
def test_what_may_not_be_is_refused_with_the_reason(run: Run, about, said: str) -> None:
    started(run)
    command = run.say(Act.ADJUST, *about)
    assert command.outcome is Outcome.REFUSED
    assert said in command.answer
    assert run.fund.machine.v == CAPITAL


def test_a_running_fund_and_one_without_a_bar_are_not_corrected(run: Run) -> None:
    for act, about in ((Act.ADJUST, (PLACE, "USD", "1")), (Act.SETTLE, ("a",))):
        command = run.say(act, *about)
        assert (command.outcome, "no bar has begun" in command.answer) == (Outcome.REFUSED, True)
    run.bar()
    for act, about in ((Act.ADJUST, (PLACE, "USD", "1")), (Act.SETTLE, ("a",))):
        command = run.say(act, *about)
        assert command.outcome is Outcome.REFUSED
        assert "halt or flatten the fund first" in command.answer


def test_what_a_venue_has_still_to_tell_is_not_adjusted_beforehand(run: Run) -> None:
    started(run)
    run.pending = True
    assert "wait a bar" in run.say(Act.ADJUST, PLACE, "USD", "1").answer
    run.silent = True
    assert "time-out" in run.say(Act.ADJUST, PLACE, "USD", "1").answer
    assert run.fund.machine.v == CAPITAL


def test_a_halted_fund_with_an_adjusted_position_is_not_called_flat(run: Run) -> None:
    started(run)
    run.say(Act.FLATTEN)
    while run.fund.machine.mode is not Mode.HALTED:
        run.bar()
    assert run.say(Act.ADJUST, PLACE, "COIN", "1").outcome is Outcome.DONE
    command = run.say(Act.FLATTEN)
    assert command.outcome is Outcome.REFUSED
    assert "resume, then flatten" in command.answer
    assert run.say(Act.RESUME).outcome is Outcome.DONE
    run.say(Act.FLATTEN)
    while run.fund.machine.mode is not Mode.HALTED:
        run.bar()
    assert not any(run.fund.book.positions.values())


def test_a_trade_that_the_fund_is_about_to_hear_of_is_not_settled_away(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("fund_world.SimulatedVenue", Losing)
    run = Run(tmp_path)
    desk = run.fund._orders._desk
    monkeypatch.setattr(Losing, "known", property(lambda _: desk.open_orders), raising=False)
    try:
        started(run)
        (order,) = run.fund.book.open_orders
        assert order.status is Status.UNKNOWN
        run.venue.trade_to_tell = True
        command = run.say(Act.SETTLE, order.order_id)
        assert "told at the next open" in command.answer
        assert run.fund.book.open_orders
        run.venue.trade_to_tell = run.venue.in_doubt = False
        command = run.say(Act.SETTLE, order.order_id)
        assert "its venue knows it by now" in command.answer
        assert run.fund.book.open_orders
        run.venue.in_doubt = True
        command = run.say(Act.SETTLE, order.order_id[:8])
        assert "has ended at simulated, with 0" in command.answer
        assert not run.fund.book.open_orders
        assert "see agent-fund status" in run.say(Act.SETTLE, order.order_id).answer
    finally:
        run.end()


def test_a_halt_is_answered_with_the_bar_that_its_record_has(run: Run, monkeypatch) -> None:
    run.bar()
    run.bar()
    left = property(lambda fund: 2)
    with monkeypatch.context() as patch:
        patch.setattr(type(run.fund), "agent_orders", left)
        assert run.say(Act.HALT).outcome is Outcome.WORKING
    run.bar()
    run.operators.heed()
    (command,) = run.file.read().commands
    assert (command.outcome, run.fund.bar) == (Outcome.DONE, 2)
    assert command.answer == "held after bar 1; the agent's orders had ended by bar 2"
    assert run.say(Act.RESUME).outcome is Outcome.DONE
    assert run.say(Act.HALT).answer == "held after bar 2"
