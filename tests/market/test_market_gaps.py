from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import HOUR, START, hourly

from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.gaps import Gap, GapPolicy, align, iso


def closing(hour: int) -> int:
    """close_time of the bar that opens ``hour`` hours after the start."""
    return START + (hour + 1) * HOUR


def at(*hours: int) -> BarColumns:
    return hourly([100 + hour for hour in hours], list(hours))


def skipped(**columns: BarColumns) -> tuple[list[int], tuple[Gap, ...]]:
    kept, gaps = align(columns, GapPolicy.SKIP, HOUR)
    times = [bars.close_times for bars in kept.values()]
    assert all(time == times[0] for time in times)
    return times[0], gaps


def test_data_without_gaps_is_left_as_it_is() -> None:
    a, b = at(0, 1, 2), at(0, 1, 2)
    for policy in GapPolicy:
        assert align({"A": a, "B": b}, policy, HOUR) == ({"A": a, "B": b}, ())


def test_a_bar_that_one_instrument_lacks_is_a_gap_and_is_dropped_from_the_others() -> None:
    kept, gaps = align({"A": at(0, 1, 2, 3), "B": at(0, 3)}, GapPolicy.SKIP, HOUR)
    assert kept == {"A": at(0, 3), "B": at(0, 3)}
    assert gaps == (Gap(closing(0), closing(3), ("B",)),)


def test_a_step_longer_than_the_longest_is_a_gap_of_all() -> None:
    assert skipped(A=at(0, 1, 4), B=at(0, 1, 4)) == (
        [closing(0), closing(1), closing(4)],
        (Gap(closing(1), closing(4), ("A", "B")),),
    )


def test_neighbouring_gaps_of_different_instruments_are_one_stretch() -> None:
    _, gaps = skipped(A=at(0, 1, 3, 4), B=at(0, 2, 3, 4), C=at(0, 1, 2, 3, 4))
    assert gaps == (Gap(closing(0), closing(3), ("A", "B")),)


def test_gaps_at_the_ends_are_reported_too() -> None:
    times, gaps = skipped(A=at(0, 1, 2, 3), B=at(1, 2))
    assert times == [closing(1), closing(2)]
    assert gaps == (
        Gap(START, closing(1), ("B",)),
        Gap(closing(2), closing(3) + 1, ("B",)),
    )


def test_refusal_names_the_first_gap_and_what_to_write() -> None:
    with pytest.raises(MarketError) as refused:
        align({"A": at(0, 2, 4), "B": at(0, 4)}, GapPolicy.REFUSE, HOUR)
    message = str(refused.value)
    assert "after 2018-01-01T01:00:00+00:00 and before 2018-01-01T05:00:00+00:00" in message
    assert 'gaps = "skip" under [market]' in message
    assert "missing there: A, B; gaps in all: 1" in message


def test_policies_are_read_as_the_run_file_writes_them() -> None:
    assert GapPolicy("refuse") is GapPolicy.REFUSE
    assert GapPolicy("skip") is GapPolicy.SKIP


@pytest.mark.parametrize("columns", [{}, {"A": at(0), "B": at(1)}, {"A": at()}])
def test_nothing_in_common_is_refused_under_any_policy(columns: dict[str, BarColumns]) -> None:
    with pytest.raises(MarketError, match="no bar in common"):
        align(columns, GapPolicy.SKIP, HOUR)


def test_bars_of_different_length_are_refused() -> None:
    late = replace(at(0, 1), open_times=[START, START + HOUR + 1], source="late")
    with pytest.raises(MarketError, match="late, bar that closes at 2018-01-01T02:00:00"):
        align({"A": at(0, 1), "B": late}, GapPolicy.SKIP, HOUR)


HOURS = st.sets(st.integers(0, 15), min_size=1).map(sorted)


@settings(deadline=None)
@given(st.lists(HOURS, min_size=1, max_size=3))
def test_skip_keeps_the_common_bars_unchanged_and_reports_every_other(
    hours: list[list[int]],
) -> None:
    columns = {f"S{number}": at(*have) for number, have in enumerate(hours)}
    common = sorted(set(hours[0]).intersection(*hours))
    if not common:
        with pytest.raises(MarketError):
            align(columns, GapPolicy.SKIP, HOUR)
        return
    kept, gaps = align(columns, GapPolicy.SKIP, HOUR)
    assert all(bars == at(*common) for bars in kept.values())
    inside = {hour for gap in gaps for hour in range(16) if gap.after < closing(hour) < gap.before}
    union = set().union(*hours)
    lost = {hour for hour in range(min(union), max(union) + 1) if hour not in common}
    assert inside == lost
    for gap in gaps:
        lacking = {
            symbol
            for symbol, bars in columns.items()
            for hour in lost
            if gap.after < closing(hour) < gap.before and closing(hour) not in bars.close_times
        }
        assert set(gap.missing) == lacking
    if gaps:
        with pytest.raises(MarketError, match="gap after"):
            align(columns, GapPolicy.REFUSE, HOUR)


def test_times_are_shown_as_people_read_them() -> None:
    assert iso(START) == "2018-01-01T00:00:00+00:00"
    assert iso(START + 1) == "2018-01-01T00:00:00.001+00:00"
