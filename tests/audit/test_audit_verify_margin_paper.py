"""Logs of funds on real margin accounts: a true one verifies, and what is forged is found.

The run is a carry fund's at the loopback exchange: funding at several bars, two trades by which the
venue closed parts of its short, one bar with both. What a venue said is its word; whatever follows
from it is recomputed, and a word that cannot be true is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_forger import Forger
from audit_runs import Runs

sys.path.append(str(Path(__file__).parents[1] / "paper"))

from accounts_world import Accounts, accounts, slow
from carry_world import carry

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import verify

Forge = Callable[[Forger], int]
FORGERIES: list[tuple[str, Forge]] = []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run: short from bar 4 on, funded at 3, 6 and 8, deleveraged at 7 and twice at 8."""
    workspace = tmp_path_factory.mktemp("carry")
    runfile = carry(workspace, 12, slow)
    with accounts(workspace) as world:
        for bar in (3, 6, 8):
            world.in_bar(bar, world.fund)
        world.in_bar(8, closings(world), 0.3)
        made = world.run(runfile).folder
    assert not world.alarms
    return made


def closings(world: Accounts) -> Callable[[], None]:
    """Two trades of the venue's at once."""

    def closed() -> None:
        world.deleverage("20")
        world.deleverage("4.5")

    return closed


def forged(said: str) -> Callable[[Forge], Forge]:
    """Adds the forgery; a verifier names the record that it returns, and says ``said``."""

    def add(forge: Forge) -> Forge:
        FORGERIES.append((said, forge))
        return forge

    return add


def edit(kind: str, said: str, name: str, **values: str) -> None:
    """A forgery that writes ``values`` into the first record of a kind."""

    def forge(forger: Forger) -> int:
        index = forger.find(kind)
        assert all(forger.records[index][key] != value for key, value in values.items())
        forger.records[index].update(values)
        return index

    forge.__name__ = name
    FORGERIES.append((said, forge))


def first(forger: Forger, kind: str) -> tuple[int, dict[str, Any]]:
    index = forger.find(kind)
    return index, forger.records[index]


def steady(forger: Forger) -> tuple[int, dict[str, Any]]:
    """The payment on a position that no fill of its bar has changed: its rate is exact."""
    index = forger.find("funding", 1)
    assert forger.records[index]["rate"] == "100000000"
    return index, forger.records[index]


# -- funding ----------------------------------------------------------------------------------

edit("funding", "the amount makes", "amount", amount="1")
edit("funding", "the amount makes", "rate", rate="1")
edit("funding", "is held", "quantity", quantity="-1")
edit("funding", "is held", "of_spot", instrument="ETH")
edit("funding", "malformed", "of_nothing", instrument="TULIP")
edit("funding", "decimal string", "a_fraction", amount="1.5")


@forged("once, before the fills")
def funding_twice_in_a_bar(forger: Forger) -> int:
    index, record = first(forger, "funding")
    forger.insert(index, record)
    return index + 1


@forged("once, before the fills")
def funding_of_another_bar(forger: Forger) -> int:
    index, record = first(forger, "funding")
    record["bar"] += 1
    return index


@forged("the rate makes")
def funding_of_nothing_at_all(forger: Forger) -> int:
    index, record = first(forger, "funding")
    record["amount"] = record["rate"] = "0"
    return index


@forged("NAV at the open")
def another_amount_with_its_rate(forger: Forger) -> int:
    index, record = steady(forger)
    amount, rate = int(record["amount"]), int(record["rate"])
    record["amount"], record["rate"] = str(3 * amount), str(3 * rate)
    return forger.after(index, "mark")


@forged("NAV at the open")
def a_payment_that_was_received_is_paid(forger: Forger) -> int:
    index, record = first(forger, "funding")
    record["amount"], record["rate"] = f"-{record['amount']}", f"-{record['rate']}"
    return forger.after(index, "mark")


@forged("is another")
def another_mark_with_its_rate(forger: Forger) -> int:
    index, record = steady(forger)
    record["mark"], record["rate"] = str(2 * int(record["mark"])), str(int(record["rate"]) // 2)
    return forger.after(index, "mark")


@forged("NAV at the open")
def funding_left_out(forger: Forger) -> int:
    index, _ = first(forger, "funding")
    forger.drop(index)
    return forger.after(index - 1, "mark")


# -- trades of the venue's --------------------------------------------------------------------

edit("forced", "is held", "larger_than_held", quantity="-50000000")
edit("forced", "is held", "of_the_other_side", quantity="20000")
edit("forced", "is held", "of_no_quantity", quantity="0")
edit("forced", "is held", "with_a_rebate", fee="-1")
edit("forced", "prices are positive", "at_no_price", price="0")
edit("forced", "prices are positive", "at_a_negative_price", price="-200100000000")
edit("forced", "margined positions", "in_spot", instrument="ETH")
edit("forced", "each trade once", "without_an_id", exec="")
edit("forced", "before the fills", "at_another_time", when="close")


@forged("each trade once")
def one_trade_twice(forger: Forger) -> int:
    index, record = first(forger, "forced")
    forger.insert(index, record)
    return index + 1


@forged("each trade once")
def one_trade_again_in_a_later_bar(forger: Forger) -> int:
    index, record = first(forger, "forced")
    later = forger.after(forger.after(index, "mark"), "mark")
    bar = forger.records[later]["rows"][0][0]
    forger.insert(later, {**record, "bar": bar, "when": "open", "quantity": "-1"})
    return later


@forged("is held")
def two_trades_that_are_more_than_held_together(forger: Forger) -> int:
    index, record = first(forger, "forced")
    record["quantity"] = "-49000"
    return index + 1


@forged("a venue closes")
def a_trade_of_another_bar(forger: Forger) -> int:
    index, record = first(forger, "forced")
    record["bar"] -= 1
    return index


@forged("NAV at the open")
def a_trade_left_out(forger: Forger) -> int:
    index, _ = first(forger, "forced")
    forger.drop(index)
    return forger.after(index - 1, "mark")


@forged("book of the guard")
def a_trade_of_less(forger: Forger) -> int:
    index, record = first(forger, "forced")
    record["quantity"] = "-19000"  # at the mark, NAV is the same
    return forger.after(index, "kill")


@forged("NAV at the open")
def a_trade_with_another_fee(forger: Forger) -> int:
    index, record = first(forger, "forced")
    record["fee"] = "1"
    return forger.after(index, "mark")


@forged("NAV at the open")
def a_trade_at_a_better_price(forger: Forger) -> int:
    index, record = first(forger, "forced")
    record["price"] = str(int(record["price"]) - 10**8)
    return forger.after(index, "mark")


@forged("before the fills")
def funding_behind_a_trade_of_the_venues(forger: Forger) -> int:
    index, _ = first(forger, "forced")
    paid = next(i for i in range(index - 1, -1, -1) if forger.records[i]["kind"] == "funding")
    assert forger.records[paid]["bar"] == forger.records[index]["bar"]
    record = forger.records.pop(paid)
    forger.records.insert(index, record)
    return index


@forged("real venues tell trades")
def a_liquidation_by_the_rule(forger: Forger) -> int:
    index, record = first(forger, "forced")
    forger.records[index] = {
        "kind": "liquidation",
        "bar": record["bar"],
        "when": "open",
        "instrument": record["instrument"],
        "quantity": record["quantity"],
        "mark": record["price"],
        "fee": record["fee"],
        "cover": "0",
    }
    return index


@forged("a kill must")
def a_breach_that_has_no_consequence(forger: Forger) -> int:
    index, _ = first(forger, "forced")
    kill = forger.after(index, "kill")
    forger.stand_still(kill, 1)
    return kill


@forged("the log makes")
def a_breach_that_the_end_does_not_tell(forger: Forger) -> int:
    index, record = first(forger, "close")
    assert record["breaches"]
    record["breaches"] = []
    return index


# -- all of them ------------------------------------------------------------------------------


def test_a_true_log_verifies_and_so_does_its_copy(folder: Path, tmp_path: Path) -> None:
    forger = Forger(folder)
    kinds = [record["kind"] for record in forger.records]
    assert kinds.count("funding") == 3
    assert kinds.count("forced") == 2
    assert verify(forger.seal(tmp_path / "copy")).root == verify(folder).root


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery[1].__name__)
def test_a_forged_paper_log_is_refused_at_the_record(
    forgery: tuple[str, Forge], folder: Path, tmp_path: Path
) -> None:
    said, forge = forgery
    forger = Forger(folder)
    index = forge(forger)
    with pytest.raises(VerificationError) as caught:
        verify(forger.seal(tmp_path / "forged"))
    assert said in str(caught.value)
    assert caught.value.index == index


def test_a_backtest_has_no_trades_that_a_venue_told(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("liquidated"))
    index, record = first(forger, "liquidation")
    forger.records[index] = {
        "kind": "forced",
        "bar": record["bar"],
        "when": record["when"],
        "exec": "x",
        "instrument": record["instrument"],
        "quantity": record["quantity"],
        "price": record["mark"],
        "fee": record["fee"],
    }
    with pytest.raises(VerificationError, match="a venue closes margined positions") as caught:
        verify(forger.seal(tmp_path / "forged"))
    assert caught.value.index == index


def test_the_summary_counts_what_the_log_tells(folder: Path) -> None:
    told = json.loads((folder / "summary.json").read_text("utf-8"))["perpetuals"]
    paid = [int(r["amount"]) for r in Forger(folder).records if r["kind"] == "funding"]
    assert float(told["funding_received"]) == pytest.approx(sum(paid) / 10**12)
    assert told["liquidations"] == 2
