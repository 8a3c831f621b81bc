"""The base error of the audit room: it names what was wrong, the value seen, and the fix."""

from __future__ import annotations

_SHOWN = 120


class AuditError(ValueError):
    """A value, a file or a log that the audit room refuses.

    Attributes:
        subject: what the value was meant to be, e.g. ``"leaf 7"``.
        seen: the value seen, as given.
        fix: what to do about it.
    """

    def __init__(self, subject: str, seen: object, fix: str) -> None:
        shown = repr(seen)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}... ({len(shown)} characters)"
        super().__init__(f"{subject}: {shown} is refused; {fix}")
        self.subject = subject
        self.seen = seen
        self.fix = fix


class VerificationError(AuditError):
    """What does not check, and where.

    Attributes:
        index: number of the first bad record, or None if a file is bad.
        place: the record or the file in words.
    """

    def __init__(self, index: int | None, place: str, problem: str) -> None:
        super().__init__(place, problem, "the run was tampered with, or it is our defect")
        self.index = index
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"
