"""A workspace for tests: made by ``init``, with a small market of its own that moves gently."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent_fund.cli.main import run

BARS = 400
TEST_BEGINS = 250
CRASH = 375
FIRST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

RUNFILE = """
name = "small"
[fund]
currency = "USD"
scale = 8
cash = "1000000"
[market]
start = {start}
end = {end}
[[instruments]]
symbol = "COIN"
source = "parquet"
dataset = "coin"
path = "coin.parquet"
step = "1d"
licence = "made for a test"
asset_scale = 4
price_scale = 2
lot = "0.0001"
tick = "0.01"
[strategy]
file = "strategies/{strategy}.py"
class = "{cls}"
every = "bar"
[strategy.parameters]
symbol = "COIN"
fast = 2
slow = 5
[mandate]
file = "guardrails/small.py"
calibrate_start = 2020-01-01
calibrate_end = {start}
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

MANDATE = '''"""One coin, long only: NAV stays within 20 % of its high-water mark."""

from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "small",
    stress=calibrated("2"),
    costs=costs(fee="0.05%", slippage="0.20%"),
    guardrails=[max_drawdown("20%"), gross_leverage("100%")],
)
'''

INTERRUPTING = '''"""Moving averages; the environment says whether one presses Ctrl-C at bar 100."""

import os
import signal
from pathlib import Path

from agent_fund.agents.loading import load_class

Base = load_class(Path(__file__).parent / "moving_average_cross.py", "MovingAverageCross")


class Interrupting(Base):
    made = 0

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        Interrupting.made += 1
        self.name = ("unguarded", "guarded")[Interrupting.made % 2]

    def decide(self, snapshot, book):
        # Bars are counted from the first of the calibration window.
        if snapshot.bar == 350 and os.environ.get("PRESS_CTRL_C") == self.name:
            os.kill(os.getpid(), signal.SIGINT)
        return super().decide(snapshot, book)
'''


def closes(crash: bool = False) -> list[int]:
    """Prices in cents that drift up and down by at most 1 %; a crash takes 60 % while they rise."""
    price, found = 10_000, []
    for bar in range(BARS):
        price += price // 100 if bar // 20 % 2 == 0 else -(price // 105)
        price = price * 2 // 5 if crash and bar == CRASH else price
        found.append(price)
    return found


def write_market(
    folder: Path, prices: Sequence[int], *, missing: frozenset[int] = frozenset()
) -> None:
    """``coin.parquet``: each bar opens at the close before; ``missing`` bars are left out."""
    kept = [bar for bar in range(len(prices)) if bar not in missing]
    opens = [prices[max(bar - 1, 0)] / 100 for bar in kept]
    ends = [prices[bar] / 100 for bar in kept]
    columns: Mapping[str, object] = {
        "date": pa.array(
            [FIRST + dt.timedelta(days=bar) for bar in kept], pa.timestamp("ms", "UTC")
        ),
        "open": opens,
        "high": [max(pair) for pair in zip(opens, ends, strict=True)],
        "low": [min(pair) for pair in zip(opens, ends, strict=True)],
        "close": ends,
        "volume": [1_000_000_000] * len(kept),
    }
    pq.write_table(pa.table(dict(columns)), folder / "coin.parquet")


def make(folder: Path, prices: Sequence[int] | None = None, **market: frozenset[int]) -> Path:
    """A workspace in ``folder``; returns its run file ``small.toml``."""
    assert run(["init", str(folder)]) == 0
    write_market(folder, closes() if prices is None else prices, **market)
    (folder / "guardrails" / "small.py").write_text(MANDATE)
    (folder / "strategies" / "interrupting.py").write_text(INTERRUPTING)
    runfile = folder / "backtests" / "small.toml"
    window = {
        "start": (FIRST + dt.timedelta(days=TEST_BEGINS)).date(),
        "end": (FIRST + dt.timedelta(days=BARS + 1)).date(),
    }
    base = {"strategy": "moving_average_cross", "cls": "MovingAverageCross"}
    runfile.write_text(RUNFILE.format(**window, **base))
    stopping = {"strategy": "interrupting", "cls": "Interrupting"}
    (folder / "backtests" / "stopping.toml").write_text(RUNFILE.format(**window, **stopping))
    return runfile


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """The one JSON object on stdout."""
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value
