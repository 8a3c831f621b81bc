"""Finished runs by name: what each holds is what the tests tamper with.

``trend``    a strategy that is code: looks, decisions, orders, fills
``model``    a language model that answers, fails and babbles: intents, calls, responses, aborts
``way_out``  a tight mandate: repaired, reduced, exited
``crash``    2008 with a set that is far too small: breached, killed, exited, done
``flows``    two equal subscriptions on one day, one redemption that waits, one that is too large
``ordered``  legs that wait for each other, orders that live for three bars, some that expire
``exact``    limits that hold at every look, and so certificates for one bar
``gaps``     September 2001, when the exchange was closed for a week
``locked``   a venue with latency, and an agent that goes on proposing while it is locked out
``slow``     a venue with latency, and a way out of several bars
``throttled`` limits of what is sent, and an agent that sends more
``floored``  a fixed floor that a redemption would break, and prices that come near it
``hedged``   a coin and its perpetual at two venues: short, funded, money under way, both ways
``clauses``  the same under guardrails of the mandate's own, exact and stressed
``liquidated`` a perpetual held long through a crash beyond its set
``drained``  money at two venues, and a redemption that one of them cannot pay
``operated`` orders that a venue lost, settled by a person, who also adjusts the books
"""

from __future__ import annotations

from pathlib import Path

import backtest_workspace as workspace
from audit_operated import PLAN, operated
from backtest_workspace import MODEL, SMA, planned

from agent_fund.backtest.run import backtest

BOTH = ["buy 300 SP500", "buy 150 NASDAQ"]
FLOWS = "".join(
    f'\n[[flows]]\ndate = {day}\namount = "{amount}"\nname = "{name}"'
    for day, amount, name in (
        ("2007-09-03", 100_000, "pension"),
        ("2007-09-03", 100_000, "pension"),
        ("2007-10-03", -50_000, "widow"),
        ("2007-11-10", -5_000_000, "stranger"),
    )
)
ZIGZAG = {
    bar: ["buy 20 SP500", "buy 20 NASDAQ"] if bar % 4 else ["sell 15 SP500", "sell 15 NASDAQ"]
    for bar in range(0, 80, 2)
}
HEDGED = {
    2: ["buy 300 COIN", "sell 300 PERP"],
    20: ["move 90000 futures wallet"],
    31: ["buy 40 PERP", "move 50000 wallet futures"],
    45: ["sell 100 COIN", "move 2000000 wallet futures"],
    63: ["buy 60 COIN", "sell 60 PERP"],
    90: ["sell 9000 PERP"],
    120: ["sell all COIN", "buy all PERP"],
}
LONG = {2: ["buy 2000 PERP", "buy 100 COIN"], 40: ["buy 400 PERP"]}
CLAUSES = """

@mandate.guardrail(rule="1", why="what the coin may cost")
def coin(s, t):
    after = s.book.after(t)
    return (after.loss("COIN") <= "1%" * s.nav) & (after.gross("COIN") <= 3 * s.nav)


@mandate.guardrail(rule="2", always=True)
def covered(s, t):
    after = s.book.after(t)
    return after.net("COIN") <= "90%" * s.nav
"""
DRAINED = """
[[flows]]
date = 2020-03-02
amount = "-700000"
name = "widow"
"""
THROTTLES = """
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle

mandate.add(price_collar("3%"))
mandate.add(repeated_execution_throttle(times=3, bars=12))
mandate.add(turnover_throttle("3%", bars=10))
mandate.add(message_throttle(orders=6, bars=9))
"""
SENDS = {
    bar: ["buy 5 SP500"] if bar % 3 else ["sell 1 SP500", "buy 8 NASDAQ"] for bar in range(2, 60)
}
FLOOR = """
from agent_fund.guard.guardrails.fixed_floor import fixed_floor

mandate.add(fixed_floor("960000 USD"))
"""
HEIR = """
[[flows]]
date = 2007-07-10
amount = "-50000"
name = "heir"
"""
CALM = ("end = 2008-04-01", "end = 2007-12-20")


class Runs:
    """Makes each run when it is first asked for; the folders are only read."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._made: dict[str, Path] = {}

    def folder(self, name: str) -> Path:
        """The folder of the finished run ``name``."""
        if name not in self._made:
            runfile = self.runfile(name)
            self._made[name] = operated(runfile) if name == "operated" else backtest(runfile).folder
        return self._made[name]

    def runfile(self, name: str) -> Path:
        """The run file of ``name``, in a workspace of its own."""
        folder = self._base / name
        if not folder.exists():
            self._prepare(name, folder)
        return folder / "backtests" / "run.toml"

    def _prepare(self, name: str, folder: Path) -> None:
        changes: list[tuple[str, str]] = []
        if name == "trend":
            workspace.make(folder)
            return
        if name in ("hedged", "clauses", "liquidated", "drained"):
            self._margined(name, folder)
            return
        self.folder("trend")
        if name == "model":
            changes = [CALM, (SMA, MODEL)]
        elif name == "throttled":
            changes = [CALM, (SMA, planned(SENDS))]
        elif name == "floored":
            flows = ("unguarded = true\n", f"unguarded = true\n{HEIR}\n")
            changes = [flows, (SMA, planned({20: BOTH, 60: BOTH, 90: BOTH}))]
        elif name == "way_out":
            changes = [(SMA, planned({2: BOTH}))]
        elif name == "crash":
            window = [("start = 2007-07-01", "start = 2008-08-01"), ("2008-04-01", "2008-12-01")]
            changes = [*window, (SMA, planned({2: BOTH, 40: BOTH}))]
        elif name == "flows":
            changes = [CALM, ("unguarded = true\n", f"unguarded = true\n{FLOWS}\n")]
        elif name == "ordered":
            lives = ("order_bars = 1", "order_bars = 3")
            changes = [CALM, lives, (SMA, planned(ZIGZAG, ordered=True, tolerance=1))]
        elif name == "operated":
            changes = [CALM, (SMA, planned(PLAN, ordered=True))]
        elif name == "exact":
            changes = [CALM]
        elif name == "gaps":
            changes = [
                ("start = 2007-07-01", "start = 2001-07-01"),
                ("end = 2008-04-01", 'end = 2002-01-01\ngaps = "skip"'),
                ("calibrate_start = 2003-01-01", "calibrate_start = 1999-01-01"),
                ("calibrate_end = 2007-07-01", "calibrate_end = 2001-07-01"),
            ]
        elif name == "locked":
            every = {2: BOTH} | {bar: ["buy 1 SP500"] for bar in range(100, 180)}
            changes = [("bars = 0", "bars = 1"), (SMA, planned(every))]
        elif name == "slow":
            changes = [
                CALM,
                ("bars = 0", "bars = 1"),
                ("order_bars = 1", "order_bars = 3"),
                ("exit_bars = 1", "exit_bars = 2"),
            ]
        path = workspace.make(folder, *changes, market=self._base / "trend" / "catalog")
        mandates = {
            "locked": ('max_drawdown("8%")', "1"),
            "way_out": ('max_drawdown("8%")', "1"),
            "floored": ('max_drawdown("60%")', "1"),
            "crash": ('max_drawdown("5%")', "1/8"),
            "exact": ('max_drawdown("20%"), gross_leverage("40%", always=True)', "2"),
        }
        if name in mandates:
            workspace.mandate(path, *mandates[name])
        if name in ("throttled", "floored"):
            file = path.parent.parent / "guardrails" / "index_drawdown.py"
            file.write_text(file.read_text() + (THROTTLES if name == "throttled" else FLOOR))
        if name == "model":
            workspace.record_cassette(path)

    def _margined(self, name: str, folder: Path) -> None:
        if name == "hedged":
            workspace.make_margined(folder, planned(HEDGED))
        elif name == "clauses":
            workspace.make_margined(folder, planned(HEDGED))
            file = folder / "guardrails" / "index_drawdown.py"
            file.write_text(file.read_text() + CLAUSES)
        elif name == "liquidated":
            latency = ("bars = 0", "bars = 1")
            crash = {50: 60, 51: 40, 52: 300}
            path = workspace.make_margined(folder, planned(LONG), latency, crash=crash)
            file = folder / "guardrails" / "index_drawdown.py"
            limits = ('max_drawdown("20%")', 'max_drawdown("60%")')
            file.write_text(workspace.changed(file.read_text(), limits))
            assert path.exists()
        else:
            moved = planned({30: ["move 350000 futures wallet"]})
            flows = ("unguarded = true\n", f"unguarded = false\n{DRAINED}")
            workspace.make_margined(folder, moved, flows)


NAMES = (
    "trend",
    "model",
    "way_out",
    "crash",
    "flows",
    "ordered",
    "exact",
    "gaps",
    "locked",
    "slow",
    "throttled",
    "floored",
    "hedged",
    "clauses",
    "liquidated",
    "drained",
    "operated",
)
