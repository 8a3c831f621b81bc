"""An order at the NEAR Intents venue, from the offer to the last unit on the chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from near_world import DEADLINE, NEAR_USDC, USD, WRAP, World, in_world, order

from agent_fund.domain.instrument import Asset
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Report
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.listing import Listing, Token


def booked(side: Side, report: Report) -> tuple[int, int]:
    """The change of (NEAR, USDC) that the fund books for the report, in its base units."""
    [trade] = report.executions
    money = NEAR_USDC.notional(trade.quantity, trade.price) + side.sign * trade.fee
    return side.sign * trade.quantity, -side.sign * money


@pytest.mark.parametrize("standard", ["raw_ed25519", "nep413"])
@pytest.mark.parametrize("side", list(Side))
def test_what_is_booked_equals_the_chain_to_the_last_unit(side: Side, standard: str) -> None:
    async def check(w: World) -> None:
        await w.venue.start()
        before = [w.balance("fund.near", token) for token in (WRAP, USD)]
        prepared = await w.venue.prepare(order(side, 10**24 + 3 * 10**18), DEADLINE)
        assert w.balance("fund.near", WRAP) == before[0]
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        report = await w.venue.status(prepared)
        assert report.state is LegState.SETTLED
        assert report.executions[0].final
        near, usdc = booked(side, report)
        assert w.balance("fund.near", WRAP) - before[0] == near
        assert (w.balance("fund.near", USD) - before[1]) * 10**22 == usdc
        assert (
            0 <= report.executions[0].fee <= w.venue.maximum_fee(order(side, 10**24 + 3 * 10**18))
        )

    in_world(check, standard=standard)


def test_an_order_beyond_its_limit_is_refused_before_anything_is_signed() -> None:
    async def check(w: World) -> None:
        with pytest.raises(ExecutionError, match="within the limit"):
            await w.venue.prepare(order(Side.BUY, limit="3.5"), DEADLINE)
        with pytest.raises(ExecutionError, match="within the limit"):
            await w.venue.prepare(order(Side.SELL, limit="4.5"), DEADLINE)

    in_world(check)


def test_a_fill_is_provisional_until_its_block_is_final() -> None:
    async def check(w: World) -> None:
        prepared = await w.venue.prepare(order(Side.BUY), DEADLINE)
        await w.venue.submit(prepared)
        first = await w.venue.status(prepared)
        assert first.state is LegState.FILLED
        assert not first.executions[0].final
        w.near.chain.advance(3)
        last = await w.venue.status(prepared)
        assert last.state is LegState.SETTLED
        assert last.executions == (replace(first.executions[0], final=True),)

    in_world(check, lag=3)


def test_prices_depth_and_holdings() -> None:
    async def check(w: World) -> None:
        assert await w.venue.prices([NEAR_USDC]) == {"NEAR-USDC": NEAR_USDC.price("4.0000")}
        assert await w.venue.depth([NEAR_USDC]) == {"NEAR-USDC": 10**24}
        held = await w.venue.holdings(0)
        assert held.assets == {"NEAR": 100 * 10**24, "USDC": 1_000 * 10**28}
        assert held.coin is not None
        quote = await w.venue.quote(NEAR_USDC, Side.SELL, 10**24)
        assert quote is not None
        assert (quote.max_spent, quote.firm) == (10**24, False)

    in_world(check)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"NEAR": Token(WRAP, 24), "USDC": Token(USD, 8)}, "the token has 6"),
        ({"NEAR": Token(WRAP, 24)}, "no token for it"),
        ({"NEAR": Token(WRAP, 5), "USDC": Token(USD, 6)}, "5 decimals"),
        ({"NEAR": Token(WRAP, 24), "USDC": Token(USD, 30)}, "give it as many"),
    ],
)
def test_a_wrong_listing_is_refused_at_the_start(tokens: dict[str, Token], message: str) -> None:
    async def check(w: World) -> None:
        w.venue._listing = Listing("2026-11-08", tokens)
        with pytest.raises(ExecutionError, match=message):
            await w.venue.start()

    in_world(check)


def test_a_key_that_the_verifier_does_not_know_is_refused_at_the_start() -> None:
    async def check(w: World) -> None:
        w.near.chain.call(
            "fund.near", "intents.near", "remove_public_key", {"public_key": w.key.text}, 1
        )
        with pytest.raises(ExecutionError, match="add_public_key"):
            await w.venue.start()

    in_world(check)


@pytest.mark.parametrize(("scale", "decimals"), [(6, 6), (24, 6), (6, 24)])
def test_token_amounts_convert_exactly_or_not_at_all(scale: int, decimals: int) -> None:
    asset, token = Asset("X", scale), Token("nep141:x.near", decimals)
    one = 10 ** (decimals - scale) if decimals > scale else 1
    assert token.units(asset, 10**scale) == 10**decimals
    assert token.amount(asset, 10**decimals) == 10**scale
    if decimals > scale:
        assert token.amount(asset, one + 1) is None
        assert token.amount_down(asset, 2 * one - 1) == 1
    if decimals < scale:
        with pytest.raises(ExecutionError):
            token.units(asset, 1)
        assert (token.most(asset, 10**18 + 1), token.least(asset, 10**18 + 1)) == (1, 2)
