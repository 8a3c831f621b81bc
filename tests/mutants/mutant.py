"""A mutant: one way in which the source is broken on purpose, and the test that sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """One defect: in ``file``, ``old`` becomes ``new``; ``test`` must fail.

    ``old`` stands there exactly once.
    """

    name: str
    file: str
    old: str
    new: str
    test: str
