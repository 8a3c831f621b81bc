"""Progress of a run on stderr: growing bars in a terminal, one line a finished stage elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int], None]
_PREPARE = "prepare"


@contextmanager
def stages(console: Console) -> Iterator[Progress]:
    """A callback for (stage, done, total); a new stage name begins a new bar."""
    if console.is_terminal:
        with _bars(console) as report:
            yield report
    else:

        def line(stage: str, done: int, total: int) -> None:
            if done == total:
                console.print(f"{stage}: {done:,} of {total:,}")

        yield line


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    from rich import progress as rich_progress

    shown = rich_progress.Progress(
        rich_progress.TextColumn("{task.description:<10}"),
        rich_progress.BarColumn(bar_width=32),
        rich_progress.TextColumn("{task.fields[count]}"),
        rich_progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    tasks = {_PREPARE: shown.add_task(_PREPARE, total=None, count="")}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            shown.update(tasks[_PREPARE], visible=False)
            tasks[stage] = shown.add_task(stage, total=total, count="")
        count = f"{done:,} of {total:,}"
        shown.update(tasks[stage], completed=done, total=total, count=count)

    with shown:
        yield report
