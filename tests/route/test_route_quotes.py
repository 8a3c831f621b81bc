"""Quotes: all asked at once under one deadline; what fails is an absence, never the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from route_world import NOW, PRICE, FakeAdapter, FakeCarrier, curve, everywhere, line

from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Quote
from agent_fund.execution.route.quotes import NoQuoteError, Quotes

LINES = [line(f"ETH-{n}", f"venue{n}") for n in range(8)]
ONE = 10**6
SECRET = "api-key-7f3a"


def adapter(number: int, **terms: Any) -> FakeAdapter:
    symbol = f"ETH-{number}"
    return FakeAdapter(f"venue{number}", {symbol: curve(PRICE)}, {symbol: PRICE}, **terms)


def quotes(*adapters: FakeAdapter, carriers: tuple[FakeCarrier, ...] = (), wait: float) -> Quotes:
    names = {a.name: a for a in adapters}
    return Quotes(names, {c.name: c for c in carriers}, wait, lambda: NOW)


async def ask(asked: Quotes, number: int) -> Quote | str:
    try:
        return await asked.trade(LINES[number], Side.BUY, ONE)
    except NoQuoteError as error:
        return error.absence.text


def run_all(asked: Quotes, count: int) -> list[Quote | str]:
    async def inside() -> list[Quote | str]:
        before = asyncio.all_tasks()
        async with asked:
            found = await asyncio.gather(*(ask(asked, n) for n in range(count)))
        assert asyncio.all_tasks() == before, "no task stays behind"
        return found

    return asyncio.run(inside())


def test_no_venue_answers_before_all_have_been_asked() -> None:
    gate = asyncio.Barrier(8)

    class Gated(FakeAdapter):
        async def _wait(self) -> None:
            await gate.wait()  # opens only once all eight stand here together

    every = [Gated(f"venue{n}", {f"ETH-{n}": curve(PRICE + n)}) for n in range(8)]
    found = run_all(quotes(*every, wait=60), 8)
    money = [q.max_spent for q in found if isinstance(q, Quote)]
    assert money == sorted(money)
    assert len(money) == 8


def test_one_that_fails_and_one_that_hangs_do_not_hold_up_the_others() -> None:
    bad, slow = adapter(1, error=RuntimeError(SECRET)), adapter(2, delay=3600)
    found = run_all(quotes(adapter(0), bad, slow, wait=0.5), 3)
    assert isinstance(found[0], Quote)
    assert found[1] == "venue1, buy 1 ETH-1: failed with RuntimeError"
    assert found[2] == "venue2, buy 1 ETH-2: no answer within 0.5 s"
    assert slow.running == 0, "it was cancelled"


def test_an_error_of_a_library_is_told_by_its_kind_alone() -> None:
    asked = quotes(adapter(0, error=ValueError(f"GET /?key={SECRET}")), wait=5)
    run_all(asked, 1)
    assert SECRET not in repr(asked.absences)
    ours = quotes(adapter(0, error=ExecutionError("pool", "0xabc", "fund it")), wait=5)
    (said,) = run_all(ours, 1)
    assert "fund it" in str(said)


def test_a_venue_that_does_not_stop_when_told_to_does_not_hold_up_the_search() -> None:
    class Stubborn(FakeAdapter):
        async def _wait(self) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await release.wait()

    async def inside() -> None:
        async with asked:
            assert "no answer" in str(await ask(asked, 0))
        release.set()

    release = asyncio.Event()
    asked = quotes(Stubborn("venue0", {"ETH-0": curve(PRICE)}), wait=0.5)
    asyncio.run(inside())


def test_what_is_asked_twice_is_asked_once() -> None:
    one = adapter(0)

    async def inside() -> None:
        async with quotes(one, wait=5) as asked:
            await asyncio.gather(*(ask(asked, 0) for _ in range(5)))

    asyncio.run(inside())
    assert len(one.asked) == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda q: replace(q, quantity=q.quantity + 1), "answered for another trade"),
        (lambda q: replace(q, side=Side.SELL), "answered for another trade"),
        (lambda q: replace(q, instrument=LINES[3]), "answered for another trade"),
        (lambda q: replace(q, min_received=q.quantity - 1), "not the whole trade"),
        (lambda q: replace(q, max_spent=0), "not the whole trade"),
        (lambda q: replace(q, gas=-1), "not the whole trade"),
        (lambda q: replace(q, valid_until=NOW), "its quote has expired"),
        (lambda q: None, "offers none now"),
    ],
)
def test_a_quote_that_does_not_answer_the_question_is_an_absence(
    spoil: Callable[[Quote], Any], reason: str
) -> None:
    (said,) = run_all(quotes(adapter(0, spoil=spoil), wait=5), 1)
    assert reason in str(said)


def test_a_sale_that_takes_more_than_is_sold_is_no_quote() -> None:
    greedy = adapter(0, spoil=lambda q: replace(q, max_spent=q.quantity + 1))

    async def inside() -> None:
        async with quotes(greedy, wait=5) as asked:
            with pytest.raises(NoQuoteError, match="not the whole trade"):
                await asked.trade(LINES[0], Side.SELL, ONE)

    asyncio.run(inside())


def test_a_line_without_an_adapter_is_an_absence() -> None:
    found = run_all(quotes(adapter(0), wait=5), 2)
    assert "no adapter trades there" in str(found[1])


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"fixed": 10**30}, "does not carry that now"),
        ({"fixed": -1}, "brings 1000001 of 1000000"),
        ({"seconds": -1}, "in -1 s"),
        ({"valid_until": NOW}, "its quote has expired"),
        ({"error": OSError(SECRET)}, "failed with OSError"),
        ({"delay": 3600}, "no answer within"),
    ],
)
def test_a_carrier_that_does_not_answer_is_an_absence(terms: dict[str, Any], reason: str) -> None:
    carrier = FakeCarrier("across", everywhere("a", "b"), **terms)

    async def inside() -> None:
        async with quotes(carriers=(carrier,), wait=0.5) as asked:
            with pytest.raises(NoQuoteError) as caught:
                await asked.transfer("across", "a", "b", ONE)
            assert reason in caught.value.absence.text
            assert SECRET not in str(caught.value)

    asyncio.run(inside())


def test_middles_come_from_those_that_state_them() -> None:
    silent = FakeAdapter("venue1", {"ETH-1": curve(PRICE)})
    broken = adapter(2, error=OSError())

    async def inside() -> None:
        async with quotes(adapter(0), silent, broken, wait=5) as asked:
            assert await asked.middles(LINES[:4]) == {"ETH-0": PRICE}
            assert [a.who for a in asked.absences] == ["venue1", "venue2"]

    asyncio.run(inside())
