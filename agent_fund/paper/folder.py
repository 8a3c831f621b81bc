"""The run folder of a run on real venues: a refused start leaves none, and a finished run is told.

A start that is refused before its first bar has sent nothing and decided nothing. Its folder would
be the newest one, and hide the fund that lives.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from agent_fund.audit.manifest import MANIFEST
from agent_fund.backtest.errors import Interrupted, RunFolderError
from agent_fund.execution.live.tape import Tape
from agent_fund.fund.control_file import CONTROL, ControlError, ControlFile

_MOST = 3  # other runs that a message names


class RefusedStart:
    """Removes ``folder`` if what it surrounds fails before the run has had a bar.

    A folder to which a person has given a command already is kept, and so is that of a run which
    was stopped: it can be resumed.

    Attributes:
        begun: whether there is a bar, or was one before.
    """

    def __init__(self, folder: Path, *, begun: bool) -> None:
        self._folder = folder
        self.begun = begun

    def look(self, tape: Tape) -> None:
        """Whether the run has a bar on ``tape``; while that can be read."""
        self.begun = self.begun or bool(tape.bars())

    def __enter__(self) -> RefusedStart:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        refused = isinstance(error, Exception) and not isinstance(error, Interrupted)
        if refused and not self.begun and not _commanded(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)


def require_unfinished(folder: Path) -> None:
    """Refuse to resume a run that is over, with what it still holds.

    Raises:
        RunFolderError: if it is.
    """
    if not (folder / MANIFEST).exists():
        return
    try:
        ended = ControlFile(folder).read().ended
    except ControlError:
        ended = ""
    why = f": {ended}" if ended else "; there is nothing to resume"
    raise RunFolderError(f"{folder}: this run is finished{why}")


def holders(folder: Path) -> list[str]:
    """Runs beside ``folder`` that may have what a new one misses, the newest first, and the fix."""
    found = []
    for path in folder.parent.glob(f"*/{CONTROL}"):
        if path.parent != folder:
            with suppress(ControlError):
                found.append((path.parent, ControlFile(path.parent).read()))
    lines = []
    for run, control in sorted(found, key=lambda one: one[1].beat, reverse=True):
        held = [] if control.status is None else control.status.positions
        named = ", ".join(f"{p.quantity} {p.symbol}" for p in held if p.quantity.strip("-0."))
        has = f"it holds {named}" if named else "it may hold the cash"
        if not control.ended:
            lines.append(f"{run.name} is not over, and {has}: {control.restart}")
        elif named:
            lines.append(f"{run.name} is over, and {has}: close that at its venue")
    return lines[:_MOST]


def _commanded(folder: Path) -> bool:
    try:
        return bool(ControlFile(folder).read().commands)
    except ControlError:
        return False
