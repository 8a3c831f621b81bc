"""The list of mutants fits the sources; ``python -m contracts.campaign`` runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
# No guard is ever zero, so nothing can show that this line is there; it stands for a later reader.
SECOND_LOCK = "if (signer == address(0)) revert BadSignature();"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_edits_one_place(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text("utf-8").count(mutant.old) == 1
    assert mutant.old != mutant.new


def test_names_are_one_each() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("contract", ["VerdictModule", "LeafVerifier"])
def test_every_line_that_refuses_is_in_the_list(contract: str) -> None:
    file = f"contracts/{contract}.sol"
    edited = [mutant.old for mutant in MUTANTS if mutant.file == file]
    for line in (ROOT / file).read_text("utf-8").splitlines():
        wanted = line.strip()
        if re.search(r"\brevert \w+\(", wanted) and wanted != SECOND_LOCK:
            assert any(old in wanted or wanted in old for old in edited), wanted
