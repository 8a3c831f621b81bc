"""A contract's storage with a journal: what a failed receipt wrote is undone, and the past is kept.

A mark is a position in the journal. Going back to one costs as much as was written since.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

_ABSENT = object()


class State:
    """Keys and values; both are immutable, so that undoing needs no copies."""

    def __init__(self) -> None:
        self._data: dict[Hashable, Any] = {}
        self._journal: list[tuple[Hashable, Any]] = []

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The value under ``key``, or ``default``."""
        return self._data.get(key, default)

    def put(self, key: Hashable, value: Any) -> None:
        """Store ``value``; None removes the key."""
        self._journal.append((key, self._data.get(key, _ABSENT)))
        if value is None:
            self._data.pop(key, None)
        else:
            self._data[key] = value

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Every key with its value."""
        return iter(self._data.items())

    def mark(self) -> int:
        """The position in the journal now."""
        return len(self._journal)

    def undo(self, mark: int) -> None:
        """Go back to ``mark``, and forget what came after it."""
        while len(self._journal) > mark:
            key, old = self._journal.pop()
            if old is _ABSENT:
                self._data.pop(key, None)
            else:
                self._data[key] = old

    def at(self, mark: int) -> State:
        """A copy as it was at ``mark``; for views of the past."""
        copy = State()
        copy._data = dict(self._data)
        copy._journal = list(self._journal)
        copy.undo(mark)
        return copy
