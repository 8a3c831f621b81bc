from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_workspace import told

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.main import run
from agent_fund.market.catalog import Catalog
from agent_fund.market.sources import exchange as exchanges

sys.path.append(str(Path(__file__).resolve().parent.parent / "market"))

from loopback_exchange import HOUR, HOURS, NOW, START, LoopbackExchange, client_at, serving

Capture = pytest.CaptureFixture[str]
DATA = """date,open,high,low,close,volume
2018-01-01T00:00:00Z,100.1,101,100,100.5,3
2018-01-01T01:00:00Z,100.2,101,100,100.6,3
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackExchange]:
    real = exchanges.connect
    with serving() as server:

        def connect(exchange: str) -> Any:
            real(exchange)
            return client_at(server.url)

        monkeypatch.setattr(exchanges, "connect", connect)
        # client_at asks the module for what is replaced here.
        monkeypatch.setattr("loopback_exchange.connect", real)
        yield server


def fetch(folder: Path, *arguments: str, since: str = "2020-01-01") -> int:
    return run(["data", "fetch", "binance", *arguments, "--since", since, "--catalog", str(folder)])


def data_file(folder: Path, text: str = DATA, name: str = "mine.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_all_series_of_a_perpetual_are_fetched_and_listed(
    server: LoopbackExchange, tmp_path: Path, capsys: Capture
) -> None:
    symbols = ("BTC/USDT", "BTC/USDT:USDT")
    code = fetch(
        tmp_path, *symbols, "--funding", "--mark", "--index", "--licence", "ours", "--json"
    )
    assert code == ExitCode.OK
    value = told(capsys)
    assert value["exit"] == 0
    names = Catalog(tmp_path).names()
    assert names == (
        "binance-BTCUSDT-funding",
        "binance-BTCUSDT-index-1h",
        "binance-BTCUSDT-mark-1h",
        "binance-BTCUSDT-perp-1h",
        "binance-BTCUSDT-spot-1h",
    )
    assert Catalog(tmp_path).entry(names[1]).licence == "ours"
    assert run(["data", "list", "--catalog", str(tmp_path), "--json"]) == 0
    listed = told(capsys)["datasets"]
    assert isinstance(listed, dict)
    assert {name: entry["kind"] for name, entry in listed.items()} == {
        name: "funding" if "funding" in name else "bars" for name in names
    }
    assert run(["data", "list", "--catalog", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    assert fetch(tmp_path, *symbols) == ExitCode.OK
    assert "unchanged" in capsys.readouterr().out


def test_one_that_fails_is_9_and_the_others_are_there(
    server: LoopbackExchange, tmp_path: Path, capsys: Capture
) -> None:
    pages = -(-HOURS // 7)
    server.faults = {pages + 2: "banned"}
    code = fetch(tmp_path, "BTC/USDT:USDT", "ETH/USDT:USDT", "ETH/USDT", "--json")
    assert code == ExitCode.EXCHANGE_FAILED == 9
    value = told(capsys)
    assert Catalog(tmp_path).names() == ("binance-BTCUSDT-perp-1h", "binance-ETHUSDT-spot-1h")
    failed = value["failed"]
    assert isinstance(failed, list)
    assert failed[0]["name"] == "binance-ETHUSDT-perp-1h"
    assert "run the same command again" in failed[0]["error"]["message"]
    assert fetch(tmp_path, "BTC/USDT:USDT", "ETH/USDT:USDT", "ETH/USDT") == ExitCode.OK
    assert len(Catalog(tmp_path).names()) == 3
    assert not (tmp_path / ".partial").exists()


def test_data_that_contradicts_the_catalog_is_5(
    server: LoopbackExchange, tmp_path: Path, capsys: Capture
) -> None:
    assert fetch(tmp_path, "BTC/USDT:USDT", "--until", "2020-01-02") == 0
    server.corrected = (23, "9999.5")
    assert fetch(tmp_path, "BTC/USDT:USDT") == ExitCode.MARKET_DATA_REFUSED
    said = capsys.readouterr()
    assert "failed: binance-BTCUSDT-perp-1h" in said.err
    assert "--anew" in said.err
    assert fetch(tmp_path, "BTC/USDT:USDT", "--anew") == 0


def test_interrupted_it_says_how_to_go_on(
    server: LoopbackExchange, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(exchanges.Exchange, "page", pressed)
    assert fetch(tmp_path, "BTC/USDT") == ExitCode.INTERRUPTED
    assert "run it again to go on; whole so far: no data set" in capsys.readouterr().err
    assert Catalog(tmp_path).names() == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["BTCUSDT"], "did you mean 'BTC/USDT' or 'BTC/USDT:USDT'?"),
        (["BTC/USDT", "--timeframe", "7h"], "binance has: 1s, 1m"),
        (["BTC/USDT", "--until", "2019-01-01"], "it must be later than --since"),
        (["BTC/USDT", "--until", "soon"], "write a day, 2020-01-31"),
        (["BTC/USDT", "--funding"], "name a perpetual, e.g. BTC/USDT:USDT"),
    ],
)
def test_wrong_input_is_2_with_the_fix(
    server: LoopbackExchange, arguments: list[str], says: str, tmp_path: Path, capsys: Capture
) -> None:
    assert fetch(tmp_path, *arguments) == ExitCode.BAD_INPUT
    assert says in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_time_in_the_future_and_an_unknown_exchange_are_2(
    server: LoopbackExchange, tmp_path: Path, capsys: Capture
) -> None:
    assert fetch(tmp_path, "BTC/USDT", since="2020-01-03T13:00Z") == ExitCode.BAD_INPUT
    assert "it is in the future: now is 2020-01-03T12:30:00" in capsys.readouterr().err
    assert NOW == START + HOURS * HOUR + HOUR // 2
    command = ["data", "fetch", "binanse", "BTC/USDT", "--since", "2020-01-01"]
    assert run([*command, "--catalog", str(tmp_path)]) == ExitCode.BAD_INPUT
    assert "did you mean 'binance'" in capsys.readouterr().err


def test_a_file_is_imported_as_it_is(tmp_path: Path, capsys: Capture) -> None:
    path, folder = data_file(tmp_path), str(tmp_path / "catalog")
    command = ["data", "import", path, "--name", "mine", "--catalog", folder]
    assert run(command) == ExitCode.BAD_INPUT
    assert "--step 1h" in capsys.readouterr().err
    assert run([*command, "--step", "1h", "--json"]) == 0
    assert told(capsys)["name"] == "mine"
    bars = Catalog(Path(folder)).read_bars("mine")
    assert (bars.opens, bars.price_scale, bars.volumes) == ([1001, 1002], 1, [3, 3])
    assert run([*command, "--step", "1h", "--price-scale", "0"]) == ExitCode.MARKET_DATA_REFUSED
    assert "declare more, or rounding" in capsys.readouterr().err
    assert run([*command, "--step", "1h", "--price-scale", "0", "--rounding"]) == 0
    assert Catalog(Path(folder)).read_bars("mine").opens == [100, 100]
    rates = data_file(tmp_path, f"time,rate\n{START},0.0001\n", "rates.csv")
    assert (
        run(["data", "import", rates, "--name", "f", "--kind", "funding", "--catalog", folder]) == 0
    )
    assert Catalog(Path(folder)).read_funding("f").rates == [100_000_000]
    assert run(["data", "import", str(tmp_path / "mien.csv"), "--name", "x"]) == ExitCode.BAD_INPUT
    assert "did you mean 'mine.csv'?" in capsys.readouterr().err


def test_checking_clean_data_is_0_and_findings_are_10(tmp_path: Path, capsys: Capture) -> None:
    folder = str(tmp_path / "catalog")
    path = data_file(tmp_path)
    run(["data", "import", path, "--name", "mine", "--step", "1h", "--catalog", folder])
    capsys.readouterr()
    assert run(["data", "check", "mine", "--catalog", folder]) == ExitCode.OK
    assert "clean: no finding" in capsys.readouterr().out
    first, second, _ = DATA.splitlines()
    late = "2018-01-01T05:00:00Z,100,101,100,100.5,3"
    early = "2018-01-01T03:00:00Z,100,90,100,100.5,3"
    broken = data_file(tmp_path, "\n".join([first, second, second, late, early]), "broken.csv")
    page = tmp_path / "check.html"
    command = ["data", "check", "mine", broken, "--step", "1h", "--catalog", folder]
    assert run([*command, "--out", str(page), "--json"]) == ExitCode.DATA_FINDINGS == 10
    value = told(capsys)
    checked = value["checked"]
    assert isinstance(checked, list)
    rules = [[finding["rule"] for finding in item["findings"]] for item in checked]
    assert rules == [[], ["unsorted", "duplicate", "inconsistent", "gap"]]
    assert "broken.csv" in page.read_text()
    assert run(command) == 10
    shown = " ".join(capsys.readouterr().out.split())
    assert "duplicate: a row of a time that an earlier row has" in shown


def test_checking_what_is_not_there_names_what_is(tmp_path: Path, capsys: Capture) -> None:
    folder = str(tmp_path / "catalog")
    path = data_file(tmp_path)
    run(["data", "import", path, "--name", "mine", "--step", "1h", "--catalog", folder])
    capsys.readouterr()
    assert run(["data", "check", "yours", "--catalog", folder]) == ExitCode.MARKET_DATA_REFUSED
    assert "the catalog has: mine" in capsys.readouterr().err
    assert run(["data", "check", path]) == ExitCode.BAD_INPUT
    assert "--step 1h" in capsys.readouterr().err
    assert run(["data", "check", "mine", "--out", "x.pdf"]) == ExitCode.BAD_INPUT
    assert run(["data", "list", "--catalog", str(tmp_path)]) == ExitCode.BAD_INPUT
    assert "it holds no catalog.json" in capsys.readouterr().err
