"""Pages already fetched, kept until a data set is whole: each is written whole or not at all.

``.partial/NAME/`` in the catalog's folder holds ``request.json``, what was asked for, and a file
a page, named by the time from which it answers. Pages of another request are thrown away.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from agent_fund.audit.atomic import replace_file
from agent_fund.market.errors import MarketError

PARTIAL = ".partial"
REQUEST = "request.json"
DIGITS = 15

Row = list[int | str]


class Pages:
    """The pages of one request.

    Args:
        catalog: the catalog's folder.
        name: of the data set.
        request: what is asked for; pages that another request left are removed.
        start: the time from which the first page answers, ms since the epoch, UTC.

    Attributes:
        rows: all rows so far, by time.
        cursor: the time from which the next page must answer.
    """

    def __init__(self, catalog: Path, name: str, request: Mapping[str, object], start: int) -> None:
        self._folder = catalog / PARTIAL / name
        self.rows: list[Row] = []
        self.cursor = start
        asked = json.dumps(dict(request), sort_keys=True).encode()
        if self._folder.is_dir():
            kept = self._folder / REQUEST
            if kept.is_file() and kept.read_bytes() == asked:
                self._load()
                return
            self.remove()
        self._folder.mkdir(parents=True)
        replace_file(self._folder / REQUEST, asked)

    def add(self, rows: list[Row], following: int) -> None:
        """Keep the page that answers from ``cursor`` to before ``following``."""
        content = json.dumps({"rows": rows, "next": following}).encode()
        replace_file(self._path(self.cursor), content)
        self.rows += rows
        self.cursor = following

    def remove(self) -> None:
        """Remove the pages: the data set is whole, or they are of no use."""
        shutil.rmtree(self._folder)
        if not any(self._folder.parent.iterdir()):
            self._folder.parent.rmdir()

    def _load(self) -> None:
        while (path := self._path(self.cursor)).is_file():
            try:
                page = json.loads(path.read_bytes())
                rows, following = page["rows"], page["next"]
            except (ValueError, KeyError, TypeError) as error:
                fix = f"remove {self._folder}, and fetch again"
                raise MarketError(str(path), str(error), fix) from error
            self.rows += rows
            self.cursor = following

    def _path(self, cursor: int) -> Path:
        return self._folder / f"{cursor:0{DIGITS}d}.json"
