"""The tape: everything that a live fund was told, in order, so that its run can be made again.

A run that was cut off is resumed by running it again: as long as the tape lasts, venues, market
and operators answer from it, and then they answer themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.live_file import LiveFile, to_json

_PAGE = 500  # answers that are in memory at once


@dataclass(frozen=True)
class Answer:
    """Something that the fund was told: by whom, on which call, in which bar, about what."""

    venue: str
    call: str
    bar: int
    key: str
    body: Any


class Tape:
    """The tape in one live file; what is added is durable before anybody is told."""

    def __init__(self, file: LiveFile) -> None:
        self._file = file

    def answer(self, answer: Answer) -> None:
        """Keep what the fund is told next; durable before it is told."""
        with self._file.transaction():
            self._file.execute(
                "INSERT INTO answer (venue, call, bar, key, body) VALUES (?, ?, ?, ?, ?)",
                (answer.venue, answer.call, answer.bar, answer.key, to_json(answer.body)),
            )

    def answers(self, venue: str) -> Iterator[Answer]:
        """All that ``venue`` has answered so far, in order; read in pages as they are asked for."""
        last = 0
        while found := self._file.rows(
            "SELECT seq, call, bar, key, body FROM answer WHERE venue = ? AND seq > ? "
            "ORDER BY seq LIMIT ?",
            venue,
            last,
            _PAGE,
        ):
            for _, call, bar, key, body in found:
                yield Answer(venue, call, bar, key, json.loads(body))
            last = found[-1][0]

    def keys(self, venue: str, call: str) -> list[str]:
        """What ``venue`` was asked about by ``call`` so far, in order."""
        found = self._file.rows(
            "SELECT key FROM answer WHERE venue = ? AND call = ? ORDER BY seq", venue, call
        )
        return [key for (key,) in found]

    def add_bar(self, number: int, body: Any) -> None:
        """Keep the row of a bar; durable before the fund sees it."""
        with self._file.transaction():
            self._file.execute(
                "INSERT INTO bar (number, body) VALUES (?, ?)", (number, to_json(body))
            )

    def bars(self) -> list[Any]:
        """The rows of all bars so far."""
        found = self._file.rows("SELECT body FROM bar ORDER BY number")
        return [json.loads(body) for (body,) in found]

    def bar(self, number: int) -> Any:
        """The row of one bar.

        Raises:
            ExecutionError: if there is no such bar yet.
        """
        found = self._file.rows("SELECT body FROM bar WHERE number = ?", number)
        if not found:
            raise ExecutionError("bar", number, "ask for a bar that was written down")
        return json.loads(found[0][0])

    def act(self, bar: int, body: Mapping[str, Any]) -> None:
        """Keep what an operator does after ``bar``; durable before it is done."""
        with self._file.transaction():
            self._file.execute("INSERT INTO act (bar, body) VALUES (?, ?)", (bar, to_json(body)))

    def acts(self) -> list[tuple[int, Any]]:
        """What operators did, with the bar after which they did it, in order."""
        found = self._file.rows("SELECT bar, body FROM act ORDER BY seq")
        return [(bar, json.loads(body)) for bar, body in found]
