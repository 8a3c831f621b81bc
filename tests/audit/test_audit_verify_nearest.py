"""A log of repairs to the nearest trade: what each keeps is recomputed; nothing may be added."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import backtest_workspace as workspace
import pytest
from audit_forger import Forger
from backtest_workspace import planned

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import verify
from agent_fund.backtest.run import backtest

BOTH = ["buy 300 SP500", "buy 150 NASDAQ"]
CALM = ("end = 2008-04-01", "end = 2007-10-01")
Change = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose mandate asks for the nearest trade."""
    base = tmp_path_factory.mktemp("nearest")
    strategy = (workspace.SMA, planned({2: BOTH}, ordered=True))
    path = workspace.make(base / "run", CALM, strategy)
    workspace.mandate(path, 'max_drawdown("8%"), concentration("30%")', "1")
    file = base / "run" / "guardrails" / "index_drawdown.py"
    text = file.read_text()
    file.write_text(workspace.changed(text, ("],\n)", '],\n    repair="nearest",\n)')))
    return backtest(path).folder


def repaired(forger: Forger) -> int:
    """The index of the verdict that repairs."""
    return forger.find("decide", outcome="repaired")


def test_a_repair_to_the_nearest_trade_verifies(folder: Path, tmp_path: Path) -> None:
    forger = Forger(folder)
    record = forger.records[repaired(forger)]
    asked = forger.records[record["proposal"]]["legs"]
    shares = [
        Fraction(int(kept["quantity"]), int(leg["quantity"]))
        for kept, leg in zip(record["legs"], asked, strict=True)
    ]
    assert shares[0] > shares[1] > 0  # a share for each leg, falling along the order
    assert 0 < Fraction(record["theta"]) < 1
    forger.relink()
    assert verify(forger.seal(tmp_path / "copy")).root == verify(folder).root


def more(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"][0]["quantity"] = str(int(asked["legs"][0]["quantity"]) + 1)


def another_limit(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"][0]["limit"] = str(int(asked["legs"][0]["limit"]) + 1)


def another_side(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"][0]["side"] = "sell"


def a_leg_twice(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"].append(dict(record["legs"][0]))


def turned_round(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"].reverse()


def what_waits_first(record: dict[str, Any], asked: dict[str, Any]) -> None:
    del record["legs"][0]


def nothing_taken_away(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"] = [dict(leg) for leg in asked["legs"]]


def no_leg_left(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"] = []


def another_theta(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["theta"] = "1/2"


def theta_in_other_words(record: dict[str, Any], asked: dict[str, Any]) -> None:
    theta = Fraction(record["theta"])
    record["theta"] = f"{2 * theta.numerator}/{2 * theta.denominator}"


def less_than_stated(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["legs"][0]["quantity"] = str(int(record["legs"][0]["quantity"]) - 1)


def by_scale(record: dict[str, Any], asked: dict[str, Any]) -> None:
    """The legs that another mandate would leave, with the share of it."""
    record["theta"] = "1/2"
    for leg, whole in zip(record["legs"], asked["legs"], strict=True):
        leg["quantity"] = str(int(whole["quantity"]) // 2)


def called_admitted(record: dict[str, Any], asked: dict[str, Any]) -> None:
    record["outcome"] = "admitted"
    record["theta"] = "1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more, "more of SP500 than was proposed"),
        (another_limit, "another side, limit or place"),
        (another_side, "another side, limit or place"),
        (a_leg_twice, "give each instrument one leg"),
        (turned_round, "another side, limit or place"),
        (what_waits_first, "NASDAQ waits for SP500"),
        (nothing_taken_away, "leaves something, and not all"),
        (no_leg_left, "has a proof"),
        (another_theta, "it keeps"),
        (theta_in_other_words, "no share"),
        (less_than_stated, "it keeps"),
        (by_scale, "the certificates prove"),
        (called_admitted, "of what was proposed"),
    ],
)
def test_a_forged_repair_is_refused_at_its_record(
    change: Change, said: str, folder: Path, tmp_path: Path
) -> None:
    forger = Forger(folder)
    index = repaired(forger)
    record = forger.records[index]
    change(record, forger.records[record["proposal"]])
    forger.relink()
    with pytest.raises(VerificationError) as caught:
        verify(forger.seal(tmp_path / "forged"))
    assert said in str(caught.value)
    assert caught.value.index == index
