"""Margin accounts through ccxt: marks, rates, funding, and what the exchange closes by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from exchange_world import (
    FAR,
    HYPER,
    HYPER_ETH,
    IN_QUOTE,
    OWNER,
    PERPETUAL,
    PERPETUAL_ETH,
    USD,
    Keys,
    Signer,
    World,
    order,
    world,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.devnet.exchange import hyperliquid_rest
from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.margin_market import MarginMarket
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange import binance_futures as futures_module
from agent_fund.execution.exchange import hyperliquid as hyperliquid_module
from agent_fund.execution.exchange.connect import binance_futures, hyperliquid
from agent_fund.execution.exchange.hyperliquid_rows import trade_of
from agent_fund.execution.exchange.margin_adapter import MarginExchangeAdapter
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.margin import MarginAdapter

HOUR = 3_600
STRANGER = "0x" + "22" * 20


class Place(NamedTuple):
    """One of the two exchanges, and what is asked of it where."""

    name: str
    btc: Instrument
    eth: Instrument
    btc_market: str
    eth_market: str
    asked: dict[str, tuple[str, str]]

    async def opened(self, w: World, **changes: Any) -> MarginExchangeAdapter:
        return await (w.futures if self is BINANCE else w.hyper)(**changes)

    def market(self, w: World) -> MarginMarket:
        return w.exchange.futures_market if self is BINANCE else w.exchange.hyperliquid_market


INFO = ("POST", "/info")
BINANCE = Place(
    "futures",
    PERPETUAL,
    PERPETUAL_ETH,
    "BTCUSDT",
    "ETHUSDT",
    {
        "marks": ("GET", "/premiumIndex"),
        "rates": ("GET", "/fundingRate"),
        "funding": ("GET", "/income"),
        "forced": ("GET", "/userTrades"),
    },
)
HYPERLIQUID = Place(
    "hyperliquid",
    HYPER,
    HYPER_ETH,
    "BTC",
    "ETH",
    {"marks": INFO, "rates": INFO, "funding": INFO, "forced": INFO},
)
both = pytest.mark.parametrize("place", [BINANCE, HYPERLIQUID], ids=lambda place: place.name)


async def trade(
    adapter: MarginExchangeAdapter, instrument: Instrument, quantity: str, name: str = "a"
) -> str:
    """Trade a signed quantity at whatever price; the client id."""
    side = Side.SELL if quantity.startswith("-") else Side.BUY
    limit = "100000" if side is Side.BUY else "100"
    made = order(side, quantity.lstrip("-"), limit, name, instrument)
    prepared = await adapter.prepare(made, FAR)
    report = await adapter.submit(prepared)
    assert report.state is LegState.SETTLED, report
    return prepared.reference


@both
def test_mark_and_index_are_two_and_are_rounded_to_the_nearest_price_unit(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter: MarginAdapter = await place.opened(w)
            w.exchange.set_price("BTCUSDT", Decimal("60000.05"), Decimal("60011.26"))
            w.exchange.set_price("ETHUSDT", Decimal("3000.125"), Decimal("2999.995"))
            told = await adapter.marks([place.btc, place.eth])
            assert (told[place.btc.symbol].mark, told[place.btc.symbol].index) == (600_113, 600_000)
            assert (told[place.eth.symbol].mark, told[place.eth.symbol].index) == (300_000, 300_012)
            assert set(await adapter.marks([place.eth])) == {place.eth.symbol}
            # The book is the perpetual's own.
            prices = await adapter.prices([place.btc])
            assert abs(prices[place.btc.symbol] - 600_113) < 20

    asyncio.run(run())


@both
def test_a_mark_that_is_not_told_is_absent(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            del place.market(w).indexes[place.btc_market]
            assert set(await adapter.marks([place.btc, place.eth])) == {place.eth.symbol}
            w.exchange.faults.arm(Fault.UNAVAILABLE, *place.asked["marks"])
            assert await adapter.marks([place.btc, place.eth]) == {}

    asyncio.run(run())


@both
def test_rates_are_those_after_the_start_of_the_window_up_to_its_end(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            times = []
            for rate in ("0.0001", "-0.00003", "0.000012345678"):
                times.append(w.clock.ms)
                w.exchange.fund("BTCUSDT", Decimal(rate))
                w.clock.pass_by(8 * HOUR)
            first, second, third = times

            async def told(since: int, until: int) -> int:
                rates = await adapter.funding_rates([place.btc, place.eth], since, until)
                assert rates[place.eth.symbol] == 0
                return rates[place.btc.symbol]

            assert await told(first - 1, first) == 100_000_000
            assert await told(first, second) == -30_000_000
            assert await told(first - 1, second - 1) == 100_000_000
            assert await told(second, third) == 12_345_678
            assert await told(0, w.clock.ms) == 82_345_678
            assert await told(third, w.clock.ms) == 0
            before = len(w.exchange.seen)
            assert await told(second, second) == 0
            assert len(w.exchange.seen) == before  # an empty window is not asked for
            w.exchange.faults.arm(Fault.UNAVAILABLE, *place.asked["rates"])
            with pytest.raises(ExecutionError, match="funding rates"):
                await told(0, w.clock.ms)

    asyncio.run(run())


@both
def test_a_rate_that_is_told_twice_counts_once_and_one_too_fine_is_refused(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            w.exchange.fund("BTCUSDT", Decimal("0.0001"))
            w.exchange.faults.arm(Fault.DUPLICATE_TRADES, *place.asked["rates"])
            told = await adapter.funding_rates([place.btc], 0, w.clock.ms)
            assert told == {place.btc.symbol: 100_000_000}
            w.exchange.fund("BTCUSDT", Decimal("0.0002"))
            with pytest.raises(ExecutionError, match="two versions"):
                await adapter.funding_rates([place.btc], 0, w.clock.ms)
            w.clock.pass_by(HOUR)
            w.exchange.fund("BTCUSDT", Decimal("0.0000000000001"))
            with pytest.raises(ExecutionError, match="12 decimals"):
                await adapter.funding_rates([place.btc], w.clock.ms - 1, w.clock.ms)

    asyncio.run(run())


@both
def test_rates_and_receipts_are_read_page_by_page(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(futures_module, "PAGE", 2)
    monkeypatch.setattr(hyperliquid_module, "FUNDING_PAGE", 2)
    monkeypatch.setattr(hyperliquid_rest, "MOST_TIMES", 2)

    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            await trade(adapter, place.btc, "1")
            start = w.clock.ms
            for number in range(1, 6):
                w.clock.pass_by(HOUR)
                w.exchange.fund("BTCUSDT", Decimal(number) / 10_000)
            told = await adapter.funding_rates([place.btc], start, w.clock.ms)
            assert told == {place.btc.symbol: 15 * 10**8}
            received = await adapter.funding(start)
            assert [USD.amount(r.amount) for r in received] == [-6, -12, -18, -24, -30]
            await trade(adapter, place.eth, "1", "b")
            w.clock.pass_by(HOUR)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                w.exchange.fund(symbol, Decimal("0.0001"))
            with pytest.raises(ExecutionError, match="are not shown"):
                await adapter.funding(start)  # two at one time may not be all

    asyncio.run(run())


@both
def test_receipts_are_told_once_from_their_time_on_and_only_where_something_is_held(
    place: Place,
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            await trade(adapter, place.btc, "1")
            await trade(adapter, place.eth, "-10", "b")
            w.exchange.set_price("BTCUSDT", Decimal(60_000), Decimal(60_600))
            before = (await adapter.holdings(0)).assets["USD"]
            w.exchange.fund("BTCUSDT", Decimal("0.0001"))
            w.exchange.fund("ETHUSDT", Decimal("0.0002"))  # at the same time
            paid_at = w.clock.ms
            w.clock.pass_by(8 * HOUR)
            w.exchange.faults.arm(Fault.DUPLICATE_TRADES, *place.asked["funding"])
            received = await adapter.funding(0)
            # Hyperliquid pays on the worth at the index, Binance at the mark.
            paid = Decimal("-6.06") if place is BINANCE else Decimal(-6)
            assert {r.symbol: USD.amount(r.amount) for r in received} == {
                place.btc.symbol: paid,
                place.eth.symbol: 6,
            }
            assert {r.time for r in received} == {paid_at}
            assert len({r.payment_id for r in received}) == len(received) == 2
            assert await adapter.funding(paid_at) == received
            assert await adapter.funding(paid_at + 1) == ()
            after = (await adapter.holdings(0)).assets["USD"]
            assert after - before == sum(r.amount for r in received)

    asyncio.run(run())


@both
def test_funding_of_a_market_that_is_not_traded_here_is_refused(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            await trade(await place.opened(w), place.eth, "1")
            w.exchange.fund("ETHUSDT", Decimal("0.0001"))
            w.clock.pass_by(1)
            markets = {place.btc: place.btc_market}
            if place is BINANCE:
                adapter = binance_futures(place.name, Keys(), markets, IN_QUOTE, w.setting)
            else:
                adapter = hyperliquid(
                    place.name, Signer(), OWNER.address, markets, IN_QUOTE, w.setting
                )
            w.made.append(adapter)
            await adapter.start()
            with pytest.raises(ExecutionError, match="leave that market"):
                await adapter.funding(0)

    asyncio.run(run())


def test_funding_in_another_asset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            await trade(adapter, PERPETUAL, "1")
            w.exchange.fund("BTCUSDT", Decimal("0.0001"))
            monkeypatch.setattr(w.exchange.margin_account, "asset", "BNFCR")
            with pytest.raises(ExecutionError, match="in USDT"):
                await adapter.funding(0)

    asyncio.run(run())


@both
def test_a_liquidation_is_told_once_and_is_not_among_the_executions(place: Place) -> None:
    async def run() -> None:
        async with world(depth="10000000") as w:
            adapter = await place.opened(w)
            mine = {
                await trade(adapter, place.btc, "20"),
                await trade(adapter, place.eth, "-30", "b"),
            }
            resting = order(Side.BUY, "0.01", "50000", "c", place.btc)
            prepared = await adapter.prepare(resting, FAR)
            assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
            w.clock.pass_by(60)
            assert await adapter.forced(0) == ()
            w.exchange.set_price("BTCUSDT", Decimal(55_000), Decimal("54700.25"))
            held = await adapter.holdings(0)
            assert {reference for reference, _ in held.executions} == mine
            assert held.open_references == ()
            assert (await adapter.status(prepared)).state is LegState.CANCELED
            btc, eth = await adapter.forced(0)
            tick = {"futures": "54700.2", "hyperliquid": "54700"}[place.name]
            assert (btc.symbol, btc.quantity) == (place.btc.symbol, place.btc.quantity("20"))
            assert btc.price == place.btc.price(tick)
            assert btc.time == w.clock.ms
            assert USD.amount(btc.fee) == 20 * Decimal(tick) * Decimal("0.0005")
            assert (eth.symbol, eth.quantity) == (place.eth.symbol, -place.eth.quantity("30"))
            assert (eth.price, eth.fee > 0) == (place.eth.price("3000"), True)
            assert await adapter.forced(btc.time) == (btc, eth)
            assert await adapter.forced(btc.time + 1) == ()
            account = place.market(w).account
            assert USD.amount(held.assets["USD"]) == account.cash == account.equity
            assert held.assets[place.btc.base.symbol] == held.assets[place.eth.base.symbol] == 0

    asyncio.run(run())


@both
def test_equity_of_just_the_maintenance_margin_is_enough(place: Place) -> None:
    async def run() -> None:
        async with world(depth="10000000", maintenance=Decimal("0.02")) as w:
            adapter = await place.opened(w)
            await trade(adapter, place.btc, "20")
            account = place.market(w).account
            # equity = cash + 20 x mark, and it must not be below 2 % of 20 x mark.
            account.wallet -= account.cash + 20 * Decimal("0.98") * 55_000
            w.exchange.set_price("BTCUSDT", Decimal(55_000))
            assert account.equity == Decimal("0.02") * account.worth
            assert await adapter.forced(0) == ()
            w.exchange.set_price("BTCUSDT", Decimal("54999.9"))
            assert len(await adapter.forced(0)) == 1

    asyncio.run(run())


@both
def test_auto_deleveraging_is_told_with_its_part_each_time(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            reference = await trade(adapter, place.btc, "-0.9")
            for part in ("0.2", "0.3"):
                w.clock.pass_by(1)
                place.market(w).deleverage(place.btc_market, Decimal(part))
            told = await adapter.forced(0)
            assert [t.quantity for t in told] == [
                -place.btc.quantity("0.2"),
                -place.btc.quantity("0.3"),
            ]
            held = await adapter.holdings(0)
            assert [known for known, _ in held.executions] == [reference]
            assert held.assets[place.btc.base.symbol] == -place.btc.quantity("0.4")
            with pytest.raises(ValueError, match="cannot be closed"):
                place.market(w).deleverage(place.btc_market, Decimal("0.5"))

    asyncio.run(run())


@both
def test_a_fill_against_a_strangers_liquidation_is_ours(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            made = order(Side.BUY, "0.5", "59950", instrument=place.btc)
            prepared = await adapter.prepare(made, FAR)
            assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
            engine = place.market(w).engine
            engine.withdraw(engine.symbols[place.btc_market])
            engine.quote(
                engine.symbols[place.btc_market],
                False,
                Decimal(59_900),
                Decimal("0.5"),
                closed=STRANGER,
            )
            assert engine.trades[-1].cause is not None
            assert await adapter.forced(0) == ()
            held = await adapter.holdings(0)
            assert [reference for reference, _ in held.executions] == [prepared.reference]
            report = await adapter.status(prepared)
            assert report.state is LegState.SETTLED
            assert report.executions == tuple(told for _, told in held.executions)

    asyncio.run(run())


@both
def test_forced_trades_are_not_guessed_when_the_exchange_does_not_answer(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            w.exchange.faults.arm(Fault.UNAVAILABLE, *place.asked["forced"])
            with pytest.raises(ExecutionError, match="forced trades"):
                await adapter.forced(w.clock.ms)
            w.exchange.faults.arm(Fault.UNAVAILABLE, *place.asked["funding"])
            with pytest.raises(ExecutionError, match="funding at"):
                await adapter.funding(0)

    asyncio.run(run())


FILL = {
    "coin": "BTC",
    "px": "60000.0",
    "sz": "0.1",
    "side": "A",
    "time": 1,
    "dir": "Close Long",
    "oid": 7,
    "tid": 8,
    "fee": "0.1",
    "feeToken": "USDC",
}
OURS = {"liquidatedUser": OWNER.address.lower(), "markPx": "60000.0", "method": "market"}


@pytest.mark.parametrize(
    ("change", "forced"),
    [
        ({}, False),
        ({"liquidation": None}, False),
        ({"liquidation": OURS}, True),
        ({"liquidation": {**OURS, "liquidatedUser": STRANGER}}, False),
        ({"liquidation": {"markPx": "1", "method": "market"}}, False),
        # An order of ours that our own liquidation meets.
        ({"liquidation": OURS, "cloid": "0x" + "ab" * 16}, False),
        ({"dir": "Auto-Deleveraging", "liquidation": {**OURS, "liquidatedUser": STRANGER}}, True),
        ({"dir": "Settlement", "cloid": None}, True),
    ],
)
def test_a_fill_is_forced_if_our_own_position_was_closed_by_it(
    change: dict[str, Any], forced: bool
) -> None:
    assert trade_of({**FILL, **change}, OWNER.address).forced is forced


@both
def test_the_timer_fires_after_silence_and_not_when_it_is_armed_anew(place: Place) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await place.opened(w)
            made = order(Side.BUY, "0.5", "50000", instrument=place.btc)
            prepared = await adapter.prepare(made, FAR)
            assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
            assert adapter.capabilities.dead_man
            await adapter.arm_dead_man(10)
            w.clock.pass_by(9)
            await adapter.arm_dead_man(10)
            w.clock.pass_by(9)
            assert (await adapter.status(prepared)).state is LegState.SUBMITTED
            w.clock.pass_by(1)
            assert (await adapter.status(prepared)).state is LegState.CANCELED

    asyncio.run(run())


STEP = st.one_of(
    st.tuples(st.just("trade"), st.booleans(), st.integers(-1_500, 1_500).filter(bool)),
    st.tuples(st.just("fund"), st.booleans(), st.integers(-10_000, 10_000)),
    st.tuples(st.just("move"), st.booleans(), st.integers(-300, 300)),
)


@both
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(STEP, max_size=12), last=st.integers(-1_000, 1_000).filter(bool))
def test_the_cash_follows_from_trades_funding_and_liquidations(
    place: Place, steps: list[tuple[str, bool, int]], last: int
) -> None:
    """Computed a second time from all that the adapter tells, to the last unit."""

    async def run() -> None:
        async with world(depth="10000000") as w:
            adapter = await place.opened(w, good="IOC")
            sides: dict[str, tuple[Instrument, int]] = {}
            lowest = {place.btc: place.btc.price("30000"), place.eth: place.eth.price("1500")}

            async def buy(instrument: Instrument, lots: int) -> None:
                side = Side.BUY if lots > 0 else Side.SELL
                limit = instrument.price("100000") if lots > 0 else lowest[instrument]
                name = "".join(chr(97 + int(digit)) for digit in str(len(sides))).rjust(9, "z")
                made = replace(
                    order(side, "1", "1", name, instrument),
                    quantity=abs(lots) * instrument.quantity("0.02"),
                    limit=limit,
                )
                prepared = await adapter.prepare(made, FAR)
                sides[prepared.reference] = (instrument, 1 if lots > 0 else -1)
                await adapter.submit(prepared)

            prices = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(3_000)}
            for kind, is_btc, number in steps:
                w.clock.pass_by(0.001)
                instrument, symbol = (place.btc, "BTCUSDT") if is_btc else (place.eth, "ETHUSDT")
                if kind == "trade":
                    await buy(instrument, number)
                elif kind == "fund":
                    w.exchange.fund(symbol, Decimal(number) / 10**8)
                else:
                    mark = prices[symbol] * (1 + Decimal(number) / 10_000)
                    w.exchange.set_price(symbol, prices[symbol], mark)
            w.clock.pass_by(0.001)
            await buy(place.btc, last)
            w.exchange.fund("BTCUSDT", Decimal("0.0001"))
            account = place.market(w).account
            held_btc = account.position(place.btc_market).quantity
            if held_btc:
                # Far enough to take more than there is, whatever ETH brings.
                loss = (account.equity + account.worth) / abs(held_btc)
                away = loss if held_btc < 0 else -min(loss, account.marks[place.btc_market] / 2)
                moved = account.marks[place.btc_market] + away
                w.exchange.set_price("BTCUSDT", moved.quantize(Decimal("0.001")))
            forced = await adapter.forced(0)
            held = await adapter.holdings(0)
            received = await adapter.funding(0)
            cash = USD.units(100_000)
            positions = dict.fromkeys((place.btc, place.eth), 0)
            by_symbol = {instrument.symbol: instrument for instrument in positions}
            for reference, told in held.executions:
                instrument, sign = sides[reference]
                cash -= sign * instrument.notional(told.quantity, told.price) + told.fee
                positions[instrument] += sign * told.quantity
            for closed in forced:
                instrument = by_symbol[closed.symbol]
                cash += instrument.notional(closed.quantity, closed.price) - closed.fee
                positions[instrument] -= closed.quantity
            cash += sum(receipt.amount for receipt in received)
            assert held.assets["USD"] == cash
            assert USD.amount(cash) == account.cash
            for instrument, quantity in positions.items():
                assert held.assets[instrument.base.symbol] == quantity
            assert len(forced) == sum(1 for t in place.market(w).engine.trades if t.cause)

    asyncio.run(run())
