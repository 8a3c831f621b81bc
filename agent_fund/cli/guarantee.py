"""What is said beside a guarantee: which assumptions failed, and at which bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NO_PROOF = "there the proof did not apply"


def failed_words(failed: Mapping[str, Sequence[int]]) -> str:
    """``"assumption A4 (bar 12) failed"``; empty if none did.

    Args:
        failed: the bars at which each assumption failed, in order.
    """
    named = [f"{code} ({_bars(bars)})" for code, bars in sorted(failed.items()) if bars]
    if not named:
        return ""
    if len(named) == 1:
        return f"assumption {named[0]} failed"
    return f"assumptions {', '.join(named[:-1])} and {named[-1]} failed"


def _bars(bars: Sequence[int]) -> str:
    if len(bars) == 1:
        return f"bar {bars[0]:,}"
    return f"{len(bars):,} bars from {bars[0]:,} to {bars[-1]:,}"
