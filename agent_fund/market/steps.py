"""The length of a bar, as people write it: a number and s, m, h or d."""

from __future__ import annotations

import re

from agent_fund.market.errors import MarketError

STEP = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
STEP_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def step_ms(step: str) -> int:
    """The length of ``"30s"``, ``"15m"``, ``"1h"``, ``"1d"`` in ms.

    Raises:
        MarketError: for anything else.
    """
    found = STEP.fullmatch(step)
    if found is None:
        raise MarketError("step", step, 'write a number and s, m, h or d, such as "1h"')
    return int(found[1]) * STEP_MS[found[2]]


def step_text(length_ms: int) -> str:
    """The shortest writing of a length in ms; ``step_ms`` reads it back if it is whole seconds."""
    for unit in ("d", "h", "m", "s"):
        if length_ms % STEP_MS[unit] == 0:
            return f"{length_ms // STEP_MS[unit]}{unit}"
    return f"{length_ms}ms"
