"""How things look: consoles that turn plain where colour is not wanted, and numbers for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent_fund.guard.finding import share

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MISSING = "n/a"


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no highlighting; plain under NO_COLOR."""
    from rich.console import Console

    # Rich keeps bold and dim under NO_COLOR; without a colour system it writes no escapes at all.
    return Console(
        stderr=stderr,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        markup=False,
        highlight=False,
        emoji=False,
    )


def grid(*columns: str, title: str | None = None) -> Table:
    """A table with a rule under its head; a column that begins with ``>`` is right-aligned."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False
    )
    for column in columns:
        name = column.removeprefix(">")
        table.add_column(name, justify="right" if name != column else "left", overflow="fold")
    return table


def write_json(value: Mapping[str, object]) -> None:
    """``value`` as the one JSON object on stdout."""
    typer.echo(json.dumps(value, indent=2))


def printable(text: str) -> str:
    """``text`` without characters that could steer a terminal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def one_line(text: str) -> str:
    """``printable`` text on one line."""
    return " ".join(printable(text).split())


def money(value: str | Decimal) -> str:
    """Two decimals, thousands apart: ``1,128,380.14``."""
    return f"{Decimal(value):,.2f}"


def percent(value: object) -> str:
    """A share as a percentage with two decimals; what is not a number stays as it is."""
    return MISSING if value in (None, MISSING) else f"{Decimal(str(value)) * 100:.2f}%"


def percent_up(value: object) -> str:
    """As ``percent``, rounded away from zero: a loss is never told smaller than it is."""
    return MISSING if value in (None, MISSING) else share(Fraction(Decimal(str(value))))


def ratio(value: object) -> str:
    """Two decimals; what is not a number stays as it is."""
    return MISSING if value in (None, MISSING) else f"{Decimal(str(value)):.2f}"


def counted(number: int, thing: str) -> str:
    """``1 order``, ``2 orders``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def shown_path(path: Path) -> str:
    """``path`` from the current folder if it lies in it, else in full."""
    whole = path.resolve()
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)
