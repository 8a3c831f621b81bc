"""The devnet that a run file asks for: its lines, its cash, the market of its own test window."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.parts import Parts
from agent_fund.devnet.plan import MARGINED, SPOT, VENUES, Plan, Step
from agent_fund.domain.settlement import RATE_SCALE
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
    if not set(lines) <= set(VENUES) or len(parts.instruments) != len(lines):
        fix = f"the devnet has one instrument at each of {', '.join(VENUES)}; name some of them"
        raise PaperError(f"venues of {path}", ", ".join(lines), fix)
    for instrument in parts.instruments:
        fitting = SPOT if instrument.margin is None else MARGINED
        if instrument.venue.name not in fitting:
            fix = f"the devnet trades that at {', '.join(fitting)}"
            raise PaperError(instrument.symbol, instrument.kind.value, fix)
    if len(coins := {i.underlying for i in parts.instruments}) != 1:
        raise PaperError(f"instruments of {path}", ", ".join(coins), "the devnet has one coin")
    cash = {v: parts.currency.amount(units) for v, units in parts.capital().items()}
    mandate = bytes.fromhex(parts.mandate.digest)
    plan = Plan(parts.currency.symbol, lines, cash, _steps(parts), mandate)
    return plan, (parts.workspace / section.connections).parent


def _steps(parts: Parts) -> tuple[Step, ...]:
    """The last bar before the window, and every bar in it, of the first spot and perpetual."""
    before, test = parts.before, parts.test
    spot = next((i for i in parts.instruments if i.margin is None), None)
    perpetual = next((i for i in parts.instruments if i.margin is not None), None)
    prices: list[Decimal] = []
    marks: list[Decimal] = []
    rates = [Decimal(0)] * (len(test.close_times) + 1)
    if spot is not None:
        closes = [before.closes[spot.symbol][-1], *test.closes[spot.symbol]]
        prices = [spot.price_decimal(close) for close in closes]
    if perpetual is not None:
        symbol = perpetual.symbol
        closes = [before.mark_closes[symbol][-1], *test.mark_closes[symbol]]
        marks = [perpetual.price_decimal(close) for close in closes]
        rates[1:] = [Decimal(rate).scaleb(-RATE_SCALE) for rate in test.rates[symbol]]
    return tuple(map(Step, prices or marks, marks or prices, rates))
