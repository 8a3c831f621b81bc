"""What operators say, done by the fund between two bars, and written down before it is done.

A run that is made again after a crash does at each bar what the tape says was done there; only
then does it listen to the board again. A halt or a flatten that stands is kept to at every turn,
answered or not; a resume happens once, by a named person, and only if the book is Safe.
"""

from __future__ import annotations

from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.tape import Tape
from agent_fund.fund.control import ControlBoard, Standing
from agent_fund.fund.control_command import Act, Command, Outcome, Stance
from agent_fund.fund.fund import Fund
from agent_fund.guard.machine import Mode


class Operators:
    """Between ``board`` and ``fund``.

    Args:
        tape: acts on it are done again first.

    Attributes:
        barred: whether the first bar must wait, because a halt stands.
        modes: by bar, the machine's mode after what was done behind it.
    """

    def __init__(self, board: ControlBoard, fund: Fund, tape: Tape, alarms: Alarms) -> None:
        self._board = board
        self._fund = fund
        self._tape = tape
        self._alarms = alarms
        self._again = list(tape.acts())
        self.barred = False
        self.modes: dict[int, Mode] = {}

    def repeat(self, bar: int) -> None:
        """Do again what was done after ``bar`` before the crash."""
        while self._again and self._again[0][0] == bar:
            _, body = self._again.pop(0)
            self._do(Act(body["act"]), body["why"])

    def heed(self) -> None:
        """Do what the board says now, and answer."""
        fund, standing = self._fund, self._board.standing()
        if self._again:
            return  # the past is not made again yet
        if fund.bar < 0:
            self._before_the_first_bar(standing)
            return
        why = standing.fault or "the stance of the board"
        asked = {command.act: command for command in standing.pending}
        if standing.stance is Stance.FLATTEN and not fund.leaving:
            self._act(Act.FLATTEN, _words(asked.get(Act.FLATTEN), why))
        elif standing.stance is Stance.HALT and not fund.held and not fund.leaving:
            self._act(Act.HALT, _words(asked.get(Act.HALT), why))
        for command in standing.pending:
            self._answer(command)

    def wind_up(self) -> None:
        """The run has had its bars: nothing new begins."""
        self._act(Act.HALT, "the run has had its bars")

    def _before_the_first_bar(self, standing: Standing) -> None:
        """Nothing has begun that could be held: while a halt stands, nothing begins."""
        for command in standing.pending:
            waits = "no bar has begun; none will until the fund is resumed"
            begins = command.act is Act.RESUME
            self._board.answer(command.id, "the first bar may begin" if begins else waits)
        self.barred = self._board.standing().stance is not Stance.RUN

    def _act(self, act: Act, why: str) -> bool:
        self._tape.act(self._fund.bar, {"act": act.value, "why": why})
        return self._do(act, why)

    def _do(self, act: Act, why: str) -> bool:
        done = True
        match act:
            case Act.HALT:
                self._fund.hold(why)
            case Act.FLATTEN:
                self._fund.kill(why)
            case Act.RESUME:
                done = self._fund.resume(why)
        self.modes[self._fund.bar] = self._fund.machine.mode
        return done

    def _answer(self, command: Command) -> None:
        fund = self._fund
        match command.act:
            case Act.HALT:
                left = fund.agent_orders
                if left:
                    text = f"held; {left} of the agent's orders are not confirmed as cancelled yet"
                    self._board.answer(command.id, text, Outcome.WORKING)
                else:
                    self._board.answer(command.id, f"held after bar {fund.bar}")
            case Act.FLATTEN:
                if fund.machine.mode is Mode.HALTED:
                    self._board.answer(command.id, f"flat and halted at bar {fund.bar}")
                else:
                    text = f"on the way out: {fund.machine.mode.value}"
                    self._board.answer(command.id, text, Outcome.WORKING)
            case Act.RESUME:
                self._resume(command)

    def _resume(self, command: Command) -> None:
        fund = self._fund
        if fund.machine.breached:
            text = "a limit was broken: this fund does not trade again"
            self._board.answer(command.id, text, Outcome.REFUSED)
        elif not fund.held and fund.machine.mode is Mode.ACTIVE:
            self._alarms.clear(command.by, command.at)
            self._board.answer(command.id, "the fund was active already")
        elif fund.machine.mode not in (Mode.ACTIVE, Mode.HALTED):
            text = "the guard is on its way out; resume when it has ended"
            self._board.answer(command.id, text, Outcome.REFUSED)
        elif self._act(Act.RESUME, _words(command, "")):
            self._alarms.clear(command.by, command.at)
            self._board.answer(command.id, f"active again after bar {fund.bar}")
        else:
            text = "the held book is not Safe at these prices"
            self._board.answer(command.id, text, Outcome.REFUSED)


def _words(command: Command | None, otherwise: str) -> str:
    return otherwise if command is None else f"{command.by}: {command.reason}"
