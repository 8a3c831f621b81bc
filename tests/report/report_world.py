"""A small real run through the autumn of 2008, and ways to make other runs of it."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from agent_fund.fund.monitor import Monitor
from agent_fund.report.run import Run

HOSTILE = "risk-on: <script>alert(1)</script> & <b>bold</b> </script><img src=x onerror=alert(2)>"

STRATEGY = f"""
from fractions import Fraction

from agent_fund.agents.errors import Abstain
from agent_fund.agents.sizing import free_cash, limit_price, whole_lots
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Leg, Proposal, Side

HOSTILE = {HOSTILE!r}


class Greedy:
    def decide(self, snapshot, book):
        if snapshot.bar % 30 == 5:
            raise Abstain(HOSTILE)
        legs = []
        for symbol in ("SP500", "NASDAQ"):
            instrument, close = snapshot.instruments[symbol], snapshot.last_close(symbol)
            limit = limit_price(instrument, close, Side.BUY, Fraction(1, 100))
            quantity = whole_lots(instrument, free_cash(book) * 2 // 5, limit)
            if instrument.notional(quantity, close) * 20 > book.nav(snapshot.prices):
                legs.append(Leg(instrument, Side.BUY, quantity, limit))
        return Proposal(tuple(legs), reason=HOSTILE) if legs else HOLD
"""

MANDATE = """
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "tight",
    stress=calibrated("2"),
    costs=costs(fee="0.05%", slippage="0.20%"),
    guardrails=[max_drawdown("7.5%"), gross_leverage("100%", rule="4.2", why="no borrowing")],
)
"""

INSTRUMENT = """
[[instruments]]
symbol = "{symbol}"
source = "arch"
dataset = "{dataset}"
asset_scale = 2
price_scale = 2
lot = "0.01"
tick = "0.01"
"""

RUNFILE = f"""
name = "autumn"
[fund]
currency = "USD"
scale = 8
cash = "1000000"
[market]
start = 2008-07-01
end = 2009-01-01
{INSTRUMENT.format(symbol="SP500", dataset="sp500")}
{INSTRUMENT.format(symbol="NASDAQ", dataset="nasdaq")}
[strategy]
file = "strategies/greedy.py"
class = "Greedy"
every = "week"
[mandate]
file = "guardrails/tight.py"
calibrate_start = 2003-01-01
calibrate_end = 2007-01-01
[[venues]]
name = "simulated"
fee = {{ model = "proportional", rate = "0.02%" }}
spread = {{ model = "half_spread", share = "0.02%" }}
impact = {{ model = "square_root", coefficient = "0.01" }}
participation = {{ model = "volume_share", share = "1%" }}
latency = {{ model = "bars", bars = 0 }}
[execution]
order_bars = 1
exit_bars = 1
[compare]
unguarded = true
"""


def workspace(folder: Path) -> Path:
    """A workspace in ``folder``; returns its run file."""
    for name, text in (
        ("strategies/greedy.py", STRATEGY),
        ("guardrails/tight.py", MANDATE),
        ("backtests/autumn.toml", RUNFILE),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "backtests" / "autumn.toml"


def quiet(run: Run) -> Run:
    """The run as if every assumption had held and no limit had broken."""
    monitor = Monitor(run.parts.mandate, [i.symbol for i in run.parts.instruments])
    monitor.inside = len(run.frame) - 1
    coverage = {"inside": monitor.inside, "outside": 0}
    return with_summary(
        dataclasses.replace(run, monitor=monitor), guarantee="held", coverage=coverage
    )


def with_summary(run: Run, **changes: Any) -> Run:
    """The run with other values in its summary."""
    return dataclasses.replace(run, summary={**run.summary, **changes})


def without_twin(run: Run) -> Run:
    """The run as if it had not been compared."""
    summary = {key: value for key, value in run.summary.items() if key != "unguarded"}
    frame = run.frame.drop(columns="unguarded_nav")
    return dataclasses.replace(run, summary=summary, frame=frame)


def with_words(run: Run, text: str) -> Run:
    """The run in which the model said ``text`` whenever it said anything."""
    records = [
        {**r, "reason": text} if r["kind"] in ("proposal", "abort") else r for r in run.records
    ]
    return dataclasses.replace(run, records=records)


class Tags(HTMLParser):
    """The start tags of a page with their attributes, and what its script elements hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            attrs, held = self.scripts[-1]
            self.scripts[-1] = (attrs, held + data)
        else:
            self.text.append(data)

    @property
    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]
