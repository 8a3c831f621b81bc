"""The errors of execution: each names what was wrong, the value seen, and the fix."""

from __future__ import annotations


class ExecutionError(ValueError):
    """Something that execution refuses to do.

    Attributes:
        subject: what was refused, e.g. ``"order 3f2a"``.
        value: the value seen.
        fix: what to do instead.
    """

    def __init__(self, subject: str, value: object, fix: str) -> None:
        super().__init__(f"{subject}: {value!r} is refused; {fix}")
        self.subject = subject
        self.value = value
        self.fix = fix


class LedgerError(ExecutionError):
    """An entry that contradicts the books: it does not balance, or its id has other content."""


class InsufficientFunds(ExecutionError):  # noqa: N818 - the name that ledgers and wallets use
    """An entry that would take an own balance below zero; ``value`` is that balance."""
