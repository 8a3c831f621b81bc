from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback_exchange import (
    FAULTS,
    HOLE,
    HOUR,
    HOURS,
    NOW,
    PASSING,
    START,
    LoopbackExchange,
    client_at,
    exchange_at,
    serving,
)

from agent_fund.domain.errors import DomainError
from agent_fund.market.catalog import Catalog
from agent_fund.market.errors import ExchangeError, MarketError
from agent_fund.market.sources.exchange import Exchange, Series, connect
from agent_fund.market.sources.fetch import Change, Fetched, fetch
from agent_fund.market.sources.pages import Pages

PERP = "BTC/USDT:USDT"
KINDS = ("perp", "mark", "index", "funding", "spot")
LASTING = ("503", "garbage", "cut", "repeat", "contradiction", "429", "banned")


@pytest.fixture(scope="module")
def loopback() -> Iterator[LoopbackExchange]:
    with serving() as server:
        yield server


@pytest.fixture
def server(loopback: LoopbackExchange) -> LoopbackExchange:
    return reset(loopback)


def reset(server: LoopbackExchange) -> LoopbackExchange:
    server.faults, server.broken_from, server.now, server.asked = {}, None, NOW, 0
    server.corrected, server.stop_at = None, None
    server.before.clear()
    server.stopped.clear()
    return server


def of(exchange: Exchange, kind: str) -> Series:
    symbol = "BTC/USDT" if kind == "spot" else PERP
    return next(
        s for s in exchange.series(symbol, ("mark", "index", "funding"), "1h") if s.kind == kind
    )


def brought(
    folder: Path, server: LoopbackExchange, kind: str, *, since: int = START, **options: object
) -> Fetched:
    exchange, _ = exchange_at(server.url)
    named = {"since": since, "until": NOW + HOURS * HOUR, "licence": "none"} | options
    return fetch(
        Catalog(folder),
        exchange,
        of(exchange, kind),
        progress=lambda *_: None,
        **named,  # type: ignore[arg-type]
    )


class Whole(dict[str, "Contents"]):
    """By kind, what a catalog holds after a fetch without a fault; ``asked`` how many pages."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, int] = {}

    def __repr__(self) -> str:
        return "whole"


class Contents(dict[str, bytes]):
    """The files of a folder."""

    def __repr__(self) -> str:
        return str({name: len(content) for name, content in self.items()})


def files(folder: Path) -> Contents:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return Contents((str(path.relative_to(folder)), path.read_bytes()) for path in paths)


@pytest.fixture(scope="module")
def whole(loopback: LoopbackExchange, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    found = Whole()
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("whole")
        brought(folder, reset(loopback), kind)
        found[kind] = files(folder)
        found.asked[kind] = loopback.asked
    return found


def test_numbers_are_those_that_the_exchange_wrote(
    server: LoopbackExchange, tmp_path: Path
) -> None:
    fetched = brought(tmp_path, server, "perp")
    bars = Catalog(tmp_path).read_bars("binance-BTCUSDT-perp-1h")
    assert (fetched.change, fetched.added, len(bars)) == (Change.NEW, HOURS, HOURS)
    assert (bars.price_scale, bars.volume_scale) == (4, 3)
    # The server writes 7000.5839 + 0.0016 and so on, with zeros behind.
    assert (bars.opens[1], bars.closes[1], bars.highs[1]) == (70_007_950, 70_007_936, 70_007_953)
    assert bars.volumes[1] == 2_101
    assert bars.open_times == [START + hour * HOUR for hour in range(HOURS)]


def test_a_bar_that_is_still_open_is_never_taken(server: LoopbackExchange, tmp_path: Path) -> None:
    for now, bars in ((NOW, HOURS), (START + 5 * HOUR, 5), (START + 5 * HOUR - 1, 4)):
        server.now = now
        entry = brought(tmp_path, server, "perp", anew=True).entry
        assert getattr(entry, "bars") == bars  # noqa: B009
    entry = brought(tmp_path, reset(server), "mark", until=START + 9 * HOUR - 1).entry
    assert getattr(entry, "last_close") == START + 8 * HOUR  # noqa: B009


def test_a_hole_of_the_exchange_is_a_gap(server: LoopbackExchange, tmp_path: Path) -> None:
    entry = brought(tmp_path, server, "spot").entry
    gap = (START + HOLE.start * HOUR, START + (HOLE.stop + 1) * HOUR)
    assert [(g.after, g.before) for g in entry.gaps] == [gap]


def test_what_was_asked_for_before_the_listing_is_not_there(
    server: LoopbackExchange, tmp_path: Path
) -> None:
    entry = brought(tmp_path, server, "perp", since=START - 5000 * HOUR).entry
    assert (getattr(entry, "first_close"), entry.gaps) == (START + HOUR, ())  # noqa: B009


def test_funding_times_are_whole_seconds(server: LoopbackExchange, tmp_path: Path) -> None:
    brought(tmp_path, server, "funding")
    funding = Catalog(tmp_path).read_funding("binance-BTCUSDT-funding")
    assert funding.times == [START + 8 * HOUR * number for number in range(8)]
    assert funding.rates[:3] == [-20_000_000, 17_000_000, 13_000_000]


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from(KINDS),
    faults=st.dictionaries(st.integers(0, 12), st.sampled_from([*PASSING, "empty"]), max_size=4),
)
def test_faults_that_pass_change_nothing(
    kind: str,
    faults: dict[int, str],
    loopback: LoopbackExchange,
    whole: Whole,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("faulted")
    # Two empty answers one after the other are taken for what they say.
    alone = {
        n: "503" if fault == "empty" and faults.get(n - 1) else fault for n, fault in faults.items()
    }
    reset(loopback).faults = alone
    brought(folder, loopback, kind)
    assert files(folder) == whole[kind]


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from(KINDS),
    point=st.integers(0, 7),
    fault=st.sampled_from(LASTING),
    there=st.booleans(),
)
def test_a_fetch_that_fails_leaves_no_data_set_and_the_next_one_completes_it(
    kind: str,
    point: int,
    fault: str,
    there: bool,
    loopback: LoopbackExchange,
    whole: Whole,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("failed")
    server = reset(loopback)
    if there:  # an older version, which is to stay whole
        brought(folder, server, kind, until=START + 20 * HOUR)
    before = files(folder)
    server.asked, server.broken_from, server.fault = 0, point, fault
    failed = False
    try:
        brought(folder, server, kind)
    except ExchangeError:
        failed = True
    left = files(folder)
    if failed:
        assert {n: held for n, held in left.items() if not n.startswith(".partial")} == before
    else:
        assert left == whole[kind]
    reset(server)
    brought(folder, server, kind)
    assert files(folder) == whole[kind]
    if kind != "funding" and not there:
        assert failed, "the fault did not come to pass"
        assert server.asked <= whole.asked[kind] - point + 2, "pages were fetched again"


@pytest.mark.parametrize("point", [0, 3, 8])
def test_a_fetch_killed_in_the_middle_is_completed_by_the_next(
    point: int, server: LoopbackExchange, whole: Whole, tmp_path: Path
) -> None:
    reset(server).stop_at = point
    script = (
        "import sys, pathlib; sys.path[0] = sys.argv[1]\n"
        "from test_market_exchange import brought, LoopbackExchange\n"
        "server = LoopbackExchange(); server.url = sys.argv[2]\n"
        "brought(pathlib.Path(sys.argv[3]), server, 'perp')\n"
    )
    here = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", script, here, server.url, str(tmp_path)])
    try:
        while not server.stopped.wait(0.2):
            assert process.poll() is None, "it ended before it was killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert Catalog(tmp_path).names() == ()
    kept = list((tmp_path / ".partial" / "binance-BTCUSDT-perp-1h").glob("0*.json"))
    assert len(kept) == point
    reset(server)
    brought(tmp_path, server, "perp")
    assert files(tmp_path) == whole["perp"]
    assert server.asked == -(-HOURS // 7) - point


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hours", [1, 20, 33, 59])
def test_extending_equals_fetching_all(
    kind: str,
    hours: int,
    server: LoopbackExchange,
    whole: Whole,
    tmp_path: Path,
) -> None:
    brought(tmp_path, server, kind, until=START + hours * HOUR)
    server.asked = 0
    extended = brought(tmp_path, server, kind)
    assert extended.change in (Change.EXTENDED, Change.UNCHANGED)
    assert files(tmp_path) == whole[kind]
    server.asked = 0
    assert brought(tmp_path, server, kind).change is Change.UNCHANGED
    assert server.asked <= 3  # funding: twice, to be sure that nothing follows
    assert files(tmp_path) == whole[kind]


def test_an_exchange_that_corrected_the_last_bar_is_refused(
    server: LoopbackExchange, whole: Whole, tmp_path: Path
) -> None:
    brought(tmp_path, server, "perp", until=START + 20 * HOUR)
    before = files(tmp_path)
    server.corrected = (19, "9999.5")
    with pytest.raises(MarketError, match=r"column high: '9999\.5000' .* with --anew"):
        brought(tmp_path, server, "perp")
    left = {name: held for name, held in files(tmp_path).items() if ".partial" not in name}
    assert left == before
    assert brought(tmp_path, server, "perp", anew=True).change is Change.NEW
    reset(server)
    brought(tmp_path, server, "perp", anew=True)
    assert files(tmp_path) == whole["perp"]


def test_asking_for_an_earlier_time_than_the_data_set_has_is_refused(
    server: LoopbackExchange, tmp_path: Path
) -> None:
    brought(tmp_path, server, "perp", since=START + 9 * HOUR)
    with pytest.raises(MarketError, match=r"fetched from 2020-01-01T09:00:00.* with --anew"):
        brought(tmp_path, server, "perp")


def test_pages_of_another_request_are_not_used(
    server: LoopbackExchange, whole: Whole, tmp_path: Path
) -> None:
    server.broken_from = 3
    with pytest.raises(ExchangeError):
        brought(tmp_path, server, "perp", since=START + 2 * HOUR)
    brought(tmp_path, reset(server), "perp")
    assert files(tmp_path) == whole["perp"]


def test_pages_of_another_request_with_the_same_start_are_thrown_away(tmp_path: Path) -> None:
    first = Pages(tmp_path, "x", {"base": ""}, START)
    first.add([[START, "1"]], START + HOUR)
    again = Pages(tmp_path, "x", {"base": ""}, START)
    assert (again.rows, again.cursor) == ([[START, "1"]], START + HOUR)
    other = Pages(tmp_path, "x", {"base": "ff"}, START)
    assert (other.rows, other.cursor) == ([], START)
    other.remove()
    assert not (tmp_path / ".partial").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_is_never_taken_for_an_answer(
    kind: str, fault: str, server: LoopbackExchange
) -> None:
    exchange, _ = exchange_at(server.url)
    series = of(exchange, kind)
    first = exchange.page(series, START)
    server.broken_from, server.fault = server.asked, fault
    following = int(first[-1][0]) + 1000
    with pytest.raises(ExchangeError, match="run the same command again"):
        exchange.page(series, following)
    server.broken_from = None
    assert exchange.page(series, following)[0][0] >= following


def test_waits_grow_and_heed_what_the_exchange_asks(server: LoopbackExchange) -> None:
    exchange, waits = exchange_at(server.url)
    series = of(exchange, "perp")
    server.broken_from, server.fault = 0, "503"
    with pytest.raises(ExchangeError, match=r"6 times, .*run the same command again"):
        exchange.page(series, START)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    waits.clear()
    server.fault = "418"
    with pytest.raises(ExchangeError, match="DDoSProtection"):
        exchange.page(series, START)
    assert waits == [7.0, 7.0, 7.0, 8.0, 16.0]
    waits.clear()
    server.fault = "banned"
    with pytest.raises(ExchangeError, match="asks to wait 7200 s"):
        exchange.page(series, START)
    assert waits == []


@pytest.mark.parametrize(
    ("symbol", "says"),
    [
        ("BTCUSDT", "did you mean 'BTC/USDT' or 'BTC/USDT:USDT'?"),
        ("btc/usdt", "did you mean 'BTC/USDT' or 'BTC/USDT:USDT'?"),
        ("BTC/USD", "did you mean 'BTC/USDT' or"),
        ("NOTHING/LIKE", "spot market or linear perpetual$"),
    ],
)
def test_an_unknown_symbol_names_the_nearest(
    symbol: str, says: str, server: LoopbackExchange
) -> None:
    exchange, _ = exchange_at(server.url)
    with pytest.raises(DomainError, match=says.replace("?", r"\?")):
        exchange.series(symbol, (), "1h")


def test_an_unknown_length_or_exchange_names_the_known(server: LoopbackExchange) -> None:
    exchange, _ = exchange_at(server.url)
    with pytest.raises(DomainError, match=r"binance has: 1s, 1m, .*1h, .*3d$"):
        exchange.series(PERP, (), "7h")
    with pytest.raises(DomainError, match="did you mean 'binance' or"):
        connect("binanse")


def test_every_fault_is_tried() -> None:
    assert set(PASSING) | set(LASTING) | {"empty", "451"} == set(FAULTS)


def test_a_refusal_for_good_is_not_asked_again(server: LoopbackExchange) -> None:
    waits: list[float] = []
    client = client_at(server.url)
    exchange = Exchange(client, waits.append)
    client.has["fetchIndexOHLCV"] = False
    with pytest.raises(DomainError, match="does not publish it: leave --index out"):
        exchange.series(PERP, ("index",), "1h")
    series = Series("binance", "DOGE/USDT", "DOGE", "USDT", "spot", "1h")
    with pytest.raises(ExchangeError, match=r"BadSymbol.*asking again would not help"):
        exchange.page(series, START)
    assert waits == []
