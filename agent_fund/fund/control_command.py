"""What an operator may tell a running fund, and what the fund answers: plain records.

The order of commands is that of their ids, and a resume waits until those before it are finished.
A halt holds from the moment in which it is durable, whatever becomes of its answer: an order whose
bytes were not decided by then never leaves, any other is cancelled. A resume changes nothing until
the fund has answered that it is done. So a crash between a command and its answer leaves the fund
on the careful side.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

ITSELF = "agent-fund"
"""Who acts where nobody asked: a fund whose control file cannot be read halts itself."""
BROKEN, HAD_ITS_BARS = "a limit is broken", "the run has had its bars"
"""Why a fund stops by itself, in the words of its log."""


class Act(enum.Enum):
    """What is asked for.

    Attributes:
        HALT: cancel the agent's orders and hold; the agent makes no new trade.
        FLATTEN: close everything through the guard's way out, then stay halted.
        RESUME: let the agent trade again, if the book is Safe.
        SETTLE: end an order in doubt, of a fund that was halted; about the order.
        ADJUST: let the books say what a place really has, of a fund that was halted; about the
            place, then asset and signed amount, as often as it takes.
    """

    HALT = "halt"
    FLATTEN = "flatten"
    RESUME = "resume"
    SETTLE = "settle"
    ADJUST = "adjust"

    @property
    def corrects(self) -> bool:
        """Whether it corrects the books, and leaves as it is who may trade."""
        return self in (Act.SETTLE, Act.ADJUST)


class Outcome(enum.Enum):
    """How far a command has come; WORKING may be followed by any, the others by none."""

    WORKING = "working"
    DONE = "done"
    REFUSED = "refused"

    @property
    def final(self) -> bool:
        """Whether nothing more will be answered."""
        return self is not Outcome.WORKING


class Stance(enum.Enum):
    """What all commands together say now, the most careful last."""

    RUN = "run"
    HALT = "halt"
    FLATTEN = "flatten"


@dataclass(frozen=True)
class Command:
    """One act of one named person.

    Attributes:
        id: from 1 on; later commands have larger ones.
        by: the person. ``reason``: why, in the person's words.
        at: Unix milliseconds at which it was given.
        outcome: None until the fund answers; ``answer``: what it says.
        about: what the act is done to, in words; empty for the whole fund.
    """

    id: int
    act: Act
    by: str
    reason: str
    at: int
    outcome: Outcome | None = None
    answer: str = ""
    about: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The act and what it is about."""
        return " ".join((self.act.value, *self.about))

    @property
    def finished(self) -> bool:
        """Whether the fund has given its last answer."""
        return self.outcome is not None and self.outcome.final


def stance_of(commands: Iterable[Command]) -> Stance:
    """What ``commands``, in the order of their ids, say now."""
    stance = Stance.RUN
    for command in commands:
        if command.outcome is Outcome.REFUSED or command.act.corrects:
            continue
        if command.act is Act.FLATTEN:
            stance = Stance.FLATTEN
        elif command.act is Act.RESUME:
            if command.outcome is Outcome.DONE:
                stance = Stance.RUN
        elif stance is Stance.RUN:  # a halt takes nothing back from a flatten
            stance = Stance.HALT
    return stance


def pending_of(commands: Iterable[Command]) -> tuple[Command, ...]:
    """What wants an answer now: a resume only once everything before it is finished.

    A flatten under way is thus never left half done by a resume that came after it.
    """
    found: list[Command] = []
    for command in commands:
        if not command.finished and not (command.act is Act.RESUME and found):
            found.append(command)
    return tuple(found)


def superseded(commands: Iterable[Command]) -> list[tuple[Command, Command]]:
    """Resumes that nobody has answered, each with the later halt or flatten that beats it."""
    waiting: list[Command] = []
    found = []
    for command in commands:
        if command.act is Act.RESUME:
            if not command.finished:
                waiting.append(command)
        elif command.outcome is not Outcome.REFUSED and not command.act.corrects:
            found += [(resume, command) for resume in waiting]
            waiting = []
    return found
