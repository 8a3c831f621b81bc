"""What can go wrong with keys; the value seen is never the secret, only what may be printed."""

from __future__ import annotations

from agent_fund.execution.errors import ExecutionError


class KeyRefused(ExecutionError):  # noqa: N818 - a refusal, as everywhere in execution
    """A key that cannot be had, is of another kind, or is not the one that was asked for."""


class SigningFailed(ExecutionError):  # noqa: N818 - an outcome, as everywhere in execution
    """No signature was made, or a wrong one came back; nothing has been sent."""
