"""What a fund has sent of late, as far as its throttles ask: token buckets in exact integers.

An allowance is full at first, and what is drawn from it comes back evenly: all of it in ``bars``
bars. So at most ``size`` goes at once, and at most ``size + size * n / bars`` in any n bars,
however it is split. What is still to come back is kept in parts, ``bars`` of them a token, because
then nothing is ever rounded. The value is made from sent proposals alone, by one pure function
(``limits.activity_after``), so that a resumed run and an auditor make it again from the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Allowance:
    """``size`` tokens that refill within ``bars`` bars; a size of 0 lets nothing through."""

    size: int
    bars: int


@dataclass(frozen=True)
class Drawn:
    """What was still to come back at the close of ``bar``: ``parts`` of tokens."""

    parts: int
    bar: int


class Draw(NamedTuple):
    """What a proposal would take from allowances of one size.

    Attributes:
        tokens: by the key of the allowance.
    """

    allowance: Allowance
    tokens: Mapping[str, int]


@dataclass(frozen=True)
class Activity:
    """What was drawn from each allowance, by its key; one without an entry is full."""

    drawn: Mapping[str, Drawn] = field(default_factory=dict)

    def room(self, key: str, allowance: Allowance, bar: int) -> int:
        """Whole tokens left at the close of ``bar``; negative if the allowance has shrunk since."""
        whole = allowance.size * allowance.bars
        return (whole - self._at(key, allowance, bar).parts) // allowance.bars

    def after(self, draw: Draw, bar: int) -> Activity:
        """What it is once ``draw`` was sent at the close of ``bar``."""
        drawn, allowance = dict(self.drawn), draw.allowance
        for key, tokens in draw.tokens.items():
            if tokens:
                now = self._at(key, allowance, bar)
                drawn[key] = Drawn(now.parts + tokens * allowance.bars, now.bar)
        return Activity(drawn)

    def _at(self, key: str, allowance: Allowance, bar: int) -> Drawn:
        """What is still to come back at ``bar``; time that runs backwards brings nothing back."""
        drawn = self.drawn.get(key, Drawn(0, bar))
        passed = max(0, bar - drawn.bar)
        return Drawn(max(0, drawn.parts - passed * allowance.size), drawn.bar + passed)


NOTHING_SENT = Activity()
