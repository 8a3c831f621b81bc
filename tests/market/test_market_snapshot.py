from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import (
    ANY_TABLE,
    HOUR,
    LONG_TABLE,
    START,
    hourly,
    instrument,
    margined_tables,
    paid,
    perpetual,
    table_of,
)

from agent_fund.market.bars import BarTable
from agent_fund.market.errors import MarketError
from agent_fund.market.snapshot import History, Snapshot


def fed(table: BarTable) -> tuple[History, list[Snapshot]]:
    """The history after every bar, and the snapshot taken at each close."""
    history = History(table.instruments)
    taken = []
    for row in table.rows():
        history.append(*row)
        taken.append(history.snapshot())
    return history, taken


def seen(snapshot: Snapshot, n: int) -> dict[str, object]:
    """All that a snapshot shows."""
    return {
        "time": snapshot.time,
        "bar": snapshot.bar,
        "prices": dict(snapshot.prices),
        "digest": snapshot.digest(),
        **{
            symbol: (
                snapshot.last_close(symbol),
                snapshot.price(symbol),
                snapshot.closes(symbol, n),
                snapshot.volumes(symbol, n),
                snapshot.mark(symbol),
                snapshot.index(symbol),
                snapshot.basis(symbol),
                snapshot.funding_rates(symbol, n),
                snapshot.frame(symbol, n).reset_index().to_dict("list"),
            )
            for symbol in snapshot.instruments
        },
    }


@settings(deadline=None)
@given(ANY_TABLE, st.integers(0, 20))
def test_a_snapshot_at_t_shows_the_bars_up_to_t_and_none_later(table: BarTable, n: int) -> None:
    history = History(table.instruments)
    for bar, row in enumerate(table.rows()):
        history.append(*row)
        snapshot = history.snapshot()
        assert snapshot.time == table.close_times[bar]
        assert snapshot.bar == bar
        for symbol in snapshot.instruments:
            first = max(0, bar + 1 - n)
            closes = table.closes[symbol]
            assert snapshot.closes(symbol, n) == table.closes[symbol][first : bar + 1]
            assert snapshot.last_close(symbol) == table.closes[symbol][bar]
            assert snapshot.prices[symbol] == table.mark_closes.get(symbol, closes)[bar]
            stamps = [
                stamp.value // 10**6 for stamp in snapshot.frame(symbol, n).index.as_unit("ns")
            ]
            assert stamps == table.close_times[first : bar + 1]


@settings(deadline=None)
@given(LONG_TABLE, st.integers(0, 20), st.data())
def test_what_follows_t_cannot_change_what_a_snapshot_at_t_shows(
    table: BarTable, n: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(table) - 1))
    _, whole = fed(table)
    _, alone = fed(table.between(None, table.close_times[cut]))
    assert seen(whole[cut - 1], n) == seen(alone[-1], n)


@settings(deadline=None)
@given(ANY_TABLE, st.integers(0, 20))
def test_a_retained_snapshot_goes_on_showing_its_own_time(table: BarTable, n: int) -> None:
    history = History(table.instruments)
    kept = []
    for row in table.rows():
        history.append(*row)
        kept.append((history.snapshot(), seen(history.snapshot(), n)))
    for snapshot, before in kept:
        assert seen(snapshot, n) == before


@settings(deadline=None)
@given(ANY_TABLE, st.data())
def test_a_snapshots_digest_is_that_of_the_table_up_to_then(
    table: BarTable, data: st.DataObject
) -> None:
    _, snapshots = fed(table)
    for bar in data.draw(st.permutations(range(len(table)))):
        until = table.between(None, table.close_times[bar] + 1)
        assert snapshots[bar].digest() == until.digest


@settings(deadline=None)
@given(margined_tables(), st.integers(0, 20))
def test_a_snapshot_shows_marks_indices_and_the_funding_paid_by_then(
    table: BarTable, n: int
) -> None:
    _, snapshots = fed(table)
    for bar, snapshot in enumerate(snapshots):
        for symbol, item in snapshot.instruments.items():
            known = [rate for rate in table.rates.get(symbol, [])[: bar + 1] if rate]
            assert snapshot.funding_rates(symbol, n) == known[max(0, len(known) - n) :]
            closes = table.closes[symbol]
            assert snapshot.mark(symbol) == table.mark_closes.get(symbol, closes)[bar]
            assert snapshot.index(symbol) == table.index_closes.get(symbol, closes)[bar]
            one = snapshot.frame(symbol, 1)
            if item.margin is None:
                assert "mark" not in one
                assert snapshot.basis(symbol) == 0
            else:
                assert one["mark"].tolist() == [snapshot.mark(symbol) / 100]


def test_what_a_perpetual_is_valued_at_is_its_mark_and_not_its_last_price() -> None:
    table = BarTable.from_columns(
        [instrument("A"), perpetual("B")],
        {"A": hourly([100, 200]), "B": hourly([100, 200])},
        marks={"B": hourly([110, 210])},
        indices={"B": hourly([100, 200])},
        fundings={"B": paid({0: 5, 1: -7})},
    )
    _, snapshots = fed(table)
    last = snapshots[1]
    assert last.prices == {"A": 200, "B": 210}
    assert (last.last_close("B"), last.mark("B"), last.index("B")) == (200, 210, 200)
    assert (last.basis("B"), last.basis("A")) == (Fraction(1, 20), 0)
    assert (last.funding_rates("B", 9), last.funding_rates("A", 9)) == ([5, -7], [])
    assert (snapshots[0].funding_rates("B", 9), last.funding_rates("B", 1)) == ([5], [-7])
    with pytest.raises(MarketError, match="-1 is refused"):
        last.funding_rates("B", -1)


def test_a_history_with_a_perpetual_needs_its_marks_rates_and_indices() -> None:
    history, one = History([perpetual("A")]), (100,)
    with pytest.raises(MarketError, match="no mark prices"):
        history.append(START, START + 1, one, one, one, one, one)
    for place in range(4):
        more = [one] * 4
        more[place] = ()
        with pytest.raises(MarketError, match="give 1 values"):
            history.append(START, START + 1, one, one, one, one, one, *more)
    assert len(history) == 0


def test_spot_is_valued_at_its_last_price_whatever_the_feed_calls_a_mark() -> None:
    history, one = History([instrument("S0")]), (100,)
    history.append(START, START + HOUR, one, (101,), one, one, (1000,), (7,), (7,), (7,), (7,))
    snapshot = history.snapshot()
    assert (snapshot.prices, snapshot.index("S0")) == ({"S0": 100}, 100)
    assert snapshot.digest() == table_of(hourly([100])).digest


def test_a_frame_is_floats_by_closing_time_in_utc() -> None:
    _, snapshots = fed(table_of(hourly([100, 250, 300])))
    frame = snapshots[-1].frame("S0", 2)
    expected = pd.DataFrame(
        {
            "open": [2.5, 3.0],
            "high": [2.51, 3.01],
            "low": [2.5, 3.0],
            "close": [2.5, 3.0],
            "volume": [0.25, 0.3],
        },
        index=pd.DatetimeIndex(
            ["2018-01-01T02:00Z", "2018-01-01T03:00Z"], name="close_time"
        ).as_unit("ms"),
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_a_price_is_the_decimal_that_people_read() -> None:
    _, snapshots = fed(table_of(hourly([100, 250])))
    assert str(snapshots[-1].price("S0")) == "2.50"
    assert snapshots[0].price("S0") == Decimal(1)


def test_nothing_is_known_before_the_first_close() -> None:
    with pytest.raises(MarketError, match="nothing is known yet"):
        History([instrument("A")]).snapshot()


def test_an_unknown_symbol_is_refused_with_the_known_ones() -> None:
    _, snapshots = fed(table_of(hourly([100]), hourly([100])))
    for ask in (
        lambda: snapshots[0].last_close("BTC"),
        lambda: snapshots[0].price("BTC"),
        lambda: snapshots[0].closes("BTC", 3),
        lambda: snapshots[0].frame("BTC", 3),
        lambda: snapshots[0].mark("BTC"),
        lambda: snapshots[0].index("BTC"),
        lambda: snapshots[0].basis("BTC"),
        lambda: snapshots[0].funding_rates("BTC", 3),
    ):
        with pytest.raises(MarketError, match="'BTC' is refused; the snapshot has: S0, S1"):
            ask()


def test_a_negative_number_of_bars_is_refused() -> None:
    _, snapshots = fed(table_of(hourly([100])))
    with pytest.raises(MarketError, match="-1 is refused"):
        snapshots[0].closes("S0", -1)


def test_time_does_not_go_back() -> None:
    history, _ = fed(table_of(hourly([100, 101])))
    end = START + 2 * HOUR
    one = (100,)
    for open_time, close_time in ((end - 1, end + HOUR), (end + 1, end + 1), (START, START + HOUR)):
        with pytest.raises(MarketError, match="bar 2 of the history"):
            history.append(open_time, close_time, one, one, one, one, one)
    assert len(history) == 2


@pytest.mark.parametrize("place", range(5))
def test_a_row_needs_one_value_for_each_instrument(place: int) -> None:
    values = [(100,)] * 5
    values[place] = ()
    history = History([instrument("A")])
    with pytest.raises(MarketError, match="give 1 values"):
        history.append(START, START + 1, *values)
    assert len(history) == 0


@pytest.mark.parametrize("symbols", [[], ["A", "A"]])
def test_a_history_needs_each_instrument_once(symbols: list[str]) -> None:
    with pytest.raises(MarketError, match="each once"):
        History([instrument(symbol) for symbol in symbols])


def test_the_instruments_of_a_snapshot_cannot_be_changed() -> None:
    _, snapshots = fed(table_of(hourly([100])))
    with pytest.raises(TypeError):
        snapshots[0].instruments["B"] = instrument("B")  # type: ignore[index]
    snapshots[0].prices["S0"] = 1  # type: ignore[index]
    assert snapshots[0].prices["S0"] == 100
