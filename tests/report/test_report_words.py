"""The headline says what happened, names what failed, and never more than was proved."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
from report_world import Tags, quiet, with_summary, without_twin

from agent_fund.fund.monitor import Failure
from agent_fund.report import tables, words
from agent_fund.report.assumptions import assumptions
from agent_fund.report.numbers import percent_up
from agent_fund.report.page import page
from agent_fund.report.run import Run
from agent_fund.report.tiles import tiles

MOVE = "SP500 moved -20.00%, declared -6.00% to +6.00%"


def broken(run: Run, *failures: Failure) -> Run:
    """The run with a breach at the open of bar 60, at 91 % of the mark."""
    other = quiet(run)
    other.monitor.failures.extend(failures)
    other.monitor.broken(60, "open", 91 * 10**12, 10**14, 50)
    return with_summary(other, guarantee="assumption failed" if failures else "defect")


def test_held_says_so_with_limit_and_deepest_drawdown(run: Run) -> None:
    verdict = words.verdict(quiet(run))
    assert verdict.state == "held"
    assert verdict.title == "The drawdown promise was kept."
    assert "7.5\N{NO-BREAK SPACE}%" in verdict.sentences[0]
    assert "deepest drawdown" in verdict.sentences[0]


def test_held_with_a_failed_assumption_says_that_the_proof_did_not_apply(run: Run) -> None:
    other = quiet(run)
    other.monitor.failures.append(Failure("A1", 60, MOVE))
    verdict = words.verdict(other)
    assert verdict.state == "strained"
    assert verdict.title == "The drawdown promise was kept, though assumption A1 failed."
    assert "the proof did not apply" in verdict.sentences[1]


def test_broken_names_the_assumption_the_bar_and_both_moves(run: Run) -> None:
    verdict = words.verdict(broken(run, Failure("A1", 60, MOVE), Failure("A2", 60, "0 of 5")))
    assert verdict.state == "assumption"
    assert verdict.title.endswith("assumptions A1 and A2 failed.")
    assert "9.00\N{NO-BREAK SPACE}%" in verdict.sentences[0]
    assert "at the open" in verdict.sentences[0]
    assert MOVE in verdict.sentences[1]
    assert "Bar 60" in verdict.sentences[1]


def test_broken_with_every_assumption_intact_is_our_defect(run: Run) -> None:
    verdict = words.verdict(broken(run))
    assert verdict.state == "defect"
    assert "our defect" in verdict.title


def test_a_failure_before_the_decision_in_force_excuses_nothing(run: Run) -> None:
    other = quiet(run)
    other.monitor.failures.append(Failure("A1", 40, MOVE))
    other.monitor.broken(60, "close", 91 * 10**12, 10**14, 50)
    assert not other.monitor.breaches[0].failures
    assert words.verdict(with_summary(other, guarantee="defect")).state == "defect"


def test_unguarded_run_that_broke_the_limit_is_told_with_its_day(run: Run) -> None:
    assert run.unguarded_drawdown.min() < -run.limit
    first = run.unguarded_beyond.idxmax()
    told = " ".join(words.verdict(run).sentences)
    assert f"it broke the limit on {first.day}\N{NO-BREAK SPACE}{first.month_name()}" in told
    assert "nguarded" not in " ".join(words.verdict(without_twin(run)).sentences)


def test_price_has_the_sign_of_the_difference(run: Run) -> None:
    for factor, word in ((0.5, "higher"), (2.0, "lower")):
        frame = run.frame.copy()
        frame["unguarded_nav"] = frame["nav"] * factor
        told = words.price(Run(run.parts, run.summary, frame, run.records, run.monitor))
        assert word in told


def test_promise_is_always_called_conditional_and_never_unlosable(run: Run) -> None:
    for other in (quiet(run), run, broken(run)):
        text = " ".join("".join(Tags(page(other)).text).split())
        assert "The promise is conditional." in text
        assert "cannot lose" not in text.lower()
        assert "guaranteed" not in text.lower()


def test_stale_opens_are_told_above_one_percent_only(run: Run) -> None:
    stale = {"SP500": "0.398330", "NASDAQ": "0.010000"}
    told = words.cautions(with_summary(run, stale_opens=stale))
    assert len(told) == 1
    assert told[0].startswith("39.8\N{NO-BREAK SPACE}% of SP500 opens equal the previous close")
    assert "NASDAQ" not in told[0]
    assert words.cautions(with_summary(run, stale_opens={"SP500": "0.002"})) == []


def test_what_bars_cannot_show_is_never_called_held(run: Run) -> None:
    for other in (quiet(run), run):
        state = {a.code: a.state for a in assumptions(other)}
        assert list(state) == ["A1", "A2", "A3", "A4", "A5", "A6", "A7"]
        assert {state[code] for code in ("A4", "A6", "A7")} == {"unseen"}


def test_assumptions_about_a_way_out_are_untested_without_one(run: Run) -> None:
    calm = with_summary(quiet(run), acts={"look": 3})
    state = {a.code: a.state for a in assumptions(calm)}
    assert state["A2"] == state["A5"] == "untested"
    assert state["A1"] == state["A3"] == "held"


def test_failed_assumption_is_counted_in_bars(run: Run) -> None:
    other = quiet(run)
    other.monitor.failures.extend([Failure("A2", 60, "a"), Failure("A2", 60, "b")])
    found = next(a for a in assumptions(other) if a.code == "A2")
    assert found.state == "failed"
    assert "failed in 1\N{NO-BREAK SPACE}bar" in found.seen


def test_refusals_tell_both_sides_words(run: Run) -> None:
    table = tables.refusals(run)
    assert table.rows
    for _, outcome, asked, said, why in table.rows:
        assert outcome.startswith(("refused", "cut to"))
        assert asked.startswith("buy ")
        assert said.startswith("risk-on")
        assert "is broken" in why


def test_abstentions_are_told_once_with_how_often(run: Run) -> None:
    times = sum(int(row[1].replace(",", "")) for row in tables.missed(run).rows)
    assert times == run.summary["decisions"]["abstained"] > 0


def test_the_page_shows_the_drawdown_of_the_summary(run: Run) -> None:
    told = percent_up(run.summary["fund"]["max_drawdown"])
    assert told in words.verdict(quiet(run)).sentences[0]
    figures = {tile.label: tile.figure for tile in tiles(run)}
    assert figures["Deepest drawdown"] == told
    rows = {row[0]: row for row in tables.performance(run).rows}
    twin = percent_up(run.summary["unguarded"]["max_drawdown"])
    assert rows["Deepest drawdown"][1:] == (told, twin)
    assert figures["Unguarded drawdown"] == twin


def test_bars_of_hours_are_told_with_their_time_of_day(run: Run) -> None:
    daily = tables.refusals(run)
    assert daily.header[0] == "Day"
    assert all(len(row[0]) == len("2008-07-01") for row in daily.rows)
    frame = run.frame.copy()
    frame.index = pd.date_range("2008-07-01 01:00", periods=len(frame), freq="h", tz="UTC")
    hourly = dataclasses.replace(run, frame=frame)
    table = tables.refusals(hourly)
    assert table.header[0] == "Time, UTC"
    assert len({row[0][11:] for row in table.rows}) > 1
    assert all(re.fullmatch(r"2008-07-\d\d \d\d:00", row[0]) for row in table.rows)
    assert " UTC to " in words.verdict(quiet(hourly)).sentences[0]
    frame.index = pd.date_range("2008-07-01 01:00", periods=len(frame), freq="7s", tz="UTC")
    seconds = tables.refusals(dataclasses.replace(run, frame=frame))
    assert all(re.fullmatch(r"2008-07-01 \d\d:\d\d:\d\d", row[0]) for row in seconds.rows)


def test_held_bars_are_those_between_a_hold_and_its_resume(run: Run) -> None:
    frame = run.frame.copy()
    frame["mode"] = "active"
    acts = [("hold", 3), ("resume", 5), ("hold", len(frame) - 3)]
    extra = [
        {"kind": "guard", "act": act, "bar": bar, "why": {"text": "ann: x"}} for act, bar in acts
    ]
    held = dataclasses.replace(run, frame=frame, records=[*run.records, *extra])
    assert list(np.flatnonzero(held.modes == "held")) == [4, 5, len(frame) - 2, len(frame) - 1]
    table = tables.modes(held)
    assert table.rows == (("active", str(len(frame) - 4)), ("held", "4"))
    assert "the agent did not trade" in table.note
    assert tables.modes(dataclasses.replace(run, frame=frame)).note == ""
