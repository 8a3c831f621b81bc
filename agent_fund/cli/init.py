"""``agent-fund init``: a workspace of one's own, with the same four folders as the project's."""

from __future__ import annotations

import shutil
from pathlib import Path

import agent_fund
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.terminal import console, shown_path, write_json
from agent_fund.domain.errors import DomainError

FOLDERS = ("strategies", "guardrails", "backtests", "notebooks")
# The guard's proofs lie beside the project's mandates; no workspace needs them.
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*", "*.partial", "proofs")
_FIRST_CHOICE = "quickstart.toml"

_README = """# {name}

A workspace for agent-fund: language models propose, a guard proves, execution obeys.

| folder | what lies in it |
| --- | --- |
| `strategies/` | a Python class a strategy, or a prompt with a typed answer |
| `guardrails/` | mandates: what the fund must never do |
| `backtests/` | one run file (TOML) a run; its paths start at this folder |
| `notebooks/` | the same, explained and drawn |

    agent-fund doctor
    agent-fund backtest backtests/{runfile}
    agent-fund audit verify runs/RUN

Each run makes a folder in `runs/`; market data is kept in `catalog/`. Neither belongs in git.
"""
_GITIGNORE = "runs/\n.devnet/\ncatalog/\n__pycache__/\n.ipynb_checkpoints/\n*.partial\n"


def init_workspace(folder: Path, *, as_json: bool) -> int:
    """Make ``folder`` a workspace and say what to do next."""
    runfile = make_workspace(folder, template())
    if as_json:
        write_json({"folder": str(folder.resolve()), "runfile": runfile, "exit": int(ExitCode.OK)})
    else:
        screen = console()
        screen.print(f"Made a workspace in {shown_path(folder)}. Next:", soft_wrap=True)
        screen.print(f"  cd {shown_path(folder)}", soft_wrap=True)
        screen.print(f"  agent-fund backtest {runfile}", soft_wrap=True)
    return ExitCode.OK


def template() -> Path:
    """Where the four folders lie: inside the installed package, or beside it in a checkout."""
    package = Path(agent_fund.__file__).parent
    installed = package / "workspace"
    return installed if installed.is_dir() else package.parent


def make_workspace(folder: Path, source: Path) -> str:
    """Copy the four folders of ``source``; returns the run file to begin with, by its path.

    Raises:
        DomainError: ``folder`` holds something, or is a file; or ``source`` lacks a run file.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DomainError("workspace folder", str(folder), "name a new or an empty folder")
    names = sorted(path.name for path in (source / "backtests").glob("*.toml"))
    if not names:
        raise DomainError("workspace template", str(source), "it is incomplete: install again")
    first = _FIRST_CHOICE if _FIRST_CHOICE in names else names[0]
    folder.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=_LEFT_OUT)
        else:
            (folder / name).mkdir()
    name = folder.resolve().name
    (folder / "README.md").write_text(_README.format(name=name, runfile=first), encoding="utf-8")
    (folder / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")
    return f"backtests/{first}"
