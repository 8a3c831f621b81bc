"""What throttles share: whether a proposal's draw leaves an allowance above nothing.

A throttle limits what an agent sends. The guard's own ways out and the cancels on them are neither
held back by one nor counted: a throttle that stopped them would trap the fund in what it must
leave, and what they send is not the agent's doing. A venue's own limit needs room for both.
"""

from __future__ import annotations

from collections.abc import Callable

from agent_fund.guard.activity import Draw
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.verdict import Situation


def throttled(
    guardrail: Guardrail, draw: Draw, situation: Situation, told: Callable[[int], str]
) -> Finding:
    """The finding for the allowance of which most is missing.

    Args:
        told: tokens in words, e.g. ``"3 orders"``.
    """
    allowance = draw.allowance
    left = [
        (situation.activity.room(key, allowance, situation.bar), tokens)
        for key, tokens in draw.tokens.items()
        if tokens  # what takes nothing is let through, however little is left
    ]
    room, tokens = min(left, key=lambda pair: pair[0] - pair[1], default=(allowance.size, 0))
    return Finding(
        guardrail.kind,
        tokens <= room or not tokens,
        f"{told(max(0, room))} left of {told(allowance.size)} in {allowance.bars} bars",
        told(tokens),
        "sent, whether or not it fills",
    )
