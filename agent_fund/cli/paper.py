"""``agent-fund paper``: a table that lives while the fund runs, then what a finished run shows."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agent_fund.backtest.errors import Interrupted
from agent_fund.cli.backtest import guarantee_code, show_summary
from agent_fund.cli.route import show_route
from agent_fund.cli.terminal import console, counted, one_line, shown_path, write_json
from agent_fund.guard.finding import share

if TYPE_CHECKING:
    from agent_fund.backtest.session import Session
    from agent_fund.fund.terms import Tick
    from agent_fund.paper.remaining import Remaining
    from agent_fund.paper.stores import Stores


def paper_run(
    runfile: Path, out: Path | None, resume: Path | None, connections: Path | None, *, as_json: bool
) -> int:
    """Run ``runfile`` on real venues, show each bar, and return the code of its guarantee.

    Ctrl-C and SIGTERM stop it at the next point between two bars; the second of them at once.
    """
    from agent_fund.paper.clock import WallClock
    from agent_fund.paper.remaining import warning
    from agent_fund.paper.run import paper

    clock = WallClock()

    def pressed(number: int, frame: FrameType | None) -> None:
        if clock.stopped:
            raise KeyboardInterrupt
        clock.stop()

    before = {name: signal.signal(name, pressed) for name in (signal.SIGINT, signal.SIGTERM)}
    errors = console(stderr=True)
    quiet = redirect_stdout(sys.stderr) if as_json else nullcontext()
    lines = _Lines(errors)
    try:
        with quiet:
            finished = paper(
                runfile,
                out=out,
                resume=resume,
                connections=connections,
                clock=clock,
                told_bar=lines,
            )
    except Interrupted as stopped:
        again = f"agent-fund paper {runfile} --resume {shown_path(Path(stopped.folder))}"
        stopped.add_note(f"orders at venues stand as they are; go on with: {again}")
        if lines.held:
            there = ", ".join(map(str, lines.held))
            stopped.add_note(f"still held, and unguarded until then: {there}")
        raise
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    code = guarantee_code(finished)
    folder = finished.folder.resolve()
    if as_json:
        held = [asdict(position) for position in finished.held]
        told = {"folder": str(folder), "held": held, "warning": warning(finished.held)}
        write_json({**finished.summary, **told, "exit": int(code)})
    else:
        screen = console()
        show_summary(screen, finished.summary, folder)
        if finished.held:
            text = Text.assemble(("WARNING ", "bold red"), (warning(finished.held), "bold"))
            screen.print(text)
    return int(code)


class _Lines:
    """One line a bar: NAV, drawdown, mode, what is held, what is open; alarms as they come.

    Bars that an earlier process had are made again, and are one line together.

    Attributes:
        held: after the last bar.
    """

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._alarms: set[int] = set()
        self._refused = self._routes = 0
        self._known: int | None = None
        self.held: tuple[Remaining, ...] = ()

    def __call__(self, tick: Tick, session: Session, stores: Stores) -> None:
        from agent_fund.paper.remaining import remaining

        fund = session.fund
        book = fund.book
        self.held = remaining(book)
        if self._known is None:
            # The last bar on the tape is not over, or nobody may have seen that it was.
            self._known = len(stores.tape.bars()) - 1
            if self._known:
                self._refused = max((n for n, *_ in stores.legs.refusals(0)), default=0)
                self._screen.print(f"bars 0 to {self._known - 1} are made again as they were")
        if tick.bar < self._known:
            self._routes = len(stores.routes)
            return
        currency = book.currency
        fall = 1 - Fraction(tick.nav, tick.mark) if tick.mark > 0 else Fraction(0)
        held = "  ".join(
            f"{symbol} {book.instrument(symbol).base.amount(quantity)}"
            for symbol, quantity in book.positions.items()
            if quantity
        )
        mode = "held" if fund.held and tick.mode.value == "active" else tick.mode.value
        line = Text.assemble(
            f"bar {tick.bar:>4}  ",
            (f"NAV {currency.amount(tick.nav):,.2f} {currency.symbol}", "bold"),
            f"  drawdown {share(fall)}  {mode}  ",
            held or "flat",
            f"  {counted(len(book.open_orders), 'order')} open" if book.open_orders else "",
            "  money under way" if book.transit else "",
        )
        for found in stores.routes[self._routes :]:
            self._routes += 1
            show_route(found, screen=self._screen)
        self._screen.print(line, soft_wrap=True)
        for number, leg, venue, why in stores.legs.refusals(self._refused):
            self._refused = number
            text = f"  {venue} refused order {leg[:12]}: {one_line(why)}"
            self._screen.print(Text(text, "yellow"), soft_wrap=True)
        for alarm in stores.alarms.all():
            if alarm.number not in self._alarms:
                self._alarms.add(alarm.number)
                text = f"ALARM {alarm.venue}, {alarm.subject}: {alarm.text}"
                self._screen.print(Text(one_line(text), "bold red"), soft_wrap=True)
