"""``agent-fund paper``: a table that lives while the fund runs, then what a finished run shows."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agent_fund.backtest.errors import Interrupted
from agent_fund.cli.backtest import guarantee_code, show_summary
from agent_fund.cli.route import show_route
from agent_fund.cli.terminal import console, shown_path, write_json

if TYPE_CHECKING:
    from agent_fund.backtest.session import Session
    from agent_fund.fund.terms import Tick
    from agent_fund.paper.live_run import Stores


def paper_run(
    runfile: Path, out: Path | None, resume: Path | None, connections: Path | None, *, as_json: bool
) -> int:
    """Run ``runfile`` on real venues, show each bar, and return the code of its guarantee."""
    from agent_fund.paper.clock import WallClock
    from agent_fund.paper.run import paper

    clock = WallClock()

    def pressed(number: int, frame: FrameType | None) -> None:
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    before = signal.signal(signal.SIGINT, pressed)
    errors = console(stderr=True)
    quiet = redirect_stdout(sys.stderr) if as_json else nullcontext()
    try:
        with quiet:
            finished = paper(
                runfile,
                out=out,
                resume=resume,
                connections=connections,
                clock=clock,
                told_bar=_Lines(errors),
            )
    except Interrupted as stopped:
        again = f"agent-fund paper {runfile} --resume {shown_path(Path(stopped.folder))}"
        stopped.add_note(f"orders at venues stand as they are; go on with: {again}")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    code = guarantee_code(finished)
    folder = finished.folder.resolve()
    if as_json:
        write_json({**finished.summary, "folder": str(folder), "exit": int(code)})
    else:
        show_summary(console(), finished.summary, folder)
    return int(code)


class _Lines:
    """One line a bar: NAV, drawdown, mode, what is held, what is open; alarms as they come."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._alarms = self._refused = self._routes = 0

    def __call__(self, tick: Tick, session: Session, stores: Stores) -> None:
        fund = session.fund
        book = fund.book
        currency = book.currency
        fall = 1 - tick.nav / tick.mark if tick.mark > 0 else 0.0
        held = "  ".join(
            f"{symbol} {book.instrument(symbol).base.amount(quantity)}"
            for symbol, quantity in book.positions.items()
            if quantity
        )
        mode = "held" if fund.held and tick.mode.value == "active" else tick.mode.value
        line = Text.assemble(
            f"bar {tick.bar:>4}  ",
            (f"NAV {currency.amount(tick.nav):,.2f} {currency.symbol}", "bold"),
            f"  drawdown {fall:.2%}  {mode}  ",
            held or "flat",
            f"  {len(book.open_orders)} orders open" if book.open_orders else "",
            "  money under way" if book.transit else "",
        )
        for found in stores.routes[self._routes :]:
            self._routes += 1
            show_route(found, screen=self._screen)
        self._screen.print(line, soft_wrap=True)
        for number, leg, venue, why in stores.legs.refusals(self._refused):
            self._refused = number
            self._screen.print(Text(f"  {venue} refused order {leg[:8]}: {why}", "yellow"))
        for alarm in stores.alarms.all()[self._alarms :]:
            self._alarms += 1
            self._screen.print(
                Text(f"ALARM {alarm.venue}, {alarm.subject}: {alarm.text}", "bold red")
            )
