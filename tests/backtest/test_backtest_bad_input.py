"""Bad input is refused before anything looks finished, with its type, the file and the place."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backtest_workspace import (
    ANSWERS,
    MODEL,
    SMA,
    STANDARD,
    allocation,
    changed,
    mandate,
    planned,
    record_cassette,
)

from agent_fund.agents.errors import CassetteError, ConfigurationError
from agent_fund.audit.manifest import MANIFEST
from agent_fund.audit.verify import LOG, verify
from agent_fund.backtest.errors import RunFileError, RunFolderError
from agent_fund.backtest.run import backtest
from agent_fund.market.errors import MarketError

Workspace = Callable[..., Path]
SHORT = ("end = 2008-04-01", "end = 2007-10-01")
FEE = 'fee = { model = "proportional", rate = "0.02%" }\n'


def refused(path: Path, kind: type[Exception], *said: str, out: Path | None = None) -> None:
    """The run is refused with ``kind``, which says all of ``said``; nothing looks finished."""
    with pytest.raises(kind) as caught:
        backtest(path, out=out)
    assert caught.type is kind
    for words in said:
        assert words in str(caught.value)
    assert not list(path.parent.parent.rglob(MANIFEST))


# -- the run file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('cash = "1000000"', 'csh = "1000000"'), ("fund.csh", "unknown key", "'cash'")),
        (("order_bars = 1", "order_bar = 1"), ("execution.order_bar", "'order_bars'")),
        (("slow = 20\n", ""), ()),
        ((FEE, FEE.replace("rate", "rat")), ("venues.0.fee.rat", "did you mean 'rate'?")),
        (('lot = "0.01"', 'lott = "0.01"'), ("instruments.0.lott", "did you mean 'lot'?")),
        (('cash = "1000000"', "cash = 1000000.5"), ("fund.cash", "1000000.5", "in quotes")),
        (('rate = "0.02%"', "rate = 0.0002"), ("venues.0.fee.rate", "0.0002", "in quotes")),
        (('tick = "0.01"', "tick = 0.01"), ("instruments.0.tick", "0.01", "in quotes")),
        (('cash = "1000000"', 'cash = "much"'), ("fund.cash", "much", "decimal number")),
        (('cash = "1000000"', 'cash = "NaN"'), ("fund.cash", "NaN", "finite")),
        (("order_bars = 1", "order_bars = 0"), ("execution.order_bars", "greater than")),
        (("[compare]\nunguarded = true\n", ""), ("compare", "is missing")),
        ((FEE, ""), ("venues.0.fee", "nothing is assumed")),
        (("scale = 8", 'scale = 8\nowner = "me"'), ("fund.owner", "unknown key", "currency")),
        (('model = "bars"', 'model = "none"'), ("venues.0.latency.model", "bars")),
        (('name = "run"', 'name = "../run"'), ("name", "pattern")),
        (('name = "run"', 'name = "run'), ("not TOML", "line 1")),
        (("2008-04-01", "2007-07-01"), ("market.start", "before market.end")),
        (("calibrate_end = 2007-07-01", "calibrate_end = 2007-07-02"), ("inside the test",)),
        (('source = "arch"', 'source = "web"'), ("instruments.0.source", "'web'")),
    ],
)
def test_a_run_file_is_refused_with_the_place_and_the_nearest_key(
    workspace: Workspace, change: tuple[str, str], said: tuple[str, ...]
) -> None:
    path = workspace()
    if not said:
        # The control: without this optional parameter the run file is as good as before.
        path.write_text(changed(path.read_text(), change, SHORT))
        assert verify(backtest(path).folder).bars
        return
    path.write_text(changed(path.read_text(), change))
    refused(path, RunFileError, str(path), *said)


def test_a_run_file_that_is_not_there_is_named_with_its_nearest(workspace: Workspace) -> None:
    path = workspace()
    refused(path.with_name("rum.toml"), RunFileError, "rum.toml", "did you mean 'run.toml'?")
    path.write_bytes(b"\xff\xfe")
    refused(path, RunFileError, str(path), "UTF-8")


def test_every_mistake_in_a_run_file_is_told_at_once(workspace: Workspace) -> None:
    path = workspace(("order_bars = 1", "order_bar = 1"), ("exit_bars = 1", "exit_bars = 0"))
    refused(path, RunFileError, "execution.order_bar:", "order_bars: it is missing", "exit_bars")


def test_a_mistake_within_a_table_is_not_told_again_of_the_tables_around_it(
    workspace: Workspace,
) -> None:
    path = workspace((FEE, FEE.replace("rate", "rat")), ('lot = "0.01"', 'lott = "0.01"'))
    with pytest.raises(RunFileError) as caught:
        backtest(path)
    told = str(caught.value)
    assert "venues.0.fee.rat" in told
    assert "instruments.0.lott" in told
    assert "at least 1 item" not in told
    path.write_text(path.read_text().split("[[venues]]")[0] + "venues = []\n")
    refused(path, RunFileError, "venues")


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (('cash = "1000000"', 'cash = "0"'), RunFileError, ("fund.cash", "starts with some")),
        (('cash = "1000000"', 'cash = "0.000000001"'), RunFileError, ("fund.cash", "8 decimals")),
        (('every = "bar"', 'every = "day"'), RunFileError, ("cadence", "'day'", "week")),
        (("scale = 8", "scale = 3"), RunFileError, ("scale of USD", "at least 4")),
        (('lot = "0.01"', 'lot = "0.001"'), RunFileError, ("lot of SP500", "at most 2 decimals")),
        (("fast = 5", "fast = 5.5"), RunFileError, ("strategy.parameters: fast: 5.5", "in quotes")),
        (
            ("fast = 5", "fast = 5\nplan = [{ share = 0.5 }]"),
            RunFileError,
            ("strategy.parameters: plan.0.share: 0.5",),
        ),
        (("fast = 5", "fsat = 5"), ConfigurationError, ("'fsat'", "did you mean 'fast'?")),
        (("fast = 5", "fast = 50"), ConfigurationError, ("moving averages", "fast < slow")),
        (
            ("moving_average_cross.py", "moving_averages.py"),
            ConfigurationError,
            ("moving_averages.py", "did you mean 'moving_average_cross.py'?"),
        ),
        (
            ("MovingAverageCross", "MovingAverage"),
            ConfigurationError,
            ("moving_average_cross.py", "did you mean 'MovingAverageCross'?"),
        ),
        (
            ("guardrails/index_drawdown.py", "guardrails/none.py"),
            ConfigurationError,
            ("mandate file", "none.py"),
        ),
        (('dataset = "sp500"', 'dataset = "sp5000"'), RunFileError, ("lacks sp5000", "import")),
        (
            ("start = 2007-07-01\nend = 2008-04-01", "start = 2030-01-01\nend = 2031-01-01"),
            RunFileError,
            ("sp500", "it covers 1999-01-04 to 2018-12-31"),
        ),
    ],
)
def test_what_a_run_file_names_is_refused_with_the_value(
    workspace: Workspace, change: tuple[str, str], kind: type[Exception], said: tuple[str, ...]
) -> None:
    refused(workspace(change), kind, *said)


# -- the mandate ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fee", "slippage"])
def test_a_venue_dearer_than_the_mandate_allows_is_refused(workspace: Workspace, name: str) -> None:
    rates = {"fee": ('rate = "0.02%"', 'rate = "0.06%"'), "slippage": ("0.01", "0.1")}
    old, new = rates[name]
    change = (old, new) if name == "fee" else ('coefficient = "0.01"', 'coefficient = "0.1"')
    path = workspace(change)
    refused(path, RunFileError, str(path), "venue", name, f"costs({name}=", "allows for")


def test_a_horizon_that_does_not_cover_the_way_out_is_refused(workspace: Workspace) -> None:
    path = workspace(("bars = 0", "bars = 2"))
    mandate(path, STANDARD)
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text(changed(file.read_text(), ('calibrated("2")', 'calibrated("2", horizon=3)')))
    refused(path, RunFileError, str(file), "horizon", "3 opens do not cover", "way out")


@pytest.mark.parametrize(
    ("guardrails", "said"),
    [
        ('max_drawdown("0%")', "max_drawdown"),
        ('max_drawdown("20%"), gross_leverage("0.00001%")', "gross_leverage"),
        ('max_drawdown("20%"), concentration("0%")', "concentration"),
    ],
)
def test_a_mandate_that_admits_nothing_is_refused(
    workspace: Workspace, guardrails: str, said: str
) -> None:
    path = workspace()
    mandate(path, guardrails)
    words = ("index_drawdown.py", "admits nothing", "SP500, one lot: refused", said)
    refused(path, RunFileError, *words, "NASDAQ, one lot: refused")


@pytest.mark.parametrize(
    ("guardrails", "said"),
    [
        ("max_drawdown(0.2)", "limit of max_drawdown"),
        ('max_drawdown("100%")', "less than 100%"),
        ('gross_leverage("100%")', "exactly one max_drawdown"),
        ('max_drawdown("20%"), max_drawdown("10%")', "each kind once"),
    ],
)
def test_a_mandate_that_is_none_is_refused(
    workspace: Workspace, guardrails: str, said: str
) -> None:
    path = workspace()
    mandate(path, guardrails)
    refused(path, RunFileError, "index_drawdown.py", said)


def test_a_mandate_file_without_a_mandate_is_refused(workspace: Workspace) -> None:
    path = workspace()
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    file.write_text("mandat = 1\n")
    refused(path, ConfigurationError, "index_drawdown.py", "did you mean 'mandat'?")
    file.write_text('mandate = "20%"\n')
    refused(path, ConfigurationError, "index_drawdown.py", "'20%'")
    file.write_text("import sys\nsys.exit(0)\n")
    refused(path, ConfigurationError, "index_drawdown.py", "it ends the program")


@pytest.mark.parametrize(
    ("module", "limit"),
    [
        ("max_order_value", 'max_order_value("50000 EUR")'),
        ("turnover_throttle", 'turnover_throttle("50000 EUR", bars=2)'),
    ],
)
def test_an_amount_of_another_currency_is_refused_before_the_run(
    workspace: Workspace, module: str, limit: str
) -> None:
    path = workspace()
    mandate(path, f'max_drawdown("20%"), {limit}')
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    add = f"from agent_fund.guard.guardrails.{module} import {module}\n"
    file.write_text(add + file.read_text())
    refused(path, RunFileError, "index_drawdown.py", "EUR", "amount of USD")


# -- the cassette -----------------------------------------------------------------------------


@pytest.fixture
def recorded(workspace: Workspace) -> Path:
    """The run file of a model, with its cassette."""
    path = workspace(SHORT, (SMA, MODEL))
    record_cassette(path)
    return path


def cassette_of(path: Path) -> Path:
    return path.parent / "cassettes" / "run.jsonl"


def test_a_cassette_that_is_missing_is_refused(recorded: Path) -> None:
    cassette_of(recorded).unlink()
    refused(recorded, CassetteError, "run.jsonl", "record it first")


def test_a_cassette_with_answers_left_over_is_refused(recorded: Path) -> None:
    recorded.write_text(changed(recorded.read_text(), ("2007-10-01", "2007-09-20")))
    refused(recorded, CassetteError, "run.jsonl", "never asked for")


def test_a_cassette_with_too_few_answers_is_refused(recorded: Path) -> None:
    recorded.write_text(changed(recorded.read_text(), ("2007-10-01", "2007-10-20")))
    refused(recorded, CassetteError, "run.jsonl", "one more is asked for")


def test_a_cassette_of_another_prompt_is_refused(recorded: Path) -> None:
    prompt = recorded.parent.parent / "strategies" / "prompts" / "index_allocator.md.j2"
    text = prompt.read_text()
    prompt.write_text(text.replace("{% block user %}", "{% block user %}Be bold. ", 1))
    assert prompt.read_text() != text
    refused(recorded, CassetteError, "run.jsonl", "request 1 of", "Be bold.")


@pytest.mark.parametrize("line", [0, 1, 5])
def test_a_cassette_that_is_damaged_is_refused(recorded: Path, line: int) -> None:
    file = cassette_of(recorded)
    lines = file.read_bytes().split(b"\n")
    whole = lines[line]
    for damaged in (whole[:-1], whole.replace(b"tiny", b"tony", 1) if line else b"{}", b""):
        lines[line] = damaged
        file.write_bytes(b"\n".join(lines))
        refused(recorded, CassetteError, "run.jsonl", f"line {line + 1}")


def test_a_cassette_that_is_cut_is_refused(recorded: Path) -> None:
    file = cassette_of(recorded)
    file.write_bytes(file.read_bytes()[:-20])
    refused(recorded, CassetteError, "run.jsonl", "the file is cut")


def test_a_cassette_is_not_recorded_over(recorded: Path) -> None:
    with pytest.raises(CassetteError, match="delete it"):
        record_cassette(recorded)
    cassette_of(recorded).unlink()
    record_cassette(recorded, [allocation("risk-off", 50), *ANSWERS])
    assert verify(backtest(recorded).folder).certificates


def test_a_strategy_that_asks_a_model_needs_one(workspace: Workspace) -> None:
    model = changed(MODEL, ('[strategy.model]\nname = "tiny"\n', ""))
    model = changed(model, ('cassette = "backtests/cassettes/run.jsonl"\n', ""))
    path = workspace((SMA, model))
    refused(path, RunFileError, str(path), "strategy.model", "IndexAllocator")


# -- folders and the catalog ------------------------------------------------------------------


def test_a_file_where_the_folder_should_be_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = workspace(SHORT)
    (tmp_path / "taken").write_text("a file")
    refused(path, RunFolderError, str(tmp_path / "taken"), out=tmp_path / "taken")
    refused(path, RunFolderError, "taken", out=tmp_path / "taken" / "below")
    (path.parent.parent / "runs").write_text("a file")
    refused(path, RunFolderError, "runs")


def test_a_damaged_catalog_is_refused(workspace: Workspace) -> None:
    path = workspace(SHORT)
    catalog = path.parent.parent / "catalog"
    file = next(catalog.glob("sp500.*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(path, MarketError, file.name, "sha256", "import sp500 again")
    file.unlink()
    refused(path, MarketError, file.name, "missing file")
    (catalog / "catalog.json").write_text("{")
    refused(path, MarketError, "catalog.json")


# -- a market of one's own --------------------------------------------------------------------

FIRST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
BARS, TEST_BEGINS = 160, 100
HOLE = frozenset(range(120, 123))

COIN = """[[instruments]]
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
"""


def coin(workspace: Workspace, *, zone: str | None = "UTC", hole: frozenset[int] = HOLE) -> Path:
    """The run file of a market of one coin, with bars missing from its file."""
    path = workspace()
    text = path.read_text()
    instruments = text[text.index("[[instruments]]") : text.index("[strategy]")]
    window = {
        "start = 2007-07-01": f"start = {(FIRST + dt.timedelta(days=TEST_BEGINS)).date()}",
        "end = 2008-04-01": f"end = {(FIRST + dt.timedelta(days=BARS + 2)).date()}",
        "calibrate_start = 2003-01-01": f"calibrate_start = {FIRST.date()}",
        "calibrate_end = 2007-07-01": f"calibrate_end = {(FIRST + dt.timedelta(days=90)).date()}",
    }
    trades = planned({2: ["buy 100 COIN"], 30: ["sell 50 COIN"]})
    path.write_text(changed(text, (instruments, COIN), (SMA, trades), *window.items()))
    bars = [bar for bar in range(BARS) if bar not in hole]
    closes = [round(100 + bar % 7 - bar % 3, 2) for bar in bars]
    opens = [closes[max(number - 1, 0)] for number in range(len(bars))]
    columns = {
        "date": pa.array([FIRST + dt.timedelta(days=b) for b in bars], pa.timestamp("ms", zone)),
        "open": pa.array(opens, pa.float64()),
        "high": pa.array([max(pair) for pair in zip(opens, closes, strict=True)], pa.float64()),
        "low": pa.array([min(pair) for pair in zip(opens, closes, strict=True)], pa.float64()),
        "close": pa.array(closes, pa.float64()),
        "volume": pa.array([10**6] * len(bars), pa.int64()),
    }
    pq.write_table(pa.table(columns), path.parent.parent / "coin.parquet")
    return path


def test_a_gap_is_refused_with_its_ends(workspace: Workspace) -> None:
    path = coin(workspace)
    refused(path, MarketError, "gap after 2020-04-30", "before 2020-05-04", "COIN", "run file")


def test_a_gap_is_skipped_and_logged_if_the_run_file_says_so(workspace: Workspace) -> None:
    path = coin(workspace)
    path.write_text(changed(path.read_text(), ("[market]\n", '[market]\ngaps = "skip"\n')))
    folder = backtest(path).folder
    assert verify(folder).bars == BARS - TEST_BEGINS - len(HOLE) + 1
    with closing(sqlite3.connect(folder / LOG)) as log:
        leaves = [json.loads(body) for (body,) in log.execute("SELECT body FROM leaf ORDER BY seq")]
    (gap,) = [leaf for leaf in leaves if leaf["kind"] == "gap"]
    ends = [dt.datetime.fromtimestamp(gap[key] / 1000, dt.UTC) for key in ("after", "before")]
    assert ends == [FIRST + dt.timedelta(days=120), FIRST + dt.timedelta(days=124)]
    assert gap["missing"] == ["COIN"]


def test_a_market_without_a_hole_has_no_gap(workspace: Workspace) -> None:
    path = coin(workspace, hole=frozenset())
    assert verify(backtest(path).folder).bars == BARS - TEST_BEGINS + 1


def test_times_without_a_zone_are_refused(workspace: Workspace) -> None:
    path = coin(workspace, zone=None)
    refused(path, MarketError, "coin.parquet", "column date", "time zone")


def test_a_market_file_that_is_none_is_refused(workspace: Workspace) -> None:
    path = coin(workspace)
    file = path.parent.parent / "coin.parquet"
    file.write_bytes(b"PAR1 but not really PAR1")
    refused(path, MarketError, "coin.parquet")
    file.unlink()
    refused(path, MarketError, "coin.parquet")


def test_a_parquet_source_needs_its_path_and_step(workspace: Workspace) -> None:
    path = coin(workspace)
    path.write_text(changed(path.read_text(), ('step = "1d"\n', "")))
    refused(path, RunFileError, "instruments.COIN", "path and step")
