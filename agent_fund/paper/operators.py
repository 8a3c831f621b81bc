"""What operators say, done by the fund between two bars, and written down before it is done.

A halt or a flatten does not wait for the bar's end if the agent is about to be asked, or has just
proposed something: it is then not asked, or refused.

A run that is made again after a crash does at each bar what the tape says was done there; only
then does it listen to the board again. A halt or a flatten that stands is kept to at every turn,
answered or not; a resume happens once, by a named person, and only if the book is Safe. So does
what a person corrects: a command whose answer a crash took is found on the tape, not done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.live_venue import LiveVenue
from agent_fund.execution.live.tape import Tape
from agent_fund.fund.adjustment import Adjustment
from agent_fund.fund.control import ControlBoard, Standing
from agent_fund.fund.control_command import HAD_ITS_BARS, ITSELF, Act, Command, Outcome, Stance
from agent_fund.fund.fund import Fund
from agent_fund.guard.machine import Mode


class Operators:
    """Between ``board`` and ``fund``.

    Args:
        tape: acts on it are done again first.
        unheard: whether a venue has funding or a trade of its own to tell; ExecutionError if it
            does not answer.

    Attributes:
        barred: whether the first bar must wait, because a halt stands.
        figures: by bar, what the acts behind it made of its ``Tick``.
    """

    def __init__(
        self,
        board: ControlBoard,
        fund: Fund,
        tape: Tape,
        alarms: Alarms,
        venues: Mapping[str, LiveVenue],
        unheard: Callable[[str], bool],
    ) -> None:
        self._board = board
        self._fund = fund
        self._tape = tape
        self._alarms = alarms
        self._venues = venues
        self._unheard = unheard
        self._again = list(tape.acts())
        self._bars = len(tape.bars())
        self._done = {body["command"] for _, body in self._again if "command" in body}
        self._held_after = -1  # the bar after which the last hold was
        self.barred = False
        self.figures: dict[int, dict[str, Any]] = {}

    def repeat(self, bar: int) -> None:
        """Do again what was done after ``bar`` before the crash."""
        while self._again and self._again[0][0] == bar:
            _, body = self._again.pop(0)
            self._do(body)

    def interrupt(self, moment: str, known: bool) -> None:
        """The agent is asked next, or has proposed something: a halt or a flatten comes first.

        Args:
            moment: ``"before"`` the agent is asked, or ``"after"`` it has proposed something.
            known: whether this was over before a crash; then only what the tape says is done.
        """
        bar = self._fund.bar
        if self._again:
            if self._again[0][0] == bar and self._again[0][1].get("turn") == moment:
                self._do(self._again.pop(0)[1])
            return
        again = bar < self._bars - 1 or any(venue.replaying for venue in self._venues.values())
        if not (known or again):
            self._keep_to(self._board.standing(), {"turn": moment})

    def heed(self) -> None:
        """Do what the board says now, and answer."""
        fund, standing = self._fund, self._board.standing()
        if self._again:
            return  # the past is not made again yet
        if fund.bar < 0:
            self._before_the_first_bar(standing)
            return
        self._keep_to(standing)
        for command in standing.pending:
            self._answer(command)

    def wind_up(self, act: Act) -> None:
        """The run has had its bars: nothing new begins, and with a flatten nothing stays held."""
        self._act(act, HAD_ITS_BARS)

    def end(self) -> None:
        """The run is over: what was done meanwhile is answered, what came too late is refused."""
        for command in self._board.standing().pending:
            if command.act in (Act.HALT, Act.FLATTEN) and (self._fund.held or self._fund.leaving):
                self._answer(command)
        for _ in range(2):  # a resume waits for those before it
            for command in self._board.standing().pending:
                text = f"it came too late: the run had ended after bar {self._fund.bar}"
                self._board.answer(command.id, text, Outcome.REFUSED)

    def _keep_to(self, standing: Standing, when: Mapping[str, Any] | None = None) -> None:
        """Halt or flatten if that stands and is not done."""
        fund, why = self._fund, "the stance of the board"
        why = f"{ITSELF}: {standing.fault}" if standing.fault else why
        asked = {command.act: command for command in standing.pending}
        if standing.stance is Stance.FLATTEN and not fund.leaving:
            self._act(Act.FLATTEN, _words(asked.get(Act.FLATTEN), why), when)
        elif standing.stance is Stance.HALT and not fund.held and not fund.leaving:
            self._act(Act.HALT, _words(asked.get(Act.HALT), why), when)

    def _before_the_first_bar(self, standing: Standing) -> None:
        """Nothing has begun that could be held: while a halt stands, nothing begins."""
        for command in standing.pending:
            if command.act.corrects:
                text = "no bar has begun: there are no orders, and the books are the run file's"
                self._board.answer(command.id, text, Outcome.REFUSED)
                continue
            waits = "no bar has begun; none will until the fund is resumed"
            begins = command.act is Act.RESUME
            self._board.answer(command.id, "the first bar may begin" if begins else waits)
        self.barred = self._board.standing().stance is not Stance.RUN

    def _act(self, act: Act, why: str, about: Mapping[str, Any] | None = None) -> bool:
        body = {"act": act.value, "why": why, **(about or {})}
        self._tape.act(self._fund.bar, body)
        return self._do(body)

    def _do(self, body: Mapping[str, Any]) -> bool:
        done, why = True, body["why"]
        match Act(body["act"]):
            case Act.HALT:
                self._fund.hold(why)
                self._held_after = self._fund.bar
            case Act.FLATTEN:
                self._fund.kill(why)
            case Act.RESUME:
                done = self._fund.resume(why)
            case Act.SETTLE:
                self._fund.settle(body["order"], why)
            case Act.ADJUST:
                units = {symbol: int(amount) for symbol, amount in body["units"].items()}
                self._fund.adjust(Adjustment(body["place"], units), why)
        self.figures[self._fund.bar] = self._fund.figures
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
                    since = self._held_after if fund.held else fund.bar
                    late = f"; the agent's orders had ended by bar {fund.bar}"
                    text = f"held after bar {since}{late if since < fund.bar else ''}"
                    self._board.answer(command.id, text)
            case Act.FLATTEN:
                self._flatten(command)
            case Act.RESUME:
                self._resume(command)
            case Act.SETTLE | Act.ADJUST:
                self._correct(command)

    def _flatten(self, command: Command) -> None:
        fund = self._fund
        if fund.machine.mode is not Mode.HALTED:
            text = f"on the way out: {fund.machine.mode.value}"
            self._board.answer(command.id, text, Outcome.WORKING)
        elif any(fund.book.positions.values()):
            text = "halted, with a position that was adjusted since: resume, then flatten"
            if fund.machine.breached:
                text = "halted for good, with a position that was adjusted since: close it at its "
                text += "venue, then adjust the books"
            self._board.answer(command.id, text, Outcome.REFUSED)
        else:
            self._board.answer(command.id, f"flat and halted at bar {fund.bar}")

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

    def _correct(self, command: Command) -> None:
        """Settle or adjust, once; what may not be done is refused with the reason."""
        key = f"{command.id} of {command.at}"
        if key in self._done:
            self._board.answer(command.id, "it was done before a restart")
            return
        try:
            text = (self._settle if command.act is Act.SETTLE else self._adjust)(command, key)
        except (ValueError, ArithmeticError, LookupError) as error:
            self._board.answer(command.id, str(error), Outcome.REFUSED)
        else:
            self._done.add(key)
            self._board.answer(command.id, text)

    def _settle(self, command: Command, key: str) -> str:
        order = self._fund.doubted(command.about[0])
        if self._venues[order.instrument.venue.name].tells(order.order_id):
            fix = "a trade of it is known by now, and told at the next open"
            raise ExecutionError("settle", order.order_id, fix)
        if not self._venues[order.instrument.venue.name].doubts(order.order_id):
            fix = "its venue knows it by now: wait for the next open"
            raise ExecutionError("settle", order.order_id, fix)
        about = {"command": key, "order": order.order_id}
        self._act(Act.SETTLE, _words(command, ""), about)
        venue = order.instrument.venue.name
        self._alarms.answered(command.by, command.at, venue, order.order_id)
        base = order.instrument.base
        filled = f"{base.amount(order.filled):f} of {base.amount(order.quantity):f} {base.symbol}"
        return f"order {order.order_id[:12]} has ended at {venue}, with {filled}"

    def _adjust(self, command: Command, key: str) -> str:
        fund, (place, *stated) = self._fund, command.about
        amounts = dict(zip(stated[::2], stated[1::2], strict=False))
        if 2 * len(amounts) != len(stated):
            fix = "state each asset once, and how much"
            raise DomainError(f"adjustment at {place}", " ".join(stated), fix)
        adjustment = fund.adjustment(place, amounts)
        lines = fund.book.instruments.values()
        venue = next(line.venue.name for line in lines if line.account == place)
        if self._unheard(venue):
            raise ExecutionError("adjust", place, f"wait a bar: {venue} has something to tell")
        units = {symbol: str(more) for symbol, more in adjustment.units.items()}
        before, currency = fund.machine.v, fund.book.currency
        about = {"command": key, "place": place, "units": units}
        self._act(Act.ADJUST, _words(command, ""), about)
        self._alarms.answered(command.by, command.at, venue)
        for symbol in units:
            self._alarms.adopted(command.at, venue, symbol)
        moved = f"{currency.amount(fund.machine.v - before):+f} {currency.symbol}"
        broken = "; a limit is broken by it" if fund.machine.breached else ""
        return f"the books at {place} are adjusted after bar {fund.bar}: NAV {moved}{broken}"


def _words(command: Command | None, otherwise: str) -> str:
    return otherwise if command is None else f"{command.by}: {command.reason}"
