"""The tape: everything that a live fund was told, in order, so that its run can be made again.

A run that was cut off is resumed by running it again: as long as the tape lasts, venues, market
and operators answer from it, and then they answer themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.live.live_file import LiveFile, to_json


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

    def answers(self, venue: str) -> list[Answer]:
        """All that ``venue`` has answered so far, in order."""
        found = self._file.rows(
            "SELECT venue, call, bar, key, body FROM answer WHERE venue = ? ORDER BY seq", venue
        )
        return [Answer(v, call, bar, key, json.loads(body)) for v, call, bar, key, body in found]

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

    def act(self, bar: int, body: Mapping[str, Any]) -> None:
        """Keep what an operator does after ``bar``; durable before it is done."""
        with self._file.transaction():
            self._file.execute("INSERT INTO act (bar, body) VALUES (?, ?)", (bar, to_json(body)))

    def acts(self) -> list[tuple[int, Any]]:
        """What operators did, with the bar after which they did it, in order."""
        found = self._file.rows("SELECT bar, body FROM act ORDER BY seq")
        return [(bar, json.loads(body)) for bar, body in found]
