"""What a person has to look at: alarms, and what venues have under no name of the fund's.

While an alarm about a venue is open, the agent's orders are refused there; the guard's own ways
out are not. An orphan is shown and never adopted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent_fund.execution.live.live_file import LiveFile


@dataclass(frozen=True)
class Alarm:
    """What a person has to look at; ``cleared`` names who did, or is empty."""

    number: int
    time: int
    venue: str
    subject: str
    text: str
    cleared: str


class Alarms:
    """The alarms and the quarantine in one live file.

    Args:
        now: Unix milliseconds.
    """

    def __init__(self, file: LiveFile, now: Callable[[], int]) -> None:
        self._file = file
        self._now = now

    def raise_alarm(self, venue: str, subject: str, text: str) -> None:
        """Raise an alarm; the same one is raised once."""
        with self._file.transaction():
            self._file.execute(
                "INSERT OR IGNORE INTO alarm (time, venue, subject, text) VALUES (?, ?, ?, ?)",
                (self._now(), venue, subject, text),
            )

    def all(self, *, open_only: bool = True) -> list[Alarm]:
        """The alarms, oldest first."""
        where = "WHERE cleared = '' " if open_only else ""
        found = self._file.rows(
            f"SELECT seq, time, venue, subject, text, cleared FROM alarm {where}ORDER BY seq"  # noqa: S608 - no input
        )
        return [Alarm(*row) for row in found]

    def clear(self, person: str, before: int) -> None:
        """A named person has looked at all that were raised before ``before``, Unix ms."""
        with self._file.transaction():
            self._file.execute(
                "UPDATE alarm SET cleared = ? WHERE cleared = '' AND time < ?", (person, before)
            )

    def answered(self, person: str, before: int, venue: str, subject: str = "") -> None:
        """A named person has put right what was raised before ``before`` about a venue.

        Args:
            subject: what it was raised about there; empty for everything.
        """
        with self._file.transaction():
            self._file.execute(
                "UPDATE alarm SET cleared = ? WHERE cleared = '' AND time < ? AND venue = ? "
                "AND ? IN ('', subject)",
                (person, before, venue, subject),
            )

    def adopted(self, before: int, venue: str, reference: str) -> None:
        """The books took over what was put aside before ``before``: it is shown no more."""
        with self._file.transaction():
            self._file.execute(
                "DELETE FROM orphan WHERE time < ? AND venue = ? AND reference = ?",
                (before, venue, reference),
            )

    def quarantine(self, venue: str, reference: str, detail: str) -> None:
        """Put aside what a venue has under no name of ours: it is shown, never adopted."""
        with self._file.transaction():
            self._file.execute(
                "INSERT OR IGNORE INTO orphan (venue, reference, time, detail) VALUES (?, ?, ?, ?)",
                (venue, reference, self._now(), detail),
            )

    def orphans(self) -> list[tuple[str, str, str]]:
        """(venue, reference, detail) of everything in quarantine."""
        return [tuple(r) for r in self._file.rows("SELECT venue, reference, detail FROM orphan")]

    def frozen(self, venue: str) -> bool:
        """Whether an alarm about ``venue`` is open."""
        return bool(self._file.rows("SELECT 1 FROM alarm WHERE venue = ? AND cleared = ''", venue))
