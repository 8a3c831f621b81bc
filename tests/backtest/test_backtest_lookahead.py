"""Every way to the future that the check claims to close is taken once and caught, at its bar."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import crypto_workspace
import pytest
from backtest_workspace import MODEL, SMA, STANDARD, allocation, mandate, record_cassette
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.difference import Difference
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.lookahead import FILES, MEMORY, Checked, check_lookahead, cut_points
from agent_fund.backtest.perturbed_workspace import copy_perturbed
from agent_fund.backtest.runfile.load import load_runfile
from agent_fund.market.catalog import Catalog

Workspace = Callable[..., Path]
BACKTESTS = Path(__file__).resolve().parents[2] / "backtests"
SHORT = ("end = 2008-04-01", "end = 2007-10-01")

PEEKING = '''"""Buys if tomorrow's close is higher, sells if it is not."""

import sys
from pathlib import Path

from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.catalog import Catalog

SEEN = {}


def of_catalog(folder):
    bars = Catalog(folder).read_bars("sp500")
    return dict(zip(bars.close_times, bars.closes))


def of_the_callers():
    frame = sys._getframe()
    while "parts" not in frame.f_locals:
        frame = frame.f_back
    table = frame.f_locals["parts"].test
    return dict(zip(table.close_times, table.closes["SP500"]))


class Peeking:
    def __init__(self):
        self.closes = None

    def read(self, snapshot):
        return FUTURE

    def decide(self, snapshot, book):
        now = snapshot.last_close("SP500")
        SEEN[snapshot.time] = now
        if self.closes is None:
            self.closes = self.read(snapshot)
        later = [time for time in self.closes if time > snapshot.time]
        up = self.closes[min(later)] > now if later else snapshot.bar % 2 == 0
        held = book.position("SP500")
        if up is (held > 0):
            return HOLD
        side, units = (Side.BUY, 10000) if up else (Side.SELL, held)
        limit = now + side.sign * (now // 50)
        leg = Leg(snapshot.instruments["SP500"], side, units, limit)
        return Proposal((leg,), reason="I know")
'''
SECTION = """file = "strategies/peeking.py"
class = "Peeking"
every = "bar"
"""
TELLING = """

from agent_fund.market.catalog import Catalog

_honest = IndexAllocator.context


def _context(self, snapshot, book):
    bars = Catalog(Path(__file__).parent.parent / "catalog").read_bars("sp500")
    later = [c for t, c in zip(bars.close_times, bars.closes) if t > snapshot.time]
    return {**_honest(self, snapshot, book), "tomorrow": str(later[0])}


IndexAllocator.context = _context
"""
STANCE = '{{"view": "as scripted", "stance": "{}"}}'
BY_FILE = 'of_catalog(Path(__file__).resolve().parent.parent / "catalog")'


def peeking(workspace: Workspace, future: str) -> Path:
    """The run file of a strategy that knows ``future``: closes by time."""
    path = workspace(SHORT, (SMA, SECTION))
    (path.parent.parent / "strategies" / "peeking.py").write_text(PEEKING.replace("FUTURE", future))
    return path


def differences(checked: Checked) -> list[Difference]:
    """One for each cut: a look-ahead was found at every one."""
    found = [cut.difference for cut in checked.cuts if cut.difference is not None]
    assert len(found) == len(checked.cuts)
    assert checked.looks_ahead
    for cut, difference in zip(checked.cuts, found, strict=True):
        assert difference.bar <= cut.bar
    return found


# -- who looks ahead ----------------------------------------------------------------------------


@pytest.mark.parametrize("future", [BY_FILE, 'of_catalog(Path("catalog"))'])
def test_who_reads_tomorrow_from_the_catalog_is_caught_at_the_very_bar(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, future: str
) -> None:
    path = peeking(workspace, future)
    monkeypatch.chdir(path.parent.parent)
    checked = check_lookahead(path, points=6)
    assert len(checked.cuts) == 6
    for cut, difference in zip(checked.cuts, differences(checked), strict=True):
        assert (difference.bar, difference.time) == (cut.bar, cut.time)
        assert (difference.tried, difference.what) == (FILES, "proposal")
        assert difference.expected is not None
        assert difference.expected["reason"] == "I know"
    assert Path.cwd() == path.parent.parent


def test_who_finds_the_bars_in_memory_is_caught_there(workspace: Workspace) -> None:
    checked = check_lookahead(peeking(workspace, "of_the_callers()"))
    for difference in differences(checked):
        assert (difference.tried, difference.what) == (MEMORY, "proposal")


def test_who_keeps_in_a_global_what_an_earlier_run_showed_is_caught(workspace: Workspace) -> None:
    checked = check_lookahead(peeking(workspace, "dict(SEEN)"))
    for difference in differences(checked):
        assert difference.tried == MEMORY


def test_a_mandate_that_reads_the_test_window_is_caught(workspace: Workspace) -> None:
    path = workspace(SHORT)
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    mandate(path, STANDARD)
    head = (
        "from pathlib import Path\nfrom agent_fund.market.catalog import Catalog\n"
        'BARS = Catalog(Path(__file__).parent.parent / "catalog").read_bars("sp500")\n'
        "LAST = [c for t, c in zip(BARS.close_times, BARS.closes) if t < 1191196800000][-1]\n"
    )
    text = file.read_text().replace('calibrated("2")', 'calibrated(f"2.{LAST}")')
    assert "LAST" in text
    file.write_text(head + text)
    checked = check_lookahead(path, points=2)
    assert checked.mandate_differs
    assert checked.looks_ahead
    assert [cut.difference for cut in checked.cuts] == [None, None]


def test_who_reads_what_the_run_file_does_not_name_is_told_what(workspace: Workspace) -> None:
    path = peeking(workspace, '{int((Path(__file__).parents[1] / "signals.txt").read_text()): 1}')
    (path.parent.parent / "signals.txt").write_text("0")
    for difference in differences(check_lookahead(path, points=2)):
        assert (difference.bar, difference.tried, difference.what) == (0, FILES, "error")
        assert difference.seen == {
            "error": "FileNotFoundError: [Errno 2] No such file or directory: 'signals.txt'"
        }


def test_a_prompt_that_tells_the_future_is_another_request(workspace: Workspace) -> None:
    path = workspace(SHORT, (SMA, MODEL))
    strategy = path.parent.parent / "strategies" / "index_allocator.py"
    text = strategy.read_text()
    assert "def context(" in text
    strategy.write_text(text + TELLING)
    prompt = strategy.parent / "prompts" / "index_allocator.md.j2"
    prompt.write_text(
        prompt.read_text().replace("{% block user %}", "{% block user %}{{tomorrow}}")
    )
    record_cassette(path, [allocation("risk-on", 50), allocation("risk-off", 0)])
    checked = check_lookahead(path, points=3)
    for cut, difference in zip(checked.cuts, differences(checked), strict=True):
        assert (difference.bar, difference.tried) == (cut.bar, FILES)
        assert difference.what == "request"
        assert "is not the one that was recorded" in str(difference.seen)


# -- who does not -------------------------------------------------------------------------------


def shortened(text: str, days: int) -> str:
    """A run file whose test window ends after so many days."""
    start = dt.date.fromisoformat(str(re.findall(r"(?m)^start = (\S+)", text)[0]))
    return re.sub(r"(?m)^end = \S+", f"end = {start + dt.timedelta(days=days)}", text, count=1)


@pytest.mark.parametrize("name", sorted(path.stem for path in BACKTESTS.glob("*.toml")))
def test_no_shipped_run_looks_ahead(name: str, workspace: Workspace, tmp_path: Path) -> None:
    text = (BACKTESTS / f"{name}.toml").read_text()
    if 'source = "catalog"' in text:
        folder = crypto_workspace.workspace(tmp_path / "crypto")
        days, points = 12, 2
    else:
        folder = workspace().parent.parent
        shipped = BACKTESTS / "cassettes" / f"{name}.jsonl"
        if shipped.is_file():
            place = folder / "backtests" / "cassettes" / shipped.name
            place.parent.mkdir()
            place.write_bytes(shipped.read_bytes())
        days, points = 365, 3
    path = folder / "backtests" / f"{name}.toml"
    path.write_text(shortened(text, days))
    section = load_runfile(path).strategy.model
    if section is not None and not (folder / section.cassette).is_file():
        record_cassette(path, [STANCE.format("full"), None, STANCE.format("none")])
    checked = check_lookahead(path, points=points)
    assert checked.bars > 200
    assert checked.proposals > 3
    assert [cut.difference for cut in checked.cuts] == [None] * points
    assert not checked.looks_ahead
    assert all(cut.proposals for cut in checked.cuts)
    assert all(cut.proposals < checked.proposals for cut in checked.cuts)
    assert not (folder / "runs").exists()


def test_the_check_is_deterministic(workspace: Workspace) -> None:
    path = peeking(workspace, BY_FILE)
    assert check_lookahead(path, points=2) == check_lookahead(path, points=2)


# -- how it is tried ----------------------------------------------------------------------------


@given(
    bars=st.integers(2, 300),
    points=st.integers(1, 12),
    proposing=st.sets(st.integers(0, 299), max_size=40),
)
def test_cuts_are_spread_and_stand_at_proposals(
    bars: int, points: int, proposing: set[int]
) -> None:
    made = sorted(bar for bar in proposing if bar < bars)
    cuts = cut_points(bars, made, points)
    assert cuts == sorted(set(cuts))
    assert 1 <= len(cuts) <= points
    assert all(0 <= cut < bars - 1 for cut in cuts)
    if len(made) >= points + 2:
        assert len(cuts) == points
        assert set(cuts) <= set(made[1:-1])
    elif len(made) > 2 and points > 1:
        assert set(cuts) & set(made)


def test_without_proposals_cuts_are_the_middles_of_equal_parts() -> None:
    assert cut_points(80, [], 4) == [10, 30, 50, 70]
    assert cut_points(2, [], 4) == [0]


def test_the_copy_is_the_workspace_up_to_the_bar_and_another_market_after(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = workspace(SHORT)
    parts, cut, copy = assemble(path), 30, tmp_path / "copy"
    (path.parent.parent / "runs").mkdir()
    copied = assemble(copy_perturbed(parts, cut, copy))
    assert sorted(p.name for p in copy.iterdir()) == [
        "backtests",
        "catalog",
        "guardrails",
        "strategies",
    ]
    assert copied.before == parts.before
    assert copied.mandate == parts.mandate
    assert (copied.terms, copied.gaps) == (parts.terms, parts.gaps)
    end = parts.test.close_times[cut] + 1
    assert copied.test.between(None, end) == parts.test.between(None, end)
    assert copied.test.close_times == parts.test.close_times
    for symbol in ("SP500", "NASDAQ"):
        for was, now in (
            (parts.test.opens, copied.test.opens),
            (parts.test.closes, copied.test.closes),
            (parts.test.volumes, copied.test.volumes),
        ):
            pairs = list(zip(was[symbol], now[symbol], strict=True))[cut + 1 :]
            assert all(one != other for one, other in pairs)
        was, now = parts.test.closes[symbol], copied.test.closes[symbol]
        assert (was[cut + 1] > was[cut]) is not (now[cut + 1] > now[cut])


def test_a_catalog_beside_the_run_file_is_perturbed_and_not_copied(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = workspace(SHORT, ("[market]\n", '[market]\ncatalog = "backtests/market"\n'))
    true = path.parent / "market"
    (tmp_path / "workspace" / "catalog").rename(true)
    unnamed = Catalog(true).read_bars("sp500")
    Catalog(true).write("unnamed", unnamed, step="d", max_step_ms=1, source="s", licence="l")
    copy = copy_perturbed(assemble(path), 30, tmp_path / "copy").parent / "market"
    assert len(list(copy.iterdir())) == 3
    assert not {file.read_bytes() for file in true.iterdir()} & {
        file.read_bytes() for file in copy.iterdir()
    }


def test_funding_up_to_the_bar_stays_in_the_copy_and_later_rates_are_others(tmp_path: Path) -> None:
    folder = crypto_workspace.workspace(tmp_path / "crypto")
    window = ("2020-01-01", "2020-01-20")
    path = crypto_workspace.variant(folder, "crypto_2020", "short", window=window)
    parts, cut = assemble(path), 200
    copied = assemble(copy_perturbed(parts, cut, tmp_path / "copy"))
    assert copied.mandate == parts.mandate
    assert (copied.before, copied.gaps) == (parts.before, parts.gaps)
    end = parts.test.close_times[cut] + 1
    assert copied.test.between(None, end) == parts.test.between(None, end)
    for symbol, rates in parts.test.rates.items():
        later = list(zip(rates, copied.test.rates[symbol], strict=True))[cut + 1 :]
        assert any(rate for rate, _ in later)
        assert all(rate != other for rate, other in later if rate)
        marks = zip(parts.test.mark_closes[symbol], copied.test.mark_closes[symbol], strict=True)
        assert all(one != other for one, other in list(marks)[cut + 1 :])
    names = set(Catalog(tmp_path / "copy" / "catalog").names())
    assert "binance-BTCUSDT-funding" in names
    assert "binance-XRPUSDT-spot-1h" not in names


# -- what cannot be checked ---------------------------------------------------------------------


def test_a_catalog_outside_the_workspace_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    path = workspace(SHORT, ("[market]\n", '[market]\ncatalog = "../elsewhere"\n'))
    (tmp_path / "workspace" / "catalog").rename(tmp_path / "elsewhere")
    with pytest.raises(RunFileError, match=r"'\.\./elsewhere' lies outside the workspace"):
        check_lookahead(path)


def test_what_the_true_run_raises_is_no_finding(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError):
        check_lookahead(peeking(workspace, "1 // 0"))
