"""``agent-fund halt``, ``flatten``, ``resume``, ``settle`` and ``adjust``, from another terminal.

The command is on the disk before anything is said of it. Then the fund's answer is waited for; if
no process runs the fund, the command stands until one does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.run_choice import chosen_run
from agent_fund.cli.terminal import console, one_line, shown_path, write_json
from agent_fund.fund.control_command import Act, Command, Outcome
from agent_fund.fund.control_file import ControlError, ControlFile
from agent_fund.fund.control_process import Life, life_of

OUTCOME_STYLES = {Outcome.DONE: "green", Outcome.REFUSED: "bold red", Outcome.WORKING: "yellow"}
_LOOK = 0.05
_RESTART = "agent-fund paper RUNFILE --resume {folder}"


def operate(
    act: str,
    run: Path | None,
    by: str,
    reason: str,
    wait: float,
    about: Sequence[str] = (),
    *,
    as_json: bool,
) -> int:
    """Give the command, wait for its answer for up to ``wait`` seconds, and show both.

    Args:
        about: what the act is done to.

    Returns:
        OK if it is done, or was not waited for; COMMAND_REFUSED; NOT_ANSWERED if it still stands
        after that time; NOT_RUNNING if it stands because no process runs the fund.

    Raises:
        CommandError: without a name or a reason, or if the run has ended for good.
        ControlError: if the control file cannot be used: nothing was given then.
    """
    folder = chosen_run(run, acting=True)
    file = ControlFile(folder)
    try:
        command, new = file.ask(Act(act), by, reason, about)
    except ControlError as error:
        error.add_note("the command was NOT given: a fund that runs takes this for a halt, and")
        error.add_note(f"mends the file; see agent-fund status {shown_path(folder)}, and repeat it")
        raise
    command, life = _waited(file, folder, command, wait)
    restart = restart_of(file, folder)
    code = _code(command, life, wait)
    if as_json:
        write_json(
            {
                "run": str(folder.resolve()),
                "command": command.id,
                "act": act,
                "about": list(command.about),
                "by": command.by,
                "reason": command.reason,
                "new": new,
                "process": life.value,
                "outcome": None if command.outcome is None else command.outcome.value,
                "answer": command.answer,
                "restart": restart,
                "exit": int(code),
            }
        )
    else:
        _show(folder, command, life, restart, new=new, wait=wait)
    return code


def restart_of(file: ControlFile, folder: Path) -> str:
    """The shell command that starts the fund again."""
    return file.read().restart or _RESTART.format(folder=shown_path(folder))


def _waited(file: ControlFile, folder: Path, command: Command, wait: float) -> tuple[Command, Life]:
    """The command as it stands once its last answer is there, the process ended, or time is up."""
    end = time.monotonic() + wait
    while True:
        life = life_of(folder)
        # Read after that: a process that has ended meanwhile has left its last answers.
        command = _found(file, command)
        if command.finished or life is Life.DEAD or time.monotonic() >= end:
            return command, life
        time.sleep(min(_LOOK, max(0.0, end - time.monotonic())))


def _found(file: ControlFile, command: Command) -> Command:
    for known in file.read().commands:
        if (known.id, known.act, known.at) == (command.id, command.act, command.at):
            return known
    error = ControlError(file.path, "it was made anew, without this command", damaged=True)
    error.add_note("the fund has halted by itself; give the command again")
    raise error


def _code(command: Command, life: Life, wait: float) -> ExitCode:
    if command.outcome is Outcome.REFUSED:
        return ExitCode.COMMAND_REFUSED
    if command.outcome is Outcome.DONE:
        return ExitCode.OK
    if life is Life.DEAD:
        return ExitCode.NOT_RUNNING
    return ExitCode.NOT_ANSWERED if wait else ExitCode.OK


def _show(
    folder: Path, command: Command, life: Life, restart: str, *, new: bool, wait: float
) -> None:
    screen = console()
    who = f", command {command.id} of {shown_path(folder)}, by {one_line(command.by)}: "
    act = (one_line(command.words), "bold")
    screen.print(Text.assemble(act, who, one_line(command.reason)), soft_wrap=True)
    if not new:
        at = datetime.fromtimestamp(command.at / 1000, UTC)
        screen.print(f"It was given already, at {at:%Y-%m-%d %H:%M:%S} UTC; nothing was added.")
    if command.outcome is not None:
        label = (f"{command.outcome.value}: ", OUTCOME_STYLES[command.outcome])
        screen.print(Text.assemble(label, one_line(command.answer)), soft_wrap=True)
    if command.finished:
        return
    if life is Life.DEAD:
        text = "No process runs this fund: the command is recorded, and stands at the next start."
        screen.print(Text(text, "yellow"), soft_wrap=True)
        screen.print(f"Start it with: {one_line(restart)}", soft_wrap=True)
        return
    text = "The command is recorded, and stands."
    if wait:
        text = f"No last answer in {wait:g} s. {text}"
    if life is Life.ELSEWHERE:
        text += " The fund was started on another host: whether it runs can be seen there."
    screen.print(Text(text, "yellow"), soft_wrap=True)
    screen.print(f"Look with: agent-fund status {shown_path(folder)}", soft_wrap=True)
