"""What a request to an exchange came to when it did not succeed, sorted by what is certain.

Only ``Refused`` says that the exchange decided against it. ``NotTaken`` says that it never got as
far as a decision, so that nothing can come of that sending. ``Unclear`` is everything else.
"""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - the kinds below are what callers tell apart
    """A request without the answer that was hoped for; ``reason`` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Failure):
    """The exchange looked at it and said no: a filter, a balance, a wrong parameter."""


class Absent(Failure):
    """The exchange knows no such order."""


class NotTaken(Failure):
    """Turned away unread: too many requests, a ban, or a clock that is off.

    Attributes:
        wait: seconds after which it may be asked again.
        clock: whether it was the clock: what was sent bears a time that the exchange does not take.
    """

    def __init__(self, reason: str, wait: float, clock: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.clock = clock


class Unclear(Failure):
    """No answer, half an answer, or one that says nothing about what happened."""
