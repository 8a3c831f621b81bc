"""What a venue reports is taken over only where it fits what is known of the leg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Execution, Prepared, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_state import LegState as S
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile

ENDED = (S.SETTLED, S.REFUNDED, S.CANCELED, S.REJECTED)
TRADE = Execution("x1", 30, 100_00, 5, True)


class Legs:
    """A store with one leg of one venue, called ``leg``."""

    def __init__(self, path: Path | str) -> None:
        self.file = LiveFile(Path(path))
        self.alarms = Alarms(self.file, lambda: 0)
        self.store = LegStore(self.file, self.alarms, lambda: 0)
        self.store.open_leg("leg", "here", {"kind": "order"}, 1_000)

    def take(self, state: S, *trades: Execution) -> S:
        return self.store.take("here", Report("leg", state, trades))

    @property
    def alarmed(self) -> list[str]:
        return [alarm.text for alarm in self.alarms.all()]


@pytest.fixture
def legs(tmp_path: Path) -> Iterator[Legs]:
    made = Legs(tmp_path / "live.sqlite")
    yield made
    made.file.close()


@pytest.mark.parametrize("ended", ENDED)
@pytest.mark.parametrize("said", [state for state in S if state not in (S.PENDING, S.UNKNOWN)])
def test_an_ended_leg_stays_as_it_ended_and_a_report_of_anything_else_is_an_alarm(
    legs: Legs, ended: S, said: S
) -> None:
    if ended is S.REFUNDED:
        legs.take(S.ORIGIN_CONFIRMED)
    assert legs.take(ended) is ended
    assert legs.take(said) is ended
    assert legs.store.leg("leg").state is ended
    assert legs.alarmed == (
        [] if said is ended else [f"reported as {said.value} after {ended.value}"]
    )


def test_a_step_that_no_leg_can_make_is_a_doubt_with_an_alarm(legs: Legs) -> None:
    legs.take(S.REFUND_PENDING)
    assert legs.take(S.SUBMITTED) is S.UNKNOWN
    assert legs.alarmed == ["reported as submitted after refund_pending"]


@pytest.mark.parametrize("change", [{"quantity": 40}, {"price": 101_00}, {"fee": 6}])
def test_a_final_trade_that_reads_otherwise_later_is_a_doubt_and_stays_as_it_was(
    legs: Legs, change: dict[str, int]
) -> None:
    legs.take(S.FILLED, TRADE)
    assert legs.take(S.FILLED, replace(TRADE, **change)) is S.UNKNOWN
    assert legs.store.executions("leg") == [TRADE]
    assert legs.alarmed == ["trade x1 reads otherwise than before"]


def test_a_final_trade_that_is_no_longer_reported_is_a_doubt_and_stays(legs: Legs) -> None:
    legs.take(S.FILLED, TRADE)
    assert legs.take(S.SUBMITTED) is S.UNKNOWN
    assert legs.store.executions("leg") == [TRADE]
    assert legs.alarmed == ["the final trade x1 is no longer reported"]


def test_a_trade_after_the_end_is_an_alarm_and_is_not_taken_over(legs: Legs) -> None:
    legs.take(S.CANCELED)
    assert legs.take(S.CANCELED, TRADE) is S.CANCELED
    assert legs.store.executions("leg") == []
    assert legs.alarmed == ["trade x1 is reported after the leg ended as canceled"]


def test_an_end_with_a_trade_that_is_not_final_is_no_end(legs: Legs) -> None:
    assert legs.take(S.SETTLED, replace(TRADE, final=False)) is S.UNKNOWN
    assert legs.alarmed == ["ended as settled, with a trade that is not final"]
    assert legs.take(S.SETTLED, TRADE) is S.SETTLED


def test_a_trade_of_another_leg_is_a_doubt(legs: Legs) -> None:
    legs.take(S.FILLED, TRADE)
    legs.store.open_leg("other", "here", {"kind": "order"}, 1_000)
    assert legs.store.take("here", Report("other", S.FILLED, (TRADE,))) is S.UNKNOWN
    assert legs.store.executions("other") == []
    assert legs.alarmed == ["trade x1 reads otherwise than before"]


def test_a_provisional_trade_that_a_reorganisation_took_back_is_forgotten(legs: Legs) -> None:
    legs.take(S.FILLED, replace(TRADE, final=False))
    assert legs.take(S.SUBMITTED) is S.SUBMITTED
    assert legs.store.executions("leg") == []
    moved = replace(TRADE, price=99_00)
    assert legs.take(S.FILLED, moved) is S.FILLED
    assert legs.store.executions("leg") == [moved]
    assert not legs.alarmed


def test_no_id_is_used_twice_and_the_history_keeps_every_state(legs: Legs) -> None:
    with pytest.raises(ExecutionError, match="its intent is written"):
        legs.store.open_leg("leg", "here", {}, 1)
    legs.store.keep(Prepared("leg", "0xabc", b"bytes", 900, {}))
    legs.take(S.SUBMITTED)
    legs.take(S.UNKNOWN)
    legs.take(S.SETTLED, TRADE)
    assert [state for state, _ in legs.store.history("leg")] == [
        S.PENDING,
        S.PENDING,
        S.SUBMITTED,
        S.UNKNOWN,
        S.SETTLED,
    ]


TRADES = st.builds(
    Execution,
    st.sampled_from(["x1", "x2"]),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 1),
    st.booleans(),
)
REPORTS = st.lists(
    st.tuples(
        st.sampled_from(list(S)), st.lists(TRADES, max_size=2, unique_by=lambda t: t.exec_id)
    ),
    max_size=12,
)


@settings(deadline=None)
@given(REPORTS)
def test_whatever_is_reported_what_is_final_stays_and_only_with_an_alarm_is_it_gainsaid(
    reports: list[tuple[S, list[Execution]]],
) -> None:
    legs = Legs(":memory:")
    try:
        final: dict[str, Execution] = {}
        end = None
        for state, trades in reports:
            legs.take(state, *trades)
            known = {trade.exec_id: trade for trade in legs.store.executions("leg")}
            assert final.items() <= known.items()
            if end is not None:
                assert (legs.store.leg("leg").state, known) == end
            elif any(t.exec_id in final and final[t.exec_id] != t for t in trades):
                assert legs.alarmed
            final = {name: trade for name, trade in known.items() if trade.final}
            if end is None and legs.store.leg("leg").state.ended:
                end = (legs.store.leg("leg").state, known)
    finally:
        legs.file.close()
