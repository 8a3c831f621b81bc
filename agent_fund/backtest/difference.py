"""The first difference between two runs, bar by bar: in what the log would hold, or in the book."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from agent_fund.agents.errors import CassetteError
from agent_fund.audit.canonical import decode
from agent_fund.fund.terms import Tick

Record = dict[str, Any]

_COMMITTED = ("intent", "call", "response")


class Turn(NamedTuple):
    """One bar of a run: the book after it, and the records that it made, but for marks."""

    tick: Tick
    records: tuple[bytes, ...]


@dataclass(frozen=True)
class Difference:
    """The first thing that was another once the future was.

    Attributes:
        bar: counted from the first of the test window; ``time``: its close, ms since the epoch.
        tried: ``memory`` or ``files``; see ``lookahead``.
        what: kind of the record; ``book`` for the book alone; ``request`` for one that the
            cassette does not hold; ``error`` for what the strategy raised.
        expected: of the true run, as recorded; None if it has nothing there.
        seen: likewise with the other future; ``{"error": text}`` for what was raised.
    """

    bar: int
    time: int
    tried: str
    what: str
    expected: Mapping[str, Any] | None
    seen: Mapping[str, Any] | None


def first_difference(
    true: Sequence[Turn], turns: Iterator[Turn], tried: str, step: Callable[[int], None]
) -> Difference | None:
    """The first bar of ``turns`` that is not as in ``true``; ``step`` is told bars that were."""
    for bar, expected in enumerate(true):
        time = expected.tick.close_time
        try:
            seen = next(turns)
        except CassetteError as error:
            return Difference(bar, time, tried, "request", None, {"error": str(error)})
        except Exception as error:  # noqa: BLE001 - a strategy may raise anything; here it is told
            text = f"{type(error).__name__}: {error}"
            return Difference(bar, time, tried, "error", None, {"error": text})
        if seen != expected:
            return Difference(bar, time, tried, *_told(expected, seen))
        step(bar + 1)
    return None


def _told(expected: Turn, seen: Turn) -> tuple[str, Record | None, Record | None]:
    """What is told of two bars that differ: its kind, and both sides of it.

    The first record that differs; one that commits to a proposal only if nothing else does.
    """
    for left_out in (_COMMITTED, ()):
        sides = (_records(turn, left_out) for turn in (expected, seen))
        for was, now in zip_longest(*sides):
            if was != now:
                return str((was or now)["kind"]), was, now
    was, now = expected.tick._asdict(), seen.tick._asdict()
    fields = [name for name in was if was[name] != now[name]]
    return "book", {name: str(was[name]) for name in fields}, {n: str(now[n]) for n in fields}


def _records(turn: Turn, left_out: Sequence[str] = ()) -> list[Record]:
    records = [decode(leaf) for leaf in turn.records]
    return [r for r in records if isinstance(r, dict) and r["kind"] not in left_out]


def proposes(turn: Turn) -> bool:
    """Whether the bar has a proposal of anything."""
    return any(
        record["kind"] == "proposal" and (record["legs"] or record["transfers"])
        for record in _records(turn)
    )
