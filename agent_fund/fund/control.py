"""ControlBoard: how a running fund hears its operators; a board that cannot be read says halt.

The loop makes one board at its start and keeps it until its end. Once a bar it calls ``beat``; as
often as it likes, ``standing``, which never raises: what cannot be read is a halt, and once the
file can be read again, or had to be made anew, that halt stands in it as a command of the fund's
own, so that only a named person's resume ends it. A damaged file is kept under another name.

A command comes at least once: after a crash before its answer it comes again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent_fund.fund.control_command import (
    ITSELF,
    Act,
    Command,
    Outcome,
    Stance,
    pending_of,
    stance_of,
)
from agent_fund.fund.control_file import Control, ControlError, ControlFile
from agent_fund.fund.control_process import ProcessLock
from agent_fund.fund.control_status import Status


@dataclass(frozen=True)
class Standing:
    """What the operators say now.

    Attributes:
        stance: RUN, HALT or FLATTEN; to be kept to whether anything is pending or not.
        pending: commands that want a final answer now, by id; a resume stands alone among them,
            because it waits for those before it.
        fault: why the board could not be read; empty if it could.
    """

    stance: Stance
    pending: tuple[Command, ...]
    fault: str = ""


class ControlBoard:
    """The board of the fund in ``folder``, held by this process alone.

    Args:
        restart: the shell command that starts this fund again, for people to copy.
        first: whether the run begins now. A run that has begun and has no readable board begins
            halted.

    Raises:
        AlreadyRunningError: if another process runs this fund.
        ControlError, OSError: if the folder cannot be written, or ``first`` and there is a board.
    """

    def __init__(self, folder: Path, *, restart: str, first: bool) -> None:
        self._file = ControlFile(folder)
        self._lock = ProcessLock(folder)
        self._restart = restart
        self._fault = ""
        self._last = Stance.RUN
        try:
            if first:
                self._file.create()
                self._file.begin(restart)
            else:
                try:
                    self._file.begin(restart)
                    self._file.read()
                except ControlError as error:
                    self._failed(error)
        except BaseException:
            self._lock.release()
            raise

    @property
    def fault(self) -> str:
        """Why the board could not be used at the last call; empty if it could."""
        return self._fault

    def standing(self) -> Standing:
        """What the operators say now; cheap enough for every turn of a loop."""
        try:
            known = self._healed() if self._fault else self._file.refuse_superseded()
        except ControlError as error:
            self._failed(error)
            return Standing(max(self._last, Stance.HALT, key=_CARE.index), (), self._fault)
        self._last = stance_of(known.commands)
        return Standing(self._last, pending_of(known.commands))

    def beat(self, status: Status) -> None:
        """Say that the fund lives, and how it stands; a failure is a halt at the next look."""
        try:
            self._file.beat(status)
        except ControlError as error:
            self._failed(error)

    def answer(self, id: int, text: str, outcome: Outcome = Outcome.DONE) -> None:
        """Answer command ``id``: WORKING as often as there is news, then DONE or REFUSED.

        An answer that cannot be written is lost; the command is then pending again.
        """
        try:
            self._file.answer(id, text, outcome)
        except ControlError as error:
            self._failed(error)

    def close(self, ended: str = "") -> None:
        """Let go of the fund.

        Args:
            ended: why the run is over for good; empty if it may be started again.
        """
        try:
            if ended:
                self._file.end(ended)
        except ControlError as error:
            self._failed(error)
        finally:
            self._lock.release()

    def _failed(self, error: ControlError) -> None:
        self._fault = str(error)

    def _healed(self) -> Control:
        """All there is, after a fault: with a halt of the fund's own, in a new file if need be."""
        try:
            self._file.read()
        except ControlError as error:
            if not error.damaged:
                raise
            self._file.set_aside()
            self._file.create()
            self._file.begin(self._restart)
        act = Act.FLATTEN if self._last is Stance.FLATTEN else Act.HALT
        self._file.ask(act, ITSELF, f"the control file could not be used: {self._fault[:500]}")
        known = self._file.refuse_superseded()
        self._fault = ""
        return known


_CARE = (Stance.RUN, Stance.HALT, Stance.FLATTEN)
