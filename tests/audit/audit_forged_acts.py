"""Forgeries of what operators did: who might do it, when, and what follows from it."""

from __future__ import annotations

import copy

from audit_forger import Forger
from audit_forgeries import edits, forgery

# -- hold and resume --------------------------------------------------------------------------


@forgery("trend", "nobody operates a backtest")
def a_hold_in_a_backtest(forger: Forger) -> int:
    look = forger.find("look", 3)
    record = _act(forger, look, "hold")
    forger.insert(look + 1, record)
    return look + 1


@forgery("operated", "the fund is held already")
def a_hold_of_a_held_fund(forger: Forger) -> int:
    index = forger.find("hold")
    forger.insert(index, forger.records[index])
    return index + 1


@forgery("operated", "nothing to resume from")
def a_resume_of_a_fund_that_nobody_held(forger: Forger) -> int:
    index = forger.find("resume")
    forger.insert(index, forger.records[index])
    return index + 1


# -- settle -----------------------------------------------------------------------------------


@forgery("trend", "nobody operates a backtest")
def a_settle_in_a_backtest(forger: Forger) -> int:
    look = forger.find("look", 3)
    record = _act(forger, look, "settle") | {"order": "x"}
    forger.insert(look + 1, record)
    return look + 1


@forgery("operated", "in doubt")
def a_settle_of_an_order_that_nobody_doubted(forger: Forger) -> int:
    forger.drop(forger.find("status", status="unknown"))
    return forger.find("settle")


@forgery("operated", "asked again at the next open")
def a_settle_of_a_doubt_of_the_same_bar(forger: Forger) -> int:
    doubt = forger.find("status", status="unknown")
    record = forger.records[doubt]
    forger.drop(doubt)
    index = forger.find("settle")
    forger.insert(index, {**record, "bar": forger.records[index]["bar"]})
    return index + 1


@forgery("operated", "in doubt")
def a_settle_of_an_order_of_nobody(forger: Forger) -> int:
    index = forger.find("settle")
    forger.records[index]["order"] = "a" * 32
    return index


@forgery("operated", "the fund was not halted first")
def a_settle_without_a_hold(forger: Forger) -> int:
    forger.drop(forger.find("hold"))
    return forger.find("settle")


@forgery("operated", "it ends first")
def a_settle_that_ends_nothing(forger: Forger) -> int:
    index = forger.find("status", status="canceled")
    forger.drop(index)
    return index


@forgery("operated", "it is canceled")
def a_settled_order_that_expires(forger: Forger) -> int:
    index = forger.find("status", status="canceled")
    forger.records[index]["status"] = "expired"
    return index


@forgery("operated", "no form of kind")
def a_settle_by_nobody(forger: Forger) -> int:
    index = forger.find("settle")
    del forger.records[index]["why"]
    return index


@forgery("ordered", "its last bar is")
def a_doubt_in_a_backtest(forger: Forger) -> int:
    index = forger.find("order")
    order = forger.records[index]
    while forger.records[index]["kind"] == "order":
        index += 1
    bar = forger.records[order["guard"]]["bar"]
    forger.insert(index, {"kind": "status", "bar": bar, "order": order["id"], "status": "unknown"})
    return index


@forgery("operated", "of this order it could be")
def a_doubt_twice(forger: Forger) -> int:
    index = forger.find("status", status="unknown")
    forger.insert(index, forger.records[index])
    return index + 1


@forgery("operated", "of this order it could be new")
def a_doubt_that_ends_in_a_part_that_never_filled(forger: Forger) -> int:
    index = forger.find("status", status="unknown")
    forger.insert(index + 1, {**forger.records[index], "status": "partially_filled"})
    return index + 1


# -- adjust -----------------------------------------------------------------------------------


@forgery("trend", "nobody operates a backtest")
def an_adjustment_in_a_backtest(forger: Forger) -> int:
    look = forger.find("look", 3)
    about = {"place": "simulated", "units": {"USD": "5"}, "value": "5"}
    forger.insert(look + 1, _act(forger, look, "adjust") | about)
    return look + 1


@forgery("operated", "the fund was not halted first")
def an_adjustment_of_a_fund_that_goes_on(forger: Forger) -> int:
    index = forger.find("resume") + 1
    record = _act(forger, index - 1, "adjust")
    about = {"place": "simulated", "units": {"USD": "5"}, "value": "5"}
    forger.insert(index, record | about)
    return index


@forgery("operated", "wait until it has ended")
def an_adjustment_beside_an_open_order(forger: Forger) -> int:
    index = forger.find("settle", 1)
    about = {"place": "simulated", "units": {"USD": "5"}, "value": "5"}
    forger.insert(index, _act(forger, index, "adjust") | about)
    return index


@forgery("operated", "at these prices it makes")
def an_adjustment_that_says_it_lost_less(forger: Forger) -> int:
    index = forger.find("adjust")
    forger.records[index]["value"] = "-1"
    return index


@forgery("operated", "at these prices it makes")
def an_adjustment_of_another_amount(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index]["units"] = {"USD": "-99900000000"}
    return index


@forgery("operated", "the book makes")
def an_adjustment_smaller_than_the_books_say(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index] |= {"units": {"USD": "-99900000000"}, "value": "-99900000000"}
    return forger.after(index, "mark")


@forgery("operated", "the book makes")
def an_adjustment_left_out(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.drop(index)
    return forger.after(index - 1, "mark")


@forgery("operated", "state what is more or less there")
def an_adjustment_of_nothing(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index] |= {"units": {"USD": "0"}, "value": "0"}
    return index


@forgery("operated", "the books have")
def an_adjustment_to_less_than_nothing(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index] |= {"units": {"SP500": "-10200"}, "value": "-15000000000000"}
    return index


@forgery("operated", "the fund has there")
def an_adjustment_of_a_strange_asset(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index]["units"] = {"EUR": "-100000000000"}
    return index


@forgery("operated", "write a decimal string")
def an_adjustment_of_a_number_written_otherwise(forger: Forger) -> int:
    index = forger.find("adjust", 1)
    forger.records[index]["units"] = {"USD": "-0100000000000"}
    return index


@forgery("operated", "mark of the guard")
def a_gain_that_makes_up_the_drawdown(forger: Forger) -> int:
    gain = forger.find("adjust", 2)
    look = forger.after(gain, "look")
    record, nav = forger.records[look], int(forger.records[gain]["nav"])
    assert int(record["mark"]) > max(int(forger.records[gain]["mark"]), nav + 3000 * 10**8)
    record["mark"] = forger.records[gain]["mark"]
    return look


edits(
    "operated",
    "adjust",
    "the fund's places are",
    "an_adjustment_at_a_strange_place",
    nth=1,
    place="elsewhere",
)


def _act(forger: Forger, index: int, act: str) -> dict:
    """A record of that act, in the situation of the guard's record at ``index``."""
    record = copy.deepcopy(forger.records[index])
    names = ("kind", "bar", "mandate", "book", "prices", "nav", "mark", "capacity")
    kept = {name: record[name] for name in names}
    return kept | {"act": act, "why": {"text": "nobody: nothing"}}
