"""Matching: intents change balances without naming a receiver; this finds who gave what to whom.

For each token everything given must equal everything taken, fees included. Otherwise the
transaction violates the invariant, and says what is missing (negative: given and not taken).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator


class Unmatched(Exception):  # noqa: N818 - a result, told to the caller as one
    """The deltas that nobody matched, by token."""

    def __init__(self, deltas: dict[str, int]) -> None:
        super().__init__(str(deltas))
        self.deltas = deltas


class Matcher:
    """The net change of every account, by token, while a transaction's intents are executed."""

    def __init__(self) -> None:
        self._net: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def change(self, owner: str, token: str, delta: int) -> None:
        """``owner`` takes (positive) or gives (negative) ``delta`` units."""
        self._net[token][owner] += delta

    def transfers(self) -> dict[tuple[str, str], dict[str, int]]:
        """Units by token, by (giver, receiver); larger amounts are matched first.

        Raises:
            Unmatched: if any token's changes do not sum to zero.
        """
        sums = {token: sum(net.values()) for token, net in sorted(self._net.items())}
        if missing := {token: units for token, units in sums.items() if units}:
            raise Unmatched(missing)
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for token, net in sorted(self._net.items()):
            for giver, receiver, units in _pairs(net):
                found[giver, receiver][token] = units
        return dict(found)


def _pairs(net: dict[str, int]) -> Iterator[tuple[str, str, int]]:
    given = sorted(((-units, who) for who, units in net.items() if units < 0), reverse=True)
    taken = sorted(((units, who) for who, units in net.items() if units > 0), reverse=True)
    gave = took = 0
    while given and taken:
        give, giver = given[0]
        take, receiver = taken[0]
        units = min(give - gave, take - took)
        yield giver, receiver, units
        gave, took = gave + units, took + units
        if gave == give:
            given.pop(0)
            gave = 0
        if took == take:
            taken.pop(0)
            took = 0
