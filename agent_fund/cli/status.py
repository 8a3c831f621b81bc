"""``agent-fund status``: how a fund stands, in its own last words, and whether it still lives."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from agent_fund.cli.control import OUTCOME_STYLES, restart_of
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.run_choice import chosen_run, living
from agent_fund.cli.terminal import (
    console,
    grid,
    money,
    one_line,
    percent,
    percent_up,
    shown_path,
    write_json,
)
from agent_fund.fund.control_command import Command, Stance, stance_of
from agent_fund.fund.control_file import Control, ControlError, ControlFile
from agent_fund.fund.control_process import Life, Process, life_of, read_process
from agent_fund.fund.control_status import Status

_EVERY = 1.0
_COMMANDS = 5
_ID = 12  # characters of an order's id
_GOOD, _BAD = "green", "bold red"


@dataclass(frozen=True)
class Seen:
    """What there is to say of a run at one moment; ``now`` in Unix milliseconds.

    Attributes:
        others: runs of the current folder that live besides it.
    """

    folder: Path
    now: int
    life: Life
    process: Process | None
    control: Control
    restart: str
    others: tuple[Path, ...]

    @property
    def overdue(self) -> int:
        """Milliseconds by which the next beat is late; 0 if it is not, or none is due."""
        status = self.control.status
        if self.control.ended or self.life is Life.DEAD or status is None:
            return 0
        return max(0, self.now - status.next_beat)

    @property
    def code(self) -> ExitCode:
        """NOT_RUNNING if no process runs it though it is not over, or it is silent."""
        if self.control.ended:
            return ExitCode.OK
        return ExitCode.NOT_RUNNING if self.life is Life.DEAD or self.overdue else ExitCode.OK


def show_status(run: Path | None, *, as_json: bool) -> int:
    """Show it once.

    Raises:
        ControlError: if the control file cannot be read.
    """
    seen = _look(chosen_run(run, acting=False))
    if as_json:
        write_json(_json(seen))
    else:
        _print(console(), seen)
    return seen.code


def watch_status(run: Path | None) -> int:
    """Show it anew every second, until Ctrl-C.

    Raises:
        ControlError: once the control file cannot be read.
    """
    screen = console()
    if not screen.is_terminal:
        raise typer.BadParameter("it needs a terminal; use --json in a loop", param_hint="--watch")
    folder = chosen_run(run, acting=False)
    seen = _look(folder)
    try:
        with Live(_picture(seen), console=screen, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(_EVERY)
                seen = _look(folder)
                live.update(_picture(seen), refresh=True)
    except KeyboardInterrupt:
        pass
    _print(screen, seen)
    return seen.code


def _look(folder: Path) -> Seen:
    file = ControlFile(folder)
    try:
        control = file.read()
    except ControlError as error:
        error.add_note("a fund that runs has halted, and mends the file at its next turn;")
        error.add_note("one that does not run does so when it is started")
        raise
    now = time.time_ns() // 1_000_000
    restart = restart_of(file, folder)
    others = tuple(other for other in living() if other.resolve() != folder.resolve())
    return Seen(folder, now, life_of(folder), read_process(folder), control, restart, others)


def _json(seen: Seen) -> dict[str, object]:
    control = seen.control
    return {
        "run": str(seen.folder.resolve()),
        "process": None if seen.process is None else asdict(seen.process),
        "life": "ended" if control.ended else seen.life.value,
        "ended": control.ended,
        "beat": control.beat,
        "overdue_ms": seen.overdue,
        "stance": stance_of(control.commands).value,
        "status": None if control.status is None else asdict(control.status),
        "commands": [
            {
                "id": command.id,
                "act": command.act.value,
                "about": list(command.about),
                "by": command.by,
                "reason": command.reason,
                "at": command.at,
                "outcome": None if command.outcome is None else command.outcome.value,
                "answer": command.answer,
            }
            for command in control.commands
        ],
        "restart": seen.restart,
        "others": [str(other.resolve()) for other in seen.others],
        "exit": int(seen.code),
    }


def _print(screen: Console, seen: Seen) -> None:
    for part in _parts(seen):
        screen.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def _picture(seen: Seen) -> RenderableType:
    return Group(*_parts(seen))


def _parts(seen: Seen) -> list[RenderableType]:
    control, parts = seen.control, list[RenderableType]()
    parts += [Text(shown_path(seen.folder), "bold", overflow="fold"), _life(seen)]
    if seen.code is not ExitCode.OK and seen.life is Life.DEAD:
        # It is copied: in one piece, however long.
        parts.append(Text(f"Start it with: {one_line(seen.restart)}", no_wrap=True))
    if seen.others:
        names = ", ".join(map(shown_path, seen.others))
        parts.append(Text(f"Running too: {one_line(names)}", "yellow"))
    stance = stance_of(control.commands)
    if stance is not Stance.RUN:
        parts.append(Text(f"Operators say: {stance.value}", "bold yellow"))
    status = control.status
    if status is None:
        parts.append(Text("It has not said anything yet."))
    else:
        parts += [Text(f"ALARM  {one_line(alarm)}", _BAD) for alarm in status.alarms]
        parts.append(_facts(status))
        parts += _tables(status)
    if control.commands:
        parts.append(_commands(control.commands[-_COMMANDS:]))
    return parts


def _life(seen: Seen) -> Text:
    control, process = seen.control, seen.process
    if control.ended:
        return Text(f"over: {one_line(control.ended)}", "bold yellow" if _held(control) else "")
    who = "" if process is None else f"process {process.pid} on {one_line(process.host)}"
    since = "" if process is None else f", since {_time(process.at)}"
    if seen.life is Life.ELSEWHERE:
        return Text(f"started as {who}{since}; whether it runs can be seen there", "yellow")
    if seen.life is Life.DEAD:
        return Text(f"NOT RUNNING; its last was {who}{since}", _BAD)
    if seen.overdue:
        return Text(f"SILENT for {_span(seen.now - control.beat)}; {who}{since}", _BAD)
    return Text.assemble(("running", _GOOD), f"; {who}{since}")


def _facts(status: Status) -> RenderableType:
    table = grid("", "")
    table.show_header, table.box = False, None
    mode = Text(one_line(status.mode), _GOOD if status.mode == "active" else "bold yellow")
    below = f"{percent_up(status.drawdown)} of at most {percent(status.limit)}"
    currency = one_line(status.currency)
    for name, value in (
        ("Mode", mode),
        ("Bar", f"{status.bar}, closed {_time(status.time)}"),
        ("NAV", f"{_amount(status.nav)} {currency}"),
        ("Mark", f"{_amount(status.mark)} {currency}"),
        ("Drawdown", below),
    ):
        table.add_row(Text(name, "bold"), value)
    return table


def _amount(text: str) -> str:
    """Two decimals of what should be a number; ``--json`` has it exactly."""
    try:
        return money(text)
    except InvalidOperation:
        return one_line(text)


def _is_some(quantity: str) -> bool:
    """Whether anything is held; what is no number is shown."""
    try:
        return Decimal(quantity) != 0
    except InvalidOperation:
        return True


def _held(control: Control) -> bool:
    status = control.status
    return status is not None and any(_is_some(p.quantity) for p in status.positions)


def _tables(status: Status) -> list[RenderableType]:
    held = grid("Position", ">Quantity", ">Price", f">Worth in {one_line(status.currency)}")
    positions = [position for position in status.positions if _is_some(position.quantity)]
    for position in positions:
        held.add_row(
            *map(one_line, (position.symbol, position.quantity, position.price)),
            _amount(position.value),
        )
    orders = grid("Order", "", "For", "State")
    # It is typed for settle: one that is broken over two lines cannot be copied.
    orders.columns[0].no_wrap, orders.columns[0].min_width = True, _ID
    for o in status.orders:
        what = f"{o.side} {o.quantity} {o.symbol} at {o.venue}, limit {o.limit}"
        what += f", filled {o.filled}" if _is_some(o.filled) else ""
        orders.add_row(*map(one_line, (o.id[:_ID], what, o.purpose, o.state)))
    venues = grid("Venue", "Health", "")
    for venue in status.venues:
        style = _GOOD if venue.state == "ok" else _BAD
        venues.add_row(
            one_line(venue.name), Text(one_line(venue.state), style), one_line(venue.detail)
        )
    found: list[RenderableType] = []
    found.append(held if positions else Text("No positions."))
    found.append(orders if status.orders else Text("No open orders."))
    return [*found, venues] if status.venues else found


def _commands(commands: tuple[Command, ...]) -> RenderableType:
    table = grid(">Command", "", "By", "Reason", "Answer")
    for command in commands:
        if command.outcome is None:
            answer = Text("waits for the fund", "yellow")
        else:
            label = (f"{command.outcome.value}: ", OUTCOME_STYLES[command.outcome])
            answer = Text.assemble(label, one_line(command.answer))
        row = map(one_line, (str(command.id), command.words, command.by, command.reason))
        table.add_row(*row, answer)
    return table


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
