"""The one error of the domain: it names what was wrong, the value seen, and the fix."""

from __future__ import annotations


class DomainError(ValueError):
    """A value that the domain refuses.

    Attributes:
        subject: what the value was meant to be, e.g. ``"limit price of SP500"``.
        value: the value seen, as given.
        fix: what to write instead.
    """

    def __init__(self, subject: str, value: object, fix: str) -> None:
        super().__init__(f"{subject}: {value!r} is refused; {fix}")
        self.subject = subject
        self.value = value
        self.fix = fix
