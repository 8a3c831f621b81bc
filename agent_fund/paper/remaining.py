"""What a run still holds at its end: nobody guards it from then on, so people are told plainly."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.book import Book

HAD = "it has had its bars"
_FIX = (
    "this run closes nothing any more: close it at the venue yourself. With at_end = "
    '"flatten" in [paper] of its run file, a run closes what it holds before it ends'
)


@dataclass(frozen=True)
class Remaining:
    """A position at its venue; ``quantity`` in the instrument's own units, negative if short."""

    quantity: str
    symbol: str
    venue: str

    def __str__(self) -> str:
        return f"{self.quantity} {self.symbol} at {self.venue}"


def remaining(book: Book) -> tuple[Remaining, ...]:
    """What ``book`` holds, without the currency."""
    found = []
    for symbol, units in book.positions.items():
        if units:
            line = book.instrument(symbol)
            found.append(Remaining(f"{line.base.amount(units):f}", symbol, line.venue.name))
    return tuple(found)


def warning(held: tuple[Remaining, ...]) -> str:
    """What to say of it, with what to do; empty if nothing is held."""
    if not held:
        return ""
    return f"still held, and unguarded from now on: {', '.join(map(str, held))}; {_FIX}"


def why_over(held: tuple[Remaining, ...]) -> str:
    """Why a run that has had its bars is over."""
    return "; ".join(filter(None, (HAD, warning(held))))
