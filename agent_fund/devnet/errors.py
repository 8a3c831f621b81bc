"""What can go wrong with the devnet, in words that say the fix."""

from __future__ import annotations


class DevnetError(RuntimeError):
    """The devnet cannot be made or reached.

    Attributes:
        subject, value, fix: what it is about, what was seen, what to do.
    """

    def __init__(self, subject: str, value: object, fix: str) -> None:
        super().__init__(f"{subject}: {value}; {fix}")
        self.subject = subject
        self.value = value
        self.fix = fix
