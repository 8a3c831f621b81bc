"""Breaks a copy of the project with each mutant in turn, and asks that its test turns red.

    python tests/mutants/campaign.py [WORDS OF A NAME]

Exit code 1 if a mutant survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutant import ROOT, Mutant
from mutants import MUTANTS
from rich.console import Console
from rich.progress import Progress

FOLDERS = ("agent_fund", "tests", "strategies", "guardrails", "backtests", "contracts")
LONGEST = 900  # seconds; a test that goes on for longer sees the defect too, in its way


def killed(mutant: Mutant) -> bool:
    """Whether the mutant's test fails on a copy with the mutant in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        copy.mkdir()
        for name in FOLDERS:
            ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
            shutil.copytree(ROOT / name, copy / name, ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
        path = copy / mutant.file
        path.write_text(path.read_text().replace(mutant.old, mutant.new))
        command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, mutant.test],
                cwd=copy,
                env={**os.environ, "PYTHONPATH": str(copy)},
                capture_output=True,
                check=False,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return True
        if done.returncode not in (0, 1):
            raise SystemExit(f"{mutant.name}: the test did not run\n{done.stdout.decode()}")
        return done.returncode == 1


def main(words: list[str]) -> int:
    """Run the mutants whose names hold all ``words``; say which survive."""
    chosen = [m for m in MUTANTS if all(word in m.name for word in words)]
    console = Console()
    survivors = []
    with Progress(console=console) as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        task = progress.add_task("mutants", total=len(chosen))
        for mutant, dead in zip(chosen, pool.map(killed, chosen), strict=True):
            progress.advance(task)
            if not dead:
                survivors.append(mutant)
                progress.console.print(f"[red]survives[/red] {mutant.name}: {mutant.test}")
    console.print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants killed")
    return int(bool(survivors) or not chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
