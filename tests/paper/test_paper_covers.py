"""What the guard's side covers of a run's legs: the Safe's own, once, and nobody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.place import Place
from agent_fund.execution.custody.calldata import Exactly
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.token import Token
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.evm.uniswap_v3 import UniswapV3
from agent_fund.execution.keys.evm import local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.paper.connections import Connections
from agent_fund.paper.covers import Covers

# On two chains the same deployments are often at the same addresses.
ROUTER, QUOTER, GOLD, CASH, SAFE, MODULE, DEPOSITOR = (
    "0x" + f"{n:02x}" * 20 for n in (17, 34, 51, 68, 85, 102, 119)
)
USD, DEADLINE = Asset("USD", 8), 1_900_000_000
V3 = UniswapV3(ROUTER, QUOTER, 3_000)


def line(venue: str) -> Instrument:
    return Instrument(f"ETH-{venue}", Asset("ETH", 6), USD, Venue(venue), 2)


def connections(*, safe: bool = True) -> Connections:
    tokens = {
        "ETH": {"address": GOLD, "decimals": 18},
        "USD": {"address": CASH, "decimals": 6},
    }
    venue: dict[str, Any] = {"router": ROUTER, "quoter": QUOTER, "key": "k", "tokens": tokens}
    if safe:
        venue["safe"] = {"address": SAFE, "module": MODULE, "guard_key": "g"}
    venues = {
        "a": {"kind": "uniswap_v2", "chain": "a", **venue},
        "b": {"kind": "uniswap_v3", "chain": "b", **venue},
    }
    return Connections.model_validate({"venues": venues})


def covers_of(orders: dict[str, Order], transits: dict[str, Transit], **of: bool) -> Covers:
    """Of a run with these legs under way, each at its order's venue."""
    places = {}
    for number, name in enumerate("ab", 1):
        chain = Chain(name, "http://127.0.0.1:1", number, 0)
        lane = Lane(chain, local_evm(Secret(b"\1" * 32), "a test"))
        account = DirectAccount(chain, SAFE)
        token = Token(CASH, 6)
        places[name] = Place(name, chain, account, lane, token, DEPOSITOR, DEPOSITOR)
    fee = RelayerFee.stated("0.001", "1", USD.scale)
    carrier = AcrossCarrier(
        "across", USD, list(places.values()), fee, seconds=600, refund_seconds=7_200
    )

    def admitted(venue: str) -> Any:
        def found(leg: str) -> tuple[Order, int] | None:
            order = orders.get(leg)
            mine = order is not None and order.instrument.venue.name == venue
            return (order, DEADLINE) if order is not None and mine else None

        return SimpleNamespace(admitted=found)

    def carried(leg: str) -> tuple[Transit, int] | None:
        return (transits[leg], DEADLINE) if leg in transits else None

    covers = Covers(connections(**of), USD)
    covers.places = places
    covers.live = SimpleNamespace(  # type: ignore[assignment]
        venues={name: admitted(name) for name in "ab"},
        carriage=SimpleNamespace(admitted=carried, carrier=lambda source, target: carrier),
    )
    return covers


def orders() -> dict[str, Order]:
    made = (10**6, 198_500, Purpose.AGENT, 9)
    return {
        "sale": Order("sale", line("a"), Side.SELL, *made),
        "purchase": Order("purchase", line("b"), Side.BUY, *made),
    }


def test_an_order_is_covered_by_the_call_of_its_own_venue_for_its_safe() -> None:
    covers = covers_of(orders(), {})
    sale, purchase = covers("a", "sale"), covers("b", "purchase")
    assert sale is not None
    assert purchase is not None
    sells = UniswapV2(ROUTER).exact_in(GOLD, CASH, 10**18, 1_985 * 10**6, SAFE, DEADLINE)
    buys = V3.exact_out(CASH, GOLD, 10**18, 1_985 * 10**6, SAFE, DEADLINE)
    assert sale.calldata == Exactly.these(sells)
    assert purchase.calldata == Exactly.these(buys)


@pytest.mark.parametrize(("venue", "leg"), [("b", "sale"), ("a", "purchase"), ("a", "none")])
def test_no_other_safe_does_a_leg_a_second_time(venue: str, leg: str) -> None:
    assert covers_of(orders(), {})(venue, leg) is None


def test_a_transfer_is_covered_at_its_source_alone() -> None:
    transit = Transit("t", Transfer(10**9, "a", "b", 2 * 10**6), 3)
    covers = covers_of({}, {"t": transit})
    cover = covers("a", "t")
    assert cover is not None
    assert (cover.token_in, cover.most_in) == (CASH, 10**7)
    assert covers("b", "t") is None


def test_without_a_safe_or_a_run_nothing_is_covered() -> None:
    assert covers_of(orders(), {}, safe=False)("a", "sale") is None
    assert covers_of(orders(), {})("elsewhere", "sale") is None
    assert Covers(connections(), USD)("a", "sale") is None
