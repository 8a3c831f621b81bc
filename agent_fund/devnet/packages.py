"""The devnet's contracts and its chain: npm packages at pinned versions, never vendored.

``packages.json`` states name, version and the registry's SHA-512 of every package. Each is fetched
with ``npm pack`` (so that the user's own registry settings hold), compared with its digest, and
unpacked into a cache; no script of a package is ever run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_fund.devnet.errors import DevnetError

PINNED: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "packages.json").read_text("utf-8")
)
ANVIL = "@foundry-rs/anvil-linux-amd64"
_ATTEMPTS = 3


def cache_folder() -> Path:
    """Where packages are unpacked: ``AGENT_FUND_CACHE``, else the user's cache folder."""
    own = os.environ.get("AGENT_FUND_CACHE")
    if own:
        return Path(own) / "npm"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "agent-fund" / "npm"


def folder_of(name: str) -> Path:
    """Where the pinned version of ``name`` stands once it is fetched."""
    version, _ = PINNED[name]
    return cache_folder() / name.replace("/", "__") / version


def missing() -> list[str]:
    """The pinned packages that are not in the cache yet."""
    return [name for name in PINNED if not folder_of(name).is_dir()]


def fetch(told: Callable[[str, int, int], None] = lambda name, done, total: None) -> None:
    """Fetch what is missing.

    Args:
        told: called with (package, packages done, packages in all).

    Raises:
        DevnetError: without npm, without the registry, or for a package with another digest.
    """
    wanted = missing()
    if wanted and shutil.which("npm") is None:
        raise DevnetError("npm", "not found", "install Node.js with npm, version 18 or later")
    for number, name in enumerate(wanted):
        told(name, number, len(wanted))
        _fetch(name)
    told("", len(wanted), len(wanted))


def artifact(name: str, path: str) -> tuple[list[dict[str, Any]], str]:
    """ABI and creation bytecode (0x…) of a compiled contract in a package.

    Raises:
        DevnetError: if the package has not been fetched.
    """
    file = folder_of(name) / path
    if not file.is_file():
        raise DevnetError(f"{name}/{path}", "not found", "run: agent-fund devnet fetch")
    found = json.loads(file.read_text("utf-8"))
    code = found.get("bytecode") or found["evm"]["bytecode"]["object"]
    if isinstance(code, dict):
        code = code["object"]
    return found["abi"], code if code.startswith("0x") else "0x" + code


def _fetch(name: str) -> None:
    version, integrity = PINNED[name]
    target = folder_of(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        command = ["npm", "pack", f"{name}@{version}", "--ignore-scripts", "--loglevel=error"]
        for _ in range(_ATTEMPTS):  # a registry may be busy for a moment
            done = subprocess.run(  # noqa: S603 - the arguments are the pinned names above
                command, cwd=scratch, capture_output=True, text=True, timeout=600, check=False
            )
            archives = list(Path(scratch).glob("*.tgz"))
            if archives:
                break
        if done.returncode or len(archives) != 1:
            reason = done.stderr.strip() or f"exit code {done.returncode}"
            raise DevnetError(f"npm pack {name}@{version}", reason, "is the registry reachable?")
        digest = hashlib.sha512(archives[0].read_bytes()).digest()
        if "sha512-" + base64.b64encode(digest).decode() != integrity:
            raise DevnetError(f"{name}@{version}", digest.hex(), "its digest is not the pinned one")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(scratch, filter="data")
        try:
            (Path(scratch) / "package").rename(target)
        except OSError:
            if not target.is_dir():  # another process was faster: its copy is the same
                raise
