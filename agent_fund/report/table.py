"""``Table``: rows of text under a header; the template escapes every cell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under a header.

    Attributes:
        numeric: from which column on the cells are numbers, to be set right.
        note: what was left out, or where figures come from; may be empty.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int = 99
    note: str = ""
