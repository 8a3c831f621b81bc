"""The file of connections of a devnet: what a run needs to reach its venues, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.devnet.evm_side import COIN_DECIMALS, DOLLAR_DECIMALS, FINALITY, EvmSide
from agent_fund.devnet.near.devnet import FUND, VERIFIER
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.devnet.plan import (
    CHAIN_A,
    CHAIN_B,
    COW,
    EXCHANGE,
    FUTURES,
    HYPERLIQUID,
    NEAR,
    Plan,
)
from agent_fund.devnet.safe import Safe

FILE = "connections.json"
CHAIN_IDS = {CHAIN_A: 31337, CHAIN_B: 31338}
NEAR_COIN, NEAR_DOLLAR = "eth.near", "usdc.near"
RELATIVE_FEE, FIXED_FEE = "0.0005", "0.5"
"""What relayers are offered: a share of the amount, and units of the currency."""

_WEIGHT = 60_000  # of requests, a minute, at exchanges: bars are as short as a second here


@dataclass(frozen=True)
class Reached:
    """Where everything of a running devnet listens, and who holds what.

    Attributes:
        exchange, signer, cow, near, relay: addresses of HTTP services.
        trader, guard, auction: accounts whose keys the signer service holds.
        sides: the chains by name. ``sides_of``: by venue on a chain.
        settlement: CoW's contract.
    """

    exchange: str
    signer: str
    cow: str
    near: str
    relay: str
    trader: str
    guard: str
    auction: str
    sides: Mapping[str, EvmSide]
    sides_of: Mapping[str, EvmSide]
    safe: Safe
    settlement: str


def connections_of(plan: Plan, at: Reached) -> dict[str, Any]:
    """The content of the file for the venues that ``plan`` names."""
    made = {
        EXCHANGE: _exchange,
        FUTURES: _futures,
        HYPERLIQUID: _hyperliquid,
        CHAIN_A: _chain_a,
        CHAIN_B: _chain_b,
        COW: _cow,
        NEAR: _near,
    }
    venues = {name: make(plan, at) for name, make in made.items() if name in plan.lines}
    chains = {
        name: {"url": side.anvil.url, "chain_id": CHAIN_IDS[name], "finality": FINALITY}
        for name, side in at.sides.items()
    }
    carriers = {}
    if {CHAIN_A, CHAIN_B} <= set(plan.lines):
        carriers["across"] = _across(at)
    if {EXCHANGE, FUTURES} <= set(plan.lines):
        carriers["wallet"] = {"kind": "binance_wallet", "spot": EXCHANGE, "futures": FUTURES}
    return {"chains": chains, "venues": venues, "carriers": carriers}


def _signer(at: Reached, key: str) -> str:
    return f"signer:{at.signer}#{key}"


def _tokens(plan: Plan, at: Reached, venue: str) -> dict[str, Any]:
    side = at.sides_of[venue]
    return {
        plan.currency: {"address": side.dollar.address, "decimals": DOLLAR_DECIMALS},
        plan.lines[venue]: {"address": side.weth, "decimals": COIN_DECIMALS},
    }


def _exchange(plan: Plan, at: Reached) -> dict[str, Any]:
    return {
        "kind": "binance",
        "url": at.exchange,
        "weight": _WEIGHT,
        "credentials": "loopback",
        "markets": {plan.lines[EXCHANGE]: "ETHUSDT"},
        "fee": "0.001",
        "prepaid": "BNB",
        "reserve": "1",
    }


def _futures(plan: Plan, at: Reached) -> dict[str, Any]:
    return {
        "kind": "binance_futures",
        "url": at.exchange,
        "weight": _WEIGHT,
        "credentials": "loopback",
        "markets": {plan.lines[FUTURES]: "ETHUSDT"},
        "fee": "0.0005",
    }


def _hyperliquid(plan: Plan, at: Reached) -> dict[str, Any]:
    return {
        "kind": "hyperliquid",
        "url": at.exchange,
        "weight": _WEIGHT,
        "credentials": _signer(at, at.trader),
        "markets": {plan.lines[HYPERLIQUID]: "ETH"},
        "fee": "0.0005",
    }


def _chain_a(plan: Plan, at: Reached) -> dict[str, Any]:
    safe = {
        "address": at.safe.address,
        "module": at.safe.module,
        "guard_key": _signer(at, at.guard),
    }
    return {
        "kind": "uniswap_v2",
        "chain": CHAIN_A,
        "router": at.sides[CHAIN_A].v2.router,
        "key": _signer(at, at.trader),
        "tokens": _tokens(plan, at, CHAIN_A),
        "coin": plan.lines[CHAIN_A],
        "safe": safe,
    }


def _chain_b(plan: Plan, at: Reached) -> dict[str, Any]:
    side = at.sides[CHAIN_B]
    return {
        "kind": "uniswap_v3",
        "chain": CHAIN_B,
        "router": side.v3.router,
        "quoter": side.v3.quoter,
        "key": _signer(at, at.trader),
        "tokens": _tokens(plan, at, CHAIN_B),
        "coin": plan.lines[CHAIN_B],
    }


def _cow(plan: Plan, at: Reached) -> dict[str, Any]:
    return {
        "kind": "cow",
        "chain": CHAIN_B,
        "url": at.cow,
        "settlement": at.settlement,
        "key": _signer(at, at.auction),
        "tokens": _tokens(plan, at, COW),
        "probe": {plan.lines[COW]: "1"},
        "depth": {plan.lines[COW]: "500"},
    }


def _near(plan: Plan, at: Reached) -> dict[str, Any]:
    dollar = {"address": f"nep141:{NEAR_DOLLAR}", "decimals": DOLLAR_DECIMALS}
    coin = {"address": f"nep141:{NEAR_COIN}", "decimals": COIN_DECIMALS}
    return {
        "kind": "near_intents",
        "url": at.near,
        "relay": f"{at.relay}/rpc",
        "account": FUND,
        "key": _signer(at, DevnetKey(FUND).text),
        "contract": VERIFIER,
        "as_of": "2026-11-09",
        "tokens": {plan.currency: dollar, plan.lines[NEAR]: coin},
        "probe": {plan.lines[NEAR]: "60"},
    }


def _across(at: Reached) -> dict[str, Any]:
    places = {
        name: {"pool": side.across.spoke_pool, "depositor": side.across.depositor}
        for name, side in at.sides.items()
    }
    return {
        "kind": "across",
        "places": places,
        "relative_fee": RELATIVE_FEE,
        "fixed_fee": FIXED_FEE,
        "seconds": 5,
        "refund_seconds": 600,
    }
