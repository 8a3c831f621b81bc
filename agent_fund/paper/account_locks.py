"""One account, one fund: while a run lives, no other run of this user trades at its accounts.

Two funds on one account would each take the other's trades for a stranger's, and the other's money
for their own. Each account is a file, named by the digest of who the account is, on which the run
holds a lock (``flock``); the kernel lets go of it when the process ends, however it ends. What
another user, or another machine, does with an account cannot be seen here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from agent_fund.paper.errors import PaperError


def locks_folder() -> Path:
    """Where the files are: in the user's folder for state, ``XDG_STATE_HOME`` if it is set."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "agent-fund" / "accounts"


class AccountLocks:
    """The accounts of the run in ``run``, from taking each until ``release``."""

    def __init__(self, run: Path, folder: Path | None = None) -> None:
        self._run = run
        self._folder = locks_folder() if folder is None else folder
        self._held: dict[Path, int] = {}

    def take(self, venue: str, account: Sequence[str]) -> None:
        """Hold ``account``, at which ``venue`` of the run is; once more is no harm.

        Raises:
            PaperError: if another run holds it, which is named, or if nobody can tell.
        """
        name = hashlib.sha256(json.dumps(list(account)).encode()).hexdigest()
        path = self._folder / f"{name}.lock"
        if path in self._held:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = _locked(path)
            holder = {"run": str(self._run.resolve()), "process": os.getpid()}
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(holder).encode(), 0)
        except BlockingIOError:
            fix = "stop that run first, or give this fund an account of its own"
            raise PaperError(f"account of {venue}", _holder(path), fix) from None
        except OSError as error:
            fix = "whether another run trades there stands in this folder: make it writable"
            raise PaperError(f"folder {self._folder}", error.strerror, fix) from None
        self._held[path] = handle

    def release(self) -> None:
        """Let go of all of them."""
        for path, handle in self._held.items():
            path.unlink(missing_ok=True)
            os.close(handle)
        self._held.clear()


def _locked(path: Path) -> int:
    """A handle of the file at ``path``, locked; BlockingIOError if another has locked it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it may have removed it meanwhile: then this is nobody's file any more.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_bytes())
        return f"the run {found['run']} trades there (process {found['process']})"
    except (OSError, ValueError, LookupError, TypeError):
        return "another run trades there"
