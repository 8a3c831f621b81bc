"""Coverage and Kupiec's test against published values and brute force, and as users meet them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from backtest_workspace import changed, make_margined, planned
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.audit.verify import verify
from agent_fund.backtest.coverage import counts, kupiec
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.joint_coverage import joint_counts
from agent_fund.backtest.run import backtest
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.budget import Budget, Combination
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

Workspace = Callable[..., Path]

# P. Jorion, Value at Risk, table "Model backtesting, 95% nonrejection test confidence regions",
# after Kupiec (1995): by rate, the numbers of failures in 255, 510 and 1000 days that are kept. The
# table prints "N < 7" for the first: its ratio at no failure, 5.13, is beyond 3.84 all the same.
JORION = {
    Fraction(1, 100): ((0, 7), (1, 11), (4, 17)),
    Fraction(25, 1000): ((2, 12), (6, 21), (15, 36)),
    Fraction(5, 100): ((6, 21), (16, 36), (37, 65)),
    Fraction(75, 1000): ((11, 28), (27, 51), (59, 92)),
    Fraction(1, 10): ((16, 36), (38, 65), (81, 120)),
}


@pytest.mark.parametrize("rate", JORION, ids=str)
def test_kupiecs_regions_are_those_of_the_published_table(rate: Fraction) -> None:
    for days, (low, high) in zip((255, 510, 1000), JORION[rate], strict=True):
        kept = [n for n in range(days + 1) if kupiec(days, n, rate).p_value > 0.05]
        assert kept == list(range(low + 1, high))


def test_kupiecs_ratio_is_zero_at_the_declared_rate_and_known_at_its_ends() -> None:
    assert kupiec(1000, 10, Fraction(1, 100)).ratio == pytest.approx(0, abs=1e-9)
    assert kupiec(1000, 10, Fraction(1, 100)).p_value == pytest.approx(1)
    none = kupiec(250, 0, Fraction(1, 100))
    assert none.ratio == pytest.approx(-500 * math.log(0.99))
    every = kupiec(3, 3, Fraction(1, 100))
    assert every.ratio == pytest.approx(-6 * math.log(0.01))
    # One degree of freedom: 3.841459 is where 5 % lie beyond.
    assert math.erfc(math.sqrt(3.841458821 / 2)) == pytest.approx(0.05, abs=1e-9)


prices = st.lists(st.sampled_from([9_000, 9_500, 10_000, 10_500, 11_000]), min_size=7, max_size=7)
edges = st.tuples(st.sampled_from([0, -50_000, -100_000]), st.sampled_from([0, 50_000, 100_000]))


def brute(past: Past, box: tuple[int, int], horizon: int) -> tuple[int, int]:
    """Windows of ``horizon`` opens, and how many of them leave ``box``, point by point."""
    windows = outside = 0
    for start in range(len(past.times) - horizon):
        windows += 1
        seen = []
        for step in range(1, horizon + 1):
            seen += [past.opens[start + step], past.mark_opens[start + step]]
            if step < horizon:
                seen.append(past.mark_closes[start + step])
        base = past.mark_closes[start]
        moves = [Fraction((price - base) * SCALE, base) for price in seen]
        outside += any(not box[0] <= move <= box[1] for move in moves)
    return windows, outside


@settings(deadline=None, max_examples=200)
@given(prices, prices, prices, edges, st.integers(1, 9), st.sampled_from([1, 10**11]))
def test_counts_are_those_of_every_point_of_every_window(
    opens: list[int],
    marks: list[int],
    closes: list[int],
    box: tuple[int, int],
    horizon: int,
    unit: int,
) -> None:
    columns = ([price * unit for price in column] for column in (opens, marks, closes))
    past = Past(range(7), *columns)
    found = counts(past, box, horizon)
    assert found == [brute(past, box, h) for h in range(1, horizon + 1)]


HALF = Fraction(1, 2)
WIDE = ((-400_000, 400_000), (-400_000, 400_000))
SETS = {
    "box": Stress(("A", "B"), ((-100_000, 100_000), (-50_000, 0)), (), 3),
    "factor": Stress(
        ("A", "B"),
        (*WIDE, (-75_000, 75_000)),
        (Factor("m", {"A": HALF, "B": HALF}, {}, {}),),
        3,
    ),
    "residual": Stress(
        ("A", "B"),
        (*WIDE, (-400_000, 400_000)),
        (Factor("m", {"A": HALF, "B": HALF}, {"B": 900}, {"B": 50_000}),),
        3,
    ),
    "tie": Stress(("A", "B"), WIDE, (), 3, ties=(Tie("A", "B", -100_000, 50_000),)),
    "budget": Stress(("A", "B"), WIDE, (), 3, budgets=(Budget(("A", "B"), SCALE),)),
    "zero": Stress(
        ("A", "B"), ((-50_000, 0), (0, 400_000)), (), 3, budgets=(Budget(("A", "B"), SCALE),)
    ),
    "combination": Stress(
        ("A", "B"),
        WIDE,
        (),
        3,
        combinations=(Combination("c", {"A": Fraction(1), "B": Fraction(-1, 3)}, 50_000),),
    ),
}


def test_a_move_at_an_edge_is_judged_exactly() -> None:
    """3/7 of 9 % less 4/7 of 5 % is 1 % to the unit, and a little more in floats."""
    weights = {"A": Fraction(3, 7), "B": Fraction(4, 7)}
    pasts = {
        "A": Past(range(2), [10_000, 10_900], [10_000, 10_900], [10_000, 10_900]),
        "B": Past(range(2), [10_000, 9_500], [10_000, 9_500], [10_000, 9_500]),
    }
    for most, outside in ((10_000, 0), (9_999, 1)):
        row = Combination("c", weights, most)
        stress = Stress(("A", "B"), WIDE, (), 1, combinations=(row,))
        assert joint_counts(stress, pasts) == [(1, outside)]


@pytest.mark.parametrize("kind", SETS)
@settings(deadline=None, max_examples=60)
@given(prices, prices, prices, prices)
def test_counts_of_the_whole_set_are_those_of_its_own_words(
    kind: str, opens: list[int], closes: list[int], others: list[int], marks: list[int]
) -> None:
    stress = SETS[kind]
    pasts = {
        "A": Past([0, 1, 2, 3, 4, 5, 6], opens, marks, closes),
        "B": Past([1, 2, 3, 4, 5, 6, 7], others, others, marks),
    }
    found = joint_counts(stress, pasts)
    for horizon, (windows, outside) in enumerate(found, 1):
        assert windows == max(0, 6 - horizon)
        left = 0
        for start in range(windows):
            before = {"A": closes[start + 1], "B": marks[start]}
            points = []
            for step in range(1, horizon + 1):
                a, b = start + 1 + step, start + step
                points += [(opens[a], others[b]), (marks[a], others[b])]
                points += [(closes[a], marks[b])] if step < horizon else []
            moves = [stress.moves(before, {"A": first, "B": second}) for first, second in points]
            left += any(stress.outside(move) is not None for move in moves)
        assert outside == left


PLAN = planned({1: ["buy 100 COIN"], 30: ["sell all COIN"]})
CALIBRATED = 'calibrated("2", basis={"PERP": "COIN"})'


def with_stress(path: Path, stress: str) -> Path:
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    text = changed(
        file.read_text(),
        (CALIBRATED, stress),
        ("import Mandate, calibrated, costs", "import Mandate, calibrated, costs, declared"),
        (
            "mandate = Mandate",
            "from agent_fund.guard.stress.declared import budget, combination\n\nmandate = Mandate",
        ),
    )
    file.write_text(text)
    return path


EVERYTHING = """calibrated(
        "2",
        boxes={"COIN": ("-30%", "20%")},
        why="wider than history",
        basis={"PERP": "COIN"},
        budgets=[budget(("COIN", "PERP"), "1.9")],
        combinations=[combination("spread", {"COIN": "1", "PERP": "-1"}, "20%")],
        lose="any",
        expected="1%",
    )"""
CHAIN = ('name = "wallet"\ncash', 'name = "wallet"\nchain = "eip155:1"\ncash')
ISSUER = ('symbol = "COIN"\n', 'symbol = "COIN"\nissuer = "mint"\n')


def test_a_run_with_every_kind_of_set_is_published_and_verifies(tmp_path: Path) -> None:
    plan = planned({1: ["buy 1 COIN"], 30: ["sell all COIN"]})
    path = make_margined(tmp_path, plan, CHAIN, ISSUER)
    path = with_stress(path, EVERYTHING)
    with pytest.raises(RunFileError, match=r"PERP.*derived from it"):
        backtest(path)
    other = ('underlying = "COIN"', 'underlying = "ANOTHER"')
    path.write_text(changed(path.read_text(), other))
    file = path.parent.parent / "guardrails" / "index_drawdown.py"
    # A venue with most of the cash may fail, so the promise is a weak one.
    file.write_text(changed(file.read_text(), ('max_drawdown("20%")', 'max_drawdown("90%")')))
    finished = backtest(path)
    assert verify(finished.folder).guarantee == "held"
    summary = json.loads((finished.folder / "summary.json").read_bytes())
    told = summary["box_coverage"]
    assert told["expected"] == "1/100"
    for window in ("calibration", "test"):
        opens = [(entry["of"], entry["opens"]) for entry in told[window]]
        assert opens == [(s, h) for s in ("COIN", "PERP", "all together") for h in (1, 2, 3)]
        for entry in told[window]:
            test = kupiec(entry["windows"], entry["outside"], Fraction(1, 100))
            assert float(entry["p_value"]) == pytest.approx(test.p_value, abs=1e-6)
    assert told["calibration"][0]["windows"] == 60 * 24 - 2  # the first bar closes at one
    assert told["test"][2]["windows"] == 8 * 24 - 3
    page = (finished.folder / "report.html").read_text()
    for words in (
        "How often prices left the stress set",
        "all together",
        "COIN, PERP together",
        "1.9 boxes",
        "chain eip155:1 fails",
        "issuer mint fails",
        "all that it issued",
        "wider than history",
        "of them outside",
    ):
        assert words in page
    assert summary["mandate"]["box"].keys() == {"COIN", "PERP"}
    assert summary["decisions"]["admitted"] == 2


def test_a_box_that_history_left_is_published_as_left(tmp_path: Path) -> None:
    path = with_stress(
        make_margined(tmp_path, PLAN),
        'declared({"COIN": ("-0.1%", "0.1%"), "PERP": ("-0.2%", "0.2%")}, why="far too small")',
    )
    finished = backtest(path)
    told = finished.summary["box_coverage"]
    assert isinstance(told, dict)
    entry = told["calibration"][0]
    assert entry["outside"] > entry["windows"] // 4
    assert entry["p_value"] == "0.000000"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((CHAIN[0], CHAIN[1].replace("eip155:1", "ethereum")), ("venues.0.chain", "CAIP-2")),
        ((ISSUER[0], ISSUER[1].replace("mint", "the mint")), ("instruments.0.issuer", "spaces")),
        (
            ('symbol = "PERP"\n', 'symbol = "PERP"\nissuer = "mint"\n'),
            ("instruments.PERP: issuer 'mint'", "spot"),
        ),
        (
            ('symbol = "COIN"\n', 'symbol = "COIN"\nchain = "eip155:1"\n'),
            ("instruments.COIN: chain 'eip155:1'", "leave it to the venue"),
        ),
    ],
)
def test_a_chain_or_an_issuer_out_of_place_is_refused(
    tmp_path: Path, change: tuple[str, str], said: tuple[str, ...]
) -> None:
    with pytest.raises(RunFileError) as caught:
        backtest(make_margined(tmp_path, PLAN, change))
    for words in said:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("lose", "said"),
    [("any chain", "states none"), ("issuer:mint", "issuers are: none"), ("nowhere", "wallet")],
)
def test_who_the_run_file_does_not_state_cannot_be_lost(
    tmp_path: Path, lose: str, said: str
) -> None:
    path = with_stress(make_margined(tmp_path, PLAN), f'calibrated("2", lose="{lose}")')
    with pytest.raises(RunFileError, match=said):
        backtest(path)
