"""A run of several venues and a perpetual is refused with the place and the fix, or runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from backtest_workspace import changed, make_margined, planned

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.errors import RunFileError
from agent_fund.cli.main import run

TIERS = 'tiers = [{ floor = "0", rate = "5%" }, { floor = "300000", rate = "8%" }]'
MARGIN = f'[instruments.margin]\ninitial = "10%"\nliquidation_fee = "1%"\n{TIERS}\n'
SLOW = 'latency = { model = "bars", bars = 2 }\n[instruments.funding]'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_margined(tmp_path, planned({2: ["buy 1 COIN"]}))


def refused(path: Path, *said: str) -> str:
    with pytest.raises(RunFileError) as caught:
        assemble(path)
    for words in said:
        assert words in str(caught.value)
    assert len(str(caught.value)) < 1500
    return str(caught.value)


def test_the_run_as_it_is_is_accepted(path: Path) -> None:
    assert assemble(path).capital() == {"wallet": 6 * 10**15, "futures": 4 * 10**15}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((MARGIN, ""), ("instruments.PERP", "a perpetual needs mark, funding and margin")),
        (('cash = "600000"', 'cash = "600001"'), ("makes 1000001, fund.cash is 1000000",)),
        (('venue = "futures"', 'venue = "futurs"'), ("PERP", "did you mean 'futures'?")),
        (("[transfers]\nbars = 2\n", ""), ("transfers", "several venues")),
        (('symbol = "PERP"', 'symbol = "COIN"'), ("COIN, COIN", "each symbol once")),
        (('every = "8h"', 'every = "8x"'), ("instruments.1.funding.every", "8x", "1h")),
        (('cap = "0.3%"', 'cap = "-0.3%"'), ("instruments.1.funding", "cap", "from 0 on")),
        (('floor = "0"', 'floor = "7"'), ("instruments.1.margin", "first floor is 7")),
        (('"300000", rate', '"0", rate'), ("floor 0 comes after 0", "sort them")),
        (('"8%"', '"4%"'), ("the rate falls at floor 300000",)),
        (('initial = "10%"', 'initial = "4%"'), ("initial: 4.00%", "first tier")),
        (
            ('mark = "mark"', 'mark = "mark"\ncalibrate_start = 2020-05-01'),
            ("instruments.PERP", "starts on 2020-05-01"),
        ),
    ],
)
def test_a_perpetual_is_refused_with_the_place(
    path: Path, change: tuple[str, str], said: tuple[str, ...]
) -> None:
    path.write_text(changed(path.read_text(), change))
    refused(path, str(path), *said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"PERP": "COIN"', '"PREP": "COIN"'), ("PREP", "COIN, PERP")),
        (('calibrated("2", ', 'calibrated("2", lose="walet", '), ("walet", "wallet, futures")),
        (
            ('[max_drawdown("20%")', '[max_drawdown("20%"), hedge_coverage("COINS")'),
            ("hedge_coverage", "'COINS'", "underlyings are COIN"),
        ),
    ],
)
def test_a_mandate_that_names_what_the_run_lacks_is_refused(
    path: Path, change: tuple[str, str], said: tuple[str, ...]
) -> None:
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    text = changed(file.read_text(), change)
    head = "from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage\n"
    file.write_text(text.replace("from agent_fund", f"{head}from agent_fund", 1))
    refused(path, str(file), *said)


def test_latencies_that_differ_need_a_legging_allowance(path: Path) -> None:
    path.write_text(changed(path.read_text(), ("[instruments.funding]", SLOW)))
    refused(path, str(path), "COIN 0, PERP 2", "index_drawdown.py", "costs(legging=")
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    allowed = ('slippage="0.20%"', 'slippage="0.20%", legging="0.5%"')
    file.write_text(changed(file.read_text(), allowed))
    assert assemble(path).mandate.costs.legging


def test_a_misspelt_data_set_is_answered_with_the_nearest(path: Path) -> None:
    path.write_text(changed(path.read_text(), ('dataset = "funding"', 'dataset = "fundng"')))
    assert "lacks fundng (did you mean 'funding'?)" in refused(path, "agent-fund data import")


def test_an_empty_catalog_is_answered_with_the_command_that_fills_it(path: Path) -> None:
    shutil.rmtree(path.parent.parent / "catalog")
    names = {
        'dataset = "coin"': 'dataset = "binance-COINUSD-spot-4h"',
        'dataset = "perp"': 'dataset = "binance-COINUSD-perp-4h"',
        'mark = "mark"': 'mark = "binance-COINUSD-mark-4h"',
        'dataset = "funding"': 'dataset = "binance-COINUSD-funding"',
    }
    path.write_text(changed(path.read_text(), *names.items()))
    said = refused(path, "lacks binance-COINUSD-spot-4h, binance-COINUSD-perp-4h,")
    window = "--since 2020-01-01 --until 2020-03-09"
    symbols, options = "COIN/USD COIN/USD:USD", "--mark --funding --timeframe 4h"
    assert f"agent-fund data fetch binance {symbols} {window} {options} --catalog " in said
    assert "did you mean" not in said
    assert said.count(f"--catalog {path.parent.parent / 'catalog'}") == 2


def test_check_tells_equity_at_a_margin_account_and_cash_elsewhere(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trade = ["--trade", "buy 1 PERP @ 2000"]
    run(["check", str(path), "--hold", "PERP=-50", "--hold", "COIN=0.5", *trade])
    shown = " ".join(capsys.readouterr().out.split())
    assert "The fund holds -50.00 PERP, 0.50 COIN and 599," in shown
    assert "USD in cash at wallet, 400,000.00 USD of equity at futures." in shown
    assert "buy 1.00 PERP @ 2000 " in shown


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("COIN=-1", "only a perpetual can be held short"),
        ("COIN=900000", "more than the fund's cash at wallet"),
        ("PREP=-1", "did you mean 'PERP'?"),
    ],
)
def test_check_refuses_what_cannot_be_held(
    path: Path, capsys: pytest.CaptureFixture[str], held: str, said: str
) -> None:
    assert run(["check", str(path), "--hold", held, "--trade", "buy 1 PERP @ 2000"]) == 2
    assert said in capsys.readouterr().err
