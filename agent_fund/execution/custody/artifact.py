"""The compiled contracts that the package ships, read without any compiler."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    Attributes:
        bytecode: what creates it, without constructor arguments.
        compiler, settings: what it was compiled with. ``source_sha256``: of its source file.
    """

    contract: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    compiler: str
    settings: dict[str, Any]
    source_sha256: str


@cache
def artifact(contract: str) -> Artifact:
    """The artifact of ``contract``: ``VerdictModule`` or ``LeafVerifier``.

    Raises:
        FileNotFoundError: for any other.
    """
    file = files("agent_fund.execution.custody.compiled") / f"{contract}.json"
    found = json.loads(file.read_text("utf-8"))
    return Artifact(
        found["contract"],
        tuple(found["abi"]),
        bytes.fromhex(found["bytecode"][2:]),
        found["compiler"],
        found["settings"],
        found["source_sha256"],
    )
