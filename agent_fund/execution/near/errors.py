"""The two ways in which NEAR does not do what was asked: it said no, or nobody knows."""

from __future__ import annotations

from agent_fund.execution.errors import ExecutionError


class NearUnreachable(ExecutionError):  # noqa: N818 - it names what happened
    """No certain answer: a time-out, a broken connection, a 5xx, a node that is not in step.

    What was sent may have arrived. Ask by hash; never take it for a refusal.
    """


class NearRefused(ExecutionError):  # noqa: N818 - it names what happened
    """The node, or the contract, understood and said no; ``value`` is its reason."""
