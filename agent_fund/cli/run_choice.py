"""Which run an operator means: the folder named, or the newest under ``runs``, the living first."""

from __future__ import annotations

from pathlib import Path

import typer

from agent_fund.audit.manifest import MANIFEST
from agent_fund.cli.terminal import shown_path
from agent_fund.fund.control_file import CONTROL
from agent_fund.fund.control_process import LOCK, Life, life_of

RUNS = Path("runs")


def chosen_run(run: Path | None, *, acting: bool) -> Path:
    """The run folder.

    Args:
        acting: whether something is to be done to it: of two funds that run, none is guessed then.

    Raises:
        typer.BadParameter: if there is none, or none that has controls.
    """
    if run is not None:
        if not run.is_dir():
            raise typer.BadParameter(f"{run}: there is no such folder", param_hint="RUN")
        if not (run / CONTROL).exists() and not (run / LOCK).exists():
            seen = "a finished backtest" if (run / MANIFEST).exists() else f"without {CONTROL}"
            why = "only a fund that trades on paper or live has controls"
            raise typer.BadParameter(f"{run}: it is {seen}; {why}", param_hint="RUN")
        return run
    known = [folder for folder in RUNS.glob("*") if (folder / LOCK).exists()]
    if not known:
        raise typer.BadParameter(f"no fund was started under {RUNS}/", param_hint="RUN")
    alive = living()
    if acting and len(alive) > 1:
        names = ", ".join(map(shown_path, alive))
        raise typer.BadParameter(f"{len(alive)} funds run; name one: {names}", param_hint="RUN")
    return max(alive or known, key=lambda folder: ((folder / LOCK).stat().st_mtime_ns, folder.name))


def living() -> list[Path]:
    """The runs under ``runs`` that a process of this machine runs now, by name."""
    found = (path.parent for path in RUNS.glob(f"*/{LOCK}"))
    return sorted(folder for folder in found if life_of(folder) is Life.RUNNING)
