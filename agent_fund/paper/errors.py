"""The errors of a run on real venues: each names what was wrong, the value seen, and the fix."""

from __future__ import annotations


class PaperError(ValueError):
    """A run on real venues cannot begin, or cannot go on.

    Attributes:
        subject, value, fix: what it is about, what was seen, what to do.
    """

    def __init__(self, subject: str, value: object, fix: str) -> None:
        super().__init__(f"{subject}: {value}; {fix}")
        self.subject = subject
        self.value = value
        self.fix = fix
