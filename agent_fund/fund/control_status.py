"""What a running fund says of itself once a bar: texts and whole numbers, for people to read.

Amounts are decimal numbers written out exactly, so nobody who reads them needs the fund's scales.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Position:
    """What is held of one instrument, its price, and its worth in the fund's currency."""

    symbol: str
    quantity: str
    price: str
    value: str


@dataclass(frozen=True)
class OpenOrder:
    """An order that may still fill; ``state`` as the venue last told it."""

    id: str
    venue: str
    side: str
    symbol: str
    quantity: str
    filled: str
    limit: str
    purpose: str
    state: str


@dataclass(frozen=True)
class VenueHealth:
    """One venue: ``state`` is a word, e.g. ok, slow, frozen; ``detail`` says more."""

    name: str
    state: str
    detail: str = ""


@dataclass(frozen=True)
class Status:
    """One beat.

    Attributes:
        bar: number of the bar, from 0. ``time``: its close, Unix milliseconds.
        next_beat: Unix milliseconds by which the next beat is due; a fund silent for longer hangs.
        mode: of the machine: active, reducing, exiting, halted.
        nav, mark: net asset value and high-water mark, decimal, in ``currency``.
        drawdown: share below the mark; ``limit``: the mandate's.
        alarms: what a person must look at, in sentences.
    """

    bar: int
    time: int
    next_beat: int
    mode: str
    currency: str
    nav: str
    mark: str
    drawdown: str
    limit: str
    positions: tuple[Position, ...] = ()
    orders: tuple[OpenOrder, ...] = ()
    venues: tuple[VenueHealth, ...] = ()
    alarms: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As one JSON object."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Status:
        """What ``to_json`` wrote.

        Raises:
            ValueError: for anything else.
        """
        found = json.loads(text)
        if not isinstance(found, dict) or set(found) != {field.name for field in fields(cls)}:
            raise ValueError("the status has other fields")
        numbers = ("bar", "time", "next_beat")
        texts = ("mode", "currency", "nav", "mark", "drawdown", "limit")
        if not (
            all(type(found[name]) is int for name in numbers)
            and all(type(found[name]) is str for name in texts)
            and isinstance(found["alarms"], list)
            and all(type(alarm) is str for alarm in found["alarms"])
        ):
            raise ValueError("the status has fields of other types")
        return cls(
            **{name: found[name] for name in numbers + texts},
            positions=tuple(_record(Position, item) for item in found["positions"]),
            orders=tuple(_record(OpenOrder, item) for item in found["orders"]),
            venues=tuple(_record(VenueHealth, item) for item in found["venues"]),
            alarms=tuple(found["alarms"]),
        )


def _record(kind: type, item: Any) -> Any:
    names = {field.name for field in fields(kind)}
    if not isinstance(item, dict) or set(item) != names:
        raise ValueError(f"a {kind.__name__} has other fields")
    if not all(type(value) is str for value in item.values()):
        raise ValueError(f"a {kind.__name__} has fields of other types")
    return kind(**item)
