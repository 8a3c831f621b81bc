"""The artifacts that the package ships are what the sources give, and nothing else is needed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent_fund.devnet.packages import folder_of
from agent_fund.execution.custody.artifact import artifact
from contracts.compile import COMPILED, CONTRACTS, FOLDER, SETTINGS
from contracts.compile import artifact as compiled

ABSENT = "the compiler is absent: run `agent-fund devnet fetch` (needs Node.js)"
compiler = pytest.mark.skipif(
    shutil.which("node") is None or not folder_of("solc").is_dir(), reason=ABSENT
)


@compiler
@pytest.mark.parametrize("name", CONTRACTS)
def test_compiling_again_gives_the_committed_artifact(name: str) -> None:
    assert (COMPILED / f"{name}.json").read_text("utf-8") == compiled(name)


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_artifact_names_its_source_compiler_and_settings(name: str) -> None:
    found = artifact(name)
    source = (FOLDER / f"{name}.sol").read_bytes()
    assert found.source_sha256 == hashlib.sha256(source).hexdigest()
    assert (found.contract, found.compiler, found.settings) == (name, "solc 0.8.30", SETTINGS)
    assert len(found.bytecode) < 24_576  # EIP-170


def test_there_is_no_artifact_without_a_source() -> None:
    assert sorted(path.stem for path in COMPILED.glob("*.json")) == sorted(CONTRACTS)
    with pytest.raises(FileNotFoundError):
        artifact("Settler")


def test_reading_artifacts_needs_neither_node_nor_the_cache(tmp_path: Path) -> None:
    code = "from agent_fund.execution.custody.artifact import artifact; artifact('LeafVerifier')"
    environment = {"PATH": str(tmp_path), "AGENT_FUND_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 0
