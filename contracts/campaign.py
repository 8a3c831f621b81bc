"""Breaks a copy of the contracts and of the signing side with each mutant; a test must turn red.

    python -m contracts.campaign [WORDS OF A NAME]

Needs what the tests on anvil need. Exit code 1 if a mutant survives.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from contracts.compile import COMPILED, FOLDER, compile_sources
from contracts.mutants import MUTANTS, Mutant

ROOT = FOLDER.parent
COPIED = ("agent_fund", "tests/contracts", "contracts", "pyproject.toml")
TESTS = {
    "module": ["module", "verdicts", "roles", "tokens", "custody"],
    "leaf": ["leaf", "leaf_bytes"],
}


def killed(mutant: Mutant) -> bool:
    """Whether a test fails on a copy with the mutant in it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        for name in COPIED:
            source = ROOT / name
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
                shutil.copytree(source, copy / name, ignore=ignore)
            else:
                shutil.copy(source, copy / name)
        path = copy / mutant.file
        text = path.read_text("utf-8")
        if text.count(mutant.old) != 1:
            raise SystemExit(f"{mutant.name}: {text.count(mutant.old)} places, not one")
        path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        if path.suffix == ".sol":
            _compile(path, copy / COMPILED.relative_to(ROOT))
        areas = TESTS.get(mutant.name.split(":")[0], ["custody", "deposit"])
        tests = [f"tests/contracts/test_contracts_{area}.py" for area in areas]
        command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider"]
        done = subprocess.run(  # noqa: S603 - our own tests
            [*command, *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{mutant.name}: the tests did not run\n{done.stdout.decode()}")
    return done.returncode == 1


def _compile(source: Path, target: Path) -> None:
    """Put the mutated contract into the artifact that the copy reads."""
    file = target / f"{source.stem}.json"
    made = compile_sources({source.name: source.read_text("utf-8")}, strict=False)[source.stem]
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | made), "utf-8")


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
                progress.console.print(f"[red]survives[/red] {mutant.name}")
    console.print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants killed")
    return int(bool(survivors) or not chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
