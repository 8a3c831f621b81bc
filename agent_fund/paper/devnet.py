"""The devnet that a run file asks for: its lines, its cash, the prices of its own test window."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from agent_fund.backtest.assemble import Parts, assemble
from agent_fund.devnet.plan import VENUES, Plan
from agent_fund.paper.errors import PaperError


def plan_of(path: Path) -> tuple[Plan, Path]:
    """What to build for the run file at ``path``, and the folder for its file of connections.

    Raises:
        PaperError: if the run file is not one that the devnet can serve.
        RunFileError, MarketError, ConfigurationError: as ``assemble`` does.
    """
    parts = assemble(path)
    section = parts.runfile.paper
    if section is None:
        raise PaperError(f"run file {path}", "no [paper] section", "state bar, bars, connections")
    lines = {i.venue.name: i.symbol for i in parts.instruments}
    if sorted(lines) != sorted(VENUES) or len(parts.instruments) != len(VENUES):
        fix = f"the devnet has one instrument at each of {', '.join(VENUES)}"
        raise PaperError(f"venues of {path}", ", ".join(lines), fix)
    cash = parts.capital()
    amounts = {v: parts.currency.amount(cash.get(v, 0)) for v in VENUES}
    mandate = bytes.fromhex(parts.mandate.digest)
    plan = Plan(parts.currency.symbol, lines, amounts, _prices(parts), mandate)
    return plan, (parts.workspace / section.connections).parent


def _prices(parts: Parts) -> tuple[Decimal, ...]:
    """The last close before the window, and every close in it, of the first instrument."""
    first = parts.instruments[0]
    closes = [parts.before.closes[first.symbol][-1], *parts.test.closes[first.symbol]]
    return tuple(first.price_decimal(close) for close in closes)
