"""What can be wrong with a run before it starts, or stop it: each with the fix."""

from __future__ import annotations


class RunFileError(ValueError):
    """The run file, or a file that it names, cannot be used; the message says where and how."""


class RunFolderError(OSError):
    """The run folder cannot be made or written."""


class Interrupted(Exception):  # noqa: N818 - an event, not an error
    """The user stopped the run; what was logged is whole, and the run can be resumed.

    Attributes:
        folder: the run folder, as text.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(f"stopped; resume with: --resume {folder}")
        self.folder = folder
