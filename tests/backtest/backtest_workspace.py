"""Workspaces for tests: the repository's own strategies and mandates over two indices."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent_fund.agents.cassette import CassetteHeader
from agent_fund.agents.chat import ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import Failure, ModelError
from agent_fund.backtest.recording import record
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.funding import FundingColumns

FUNDING_HOURS = 8
ROOT = Path(__file__).resolve().parent.parent.parent

INDEX = """[[instruments]]
symbol = "{symbol}"
source = "arch"
dataset = "{dataset}"
asset_scale = 2
price_scale = 2
lot = "0.01"
tick = "0.01"
"""

RUNFILE = (
    """name = "run"
[fund]
currency = "USD"
scale = 8
cash = "1000000"
[market]
start = 2007-07-01
end = 2008-04-01
"""
    + INDEX.format(symbol="SP500", dataset="sp500")
    + INDEX.format(symbol="NASDAQ", dataset="nasdaq")
    + """[strategy]
file = "strategies/moving_average_cross.py"
class = "MovingAverageCross"
every = "bar"
[strategy.parameters]
symbol = "SP500"
fast = 5
slow = 20
[mandate]
file = "guardrails/index_drawdown.py"
calibrate_start = 2003-01-01
calibrate_end = 2007-07-01
[[venues]]
name = "simulated"
fee = { model = "proportional", rate = "0.02%" }
spread = { model = "half_spread", share = "0.02%" }
impact = { model = "square_root", coefficient = "0.01" }
participation = { model = "volume_share", share = "1%" }
latency = { model = "bars", bars = 0 }
[execution]
order_bars = 1
exit_bars = 1
[compare]
unguarded = true
"""
)

SCRIPTED = '''"""Trades as planned, by bars since the first turn: 3 = ["buy 100 SP500", ...].

Money moves so: "move 1000 HERE THERE".
"""

from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer


class Scripted:
    def __init__(self, plan: dict, ordered: bool = False, tolerance: int = 20) -> None:
        self.plan, self.ordered, self.tolerance = plan, ordered, tolerance
        self.first = None

    def decide(self, snapshot, book):
        self.first = snapshot.bar if self.first is None else self.first
        legs, transfers = [], []
        for text in self.plan.get(str(snapshot.bar - self.first), []):
            if text.startswith("move "):
                _, amount, *places = text.split()
                transfers.append(Transfer(book.currency.units(amount), *places))
                continue
            side, quantity, symbol = text.split()
            instrument, side = snapshot.instruments[symbol], Side(side)
            close = snapshot.last_close(symbol)
            limit = close + side.sign * (close * self.tolerance // 1000)
            limit = limit // instrument.tick * instrument.tick
            held = abs(book.position(symbol))
            units = held if quantity == "all" else instrument.quantity(quantity)
            if units:
                legs.append(Leg(instrument, side, units, limit))
        return Proposal(tuple(legs), self.ordered, "as planned", tuple(transfers))
'''

MANDATE = '''"""A mandate of a test."""

from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "{name}",
    stress=calibrated("{multiple}"),
    costs=costs(fee="0.05%", slippage="0.20%"),
    guardrails=[{guardrails}],
)
'''

MARGINED = """name = "hedged"
[fund]
currency = "USD"
scale = 10
cash = "1000000"
[market]
start = 2020-03-01
end = 2020-03-09
[transfers]
bars = 2
[[instruments]]
symbol = "COIN"
venue = "wallet"
source = "catalog"
dataset = "coin"
asset_scale = 2
price_scale = 2
lot = "0.01"
tick = "0.01"
[[instruments]]
symbol = "PERP"
kind = "perpetual"
venue = "futures"
underlying = "COIN"
source = "catalog"
dataset = "perp"
mark = "mark"
asset_scale = 2
price_scale = 8
lot = "0.01"
tick = "0.01"
[instruments.funding]
dataset = "funding"
cap = "0.3%"
every = "8h"
[instruments.margin]
initial = "10%"
liquidation_fee = "1%"
tiers = [{ floor = "0", rate = "5%" }, { floor = "300000", rate = "8%" }]
[strategy]
SMA[mandate]
file = "guardrails/index_drawdown.py"
calibrate_start = 2020-01-01
calibrate_end = 2020-03-01
[[venues]]
name = "wallet"
cash = "600000"
fee = { model = "proportional", rate = "0.02%" }
spread = { model = "half_spread", share = "0.02%" }
impact = { model = "square_root", coefficient = "0.01" }
participation = { model = "volume_share", share = "1%" }
latency = { model = "bars", bars = 0 }
[[venues]]
name = "futures"
cash = "400000"
fee = { model = "proportional", rate = "0.04%" }
spread = { model = "half_spread", share = "0.02%" }
impact = { model = "square_root", coefficient = "0.01" }
participation = { model = "volume_share", share = "1%" }
latency = { model = "bars", bars = 0 }
[execution]
order_bars = 1
exit_bars = 1
[compare]
unguarded = true
"""

STANDARD = 'max_drawdown("20%"), gross_leverage("100%"), concentration("75%")'

SMA = """file = "strategies/moving_average_cross.py"
class = "MovingAverageCross"
every = "bar"
[strategy.parameters]
symbol = "SP500"
fast = 5
slow = 20
"""

MODEL = """file = "strategies/index_allocator.py"
class = "IndexAllocator"
every = "week"
[strategy.model]
name = "tiny"
cassette = "backtests/cassettes/run.jsonl"
"""


def planned(
    plan: Mapping[int, Iterable[str]], *, ordered: bool = False, tolerance: int = 20
) -> str:
    """The strategy section of ``Scripted`` with ``plan``: trades by bar; tolerance in 1/1000."""
    lines = [f"{bar} = {json.dumps(list(legs))}" for bar, legs in plan.items()]
    return "\n".join(
        [
            'file = "strategies/scripted.py"',
            'class = "Scripted"',
            'every = "bar"',
            "[strategy.parameters]",
            f"ordered = {str(ordered).lower()}",
            f"tolerance = {tolerance}",
            "[strategy.parameters.plan]",
            *lines,
            "",
        ]
    )


def make(folder: Path, *changes: tuple[str, str], market: Path | None = None) -> Path:
    """A workspace in ``folder`` with one run file; ``changes`` replace parts of it.

    Its mandate has no factor; ``backtest_workspace.mandate`` writes another.

    Args:
        market: a catalog to copy, so that it is imported once only.
    """
    for name in ("strategies", "guardrails"):
        ignored = shutil.ignore_patterns("__pycache__", "proofs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "strategies" / "scripted.py").write_text(SCRIPTED)
    if market is not None:
        shutil.copytree(market, folder / "catalog")
    path = folder / "backtests" / "run.toml"
    path.parent.mkdir()
    path.write_text(changed(RUNFILE, *changes))
    mandate(path, STANDARD)
    return path


def make_margined(
    folder: Path, plan: str, *changes: tuple[str, str], crash: Mapping[int, int] | None = None
) -> Path:
    """A workspace over a coin and its perpetual, made up; ``plan`` is its strategy section.

    Args:
        crash: by bar of the test window, per mille by which everything falls at its close.
    """
    for name in ("strategies", "guardrails"):
        ignored = shutil.ignore_patterns("__pycache__", "proofs")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "strategies" / "scripted.py").write_text(SCRIPTED)
    coin_market(Catalog(folder / "catalog"), crash or {})
    path = folder / "backtests" / "run.toml"
    path.parent.mkdir()
    path.write_text(changed(MARGINED, ("[strategy]\nSMA", f"[strategy]\n{plan}"), *changes))
    basis = 'calibrated("2", basis={"PERP": "COIN"})'
    mandate(path, 'max_drawdown("20%")')
    file = folder / "guardrails" / "index_drawdown.py"
    file.write_text(changed(file.read_text(), ('calibrated("2")', basis)))
    return path


def coin_market(catalog: Catalog, crash: Mapping[int, int]) -> None:
    """Hours of 2020 from January: a coin, its perpetual, its marks, its funding every 8 hours."""
    rng = random.Random(0)
    hours, first, hour = 69 * 24, 1_577_836_800_000, 3_600_000
    tests = 60 * 24
    spot, columns = 100_000, {name: ([], []) for name in ("coin", "perp", "mark")}
    for bar in range(hours):
        for side in (0, 1):
            spot = spot * (10_000 + rng.randint(-25, 25)) // 10_000
            if side and bar - tests in crash:
                spot = spot * (1000 - crash[bar - tests]) // 1000
            mark = spot * 10**6 * (10_000 + rng.randint(-8, 8)) // 10_000
            last = mark * (10_000 + rng.randint(-4, 4)) // 10_000 // 10**6 * 10**6
            for name, price in (("coin", spot), ("perp", last), ("mark", mark)):
                columns[name][side].append(price)
    times = [first + hour * bar for bar in range(hours + 1)]
    for name, (opens, closes) in columns.items():
        bars = BarColumns(
            name,
            2 if name == "coin" else 8,
            2,
            times[:-1],
            times[1:],
            opens,
            list(map(max, opens, closes)),
            list(map(min, opens, closes)),
            closes,
            [10**9] * hours,
        )
        catalog.write(
            name, bars, step="1h", max_step_ms=hour, source="made up", licence="none needed"
        )
    paid = times[::FUNDING_HOURS]
    rates = [rng.choice([-1, 1, 3]) * 10**8 for _ in paid]
    funding = FundingColumns("funding", paid, rates)
    catalog.write_funding("funding", funding, source="made up", licence="none needed")


def changed(text: str, *changes: tuple[str, str]) -> str:
    """``text`` with each first of a pair, which must be there, replaced by the second."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def mandate(path: Path, guardrails: str, multiple: str = "2", name: str = "test") -> None:
    """Another mandate for the run file at ``path``."""
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text(MANDATE.format(name=name, multiple=multiple, guardrails=guardrails))


class ScriptedModel:
    """Answers from a script, over and over; None stands for a model that fails."""

    def __init__(self, answers: Iterable[str | None]) -> None:
        self._answers = list(answers)
        self.asked = 0

    def complete(self, request: ChatRequest) -> ChatResponse:
        answer = self._answers[self.asked % len(self._answers)]
        self.asked += 1
        if answer is None:
            raise ModelError(Failure.TIMEOUT, "no answer in time")
        return parse_completion(completion(answer))


def completion(text: str) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "c-1", "model": "tiny", "object": "chat.completion", "choices": [choice]}
    return json.dumps(body).encode()


def allocation(stance: str, nasdaq: int) -> str:
    """A valid answer for ``IndexAllocator``."""
    return json.dumps({"view": "as scripted", "stance": stance, "nasdaq_percent": nasdaq})


ANSWERS = (
    allocation("risk-on", 50),
    None,
    "not JSON",
    allocation("risk-off", 0),
    allocation("neutral", 100),
)


def record_cassette(path: Path, answers: Iterable[str | None] = ANSWERS) -> Path:
    """The cassette of the run file at ``path``, recorded from a scripted model."""
    header = CassetteHeader(
        model="tiny", weights_sha256=None, server="scripted", recorded="2026-01-01"
    )
    return record(path, ScriptedModel(answers), header)
