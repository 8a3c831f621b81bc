"""Which process runs a fund, so that a dead one is not believed and two never run at once.

The process holds a lock (``flock``) on ``control.lock`` in the run folder for its whole life; the
kernel lets go of it when the process ends, however it ends. Beside the lock stand the process id,
the time at which the process began and the host: an id alone may have been given to another
process since, and a lock may be held by a child that outlived its parent.
"""

from __future__ import annotations

import enum
import fcntl
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LOCK = "control.lock"
# One who only looks holds the lock for a moment; a starting fund waits for longer than that.
_PATIENCE = 2.0


class AlreadyRunningError(RuntimeError):
    """Another process runs this fund."""


class Life(enum.Enum):
    """Whether a process runs the fund now.

    Attributes:
        RUNNING: it does. ``DEAD``: none does; the last one did not say goodbye, or none ever ran.
        ELSEWHERE: the last one ran on another host, about which nothing can be known here.
    """

    RUNNING = "running"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Process:
    """A process, told apart from all others.

    Attributes:
        started: what the kernel says of its beginning, with the boot's id; empty where unknown.
        at: Unix milliseconds at which it took the fund over.
    """

    pid: int
    host: str
    started: str
    at: int


class ProcessLock:
    """The lock of this process on ``folder``, from making it until ``release``.

    Raises:
        AlreadyRunningError: if another process holds it.
        OSError: if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(folder)
            content = json.dumps(asdict(this_process())).encode()
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, content, 0)
            os.fsync(self._handle)
        except BaseException:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let go of the lock; what it says of the process stays, for people to read."""
        os.close(self._handle)

    def _take(self, folder: Path) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    holder = read_process(folder)
                    who = "another process" if holder is None else f"process {holder.pid}"
                    raise AlreadyRunningError(f"{folder}: {who} runs this fund already") from None
                time.sleep(0.01)
            else:
                return


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    return Process(pid, socket.gethostname(), started_of(pid), time.time_ns() // 1_000_000)


def read_process(folder: Path) -> Process | None:
    """Who holds, or last held, the lock of ``folder``; None if nobody has, or nobody can tell."""
    try:
        found = json.loads((folder / LOCK).read_bytes())
        process = Process(**found)
    except (OSError, ValueError, TypeError):
        return None
    numbers, texts = (process.pid, process.at), (process.host, process.started)
    if not all(type(n) is int for n in numbers) or not all(type(t) is str for t in texts):
        return None
    return process


def life_of(folder: Path) -> Life:
    """Whether a process runs the fund of ``folder`` now: its lock, its id and its beginning say so.

    Raises:
        OSError: if there is a lock that cannot be looked at.
    """
    process = read_process(folder)
    if process is not None and process.host != socket.gethostname():
        return Life.ELSEWHERE
    if not _is_locked(folder / LOCK):
        return Life.DEAD
    if process is None:
        return Life.RUNNING  # it has the lock and is about to say who it is
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return Life.DEAD
    except PermissionError:
        pass  # it is there, and another user's
    return Life.RUNNING if process.started == started_of(process.pid) else Life.DEAD


def started_of(pid: int) -> str:
    """When process ``pid`` began, in ticks since which boot; empty if the kernel does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
    # The second field is the name in parentheses, which may hold anything; starttime is the 22nd.
    return f"{boot}/{stat.rpartition(')')[2].split()[19]}"


def _is_locked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
