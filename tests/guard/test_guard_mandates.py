"""The mandates in ``guardrails/`` admit what they are for, and refuse what they are against."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from agent_fund.backtest.calibrated import load_mandate
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.fixed_floor import floor_of
from agent_fund.guard.language.demand import require_resolvable
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.verdict import Outcome, Situation

FOLDER = Path(__file__).resolve().parents[2] / "guardrails"
USD = Asset("USD", 12)
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 100)),), Fraction(1, 100))


def line(symbol: str, venue: str, issuer: str = "") -> Instrument:
    """Spot, or a perpetual if the symbol ends so."""
    coin = symbol.split("-")[0]
    perpetual = "-PERP" in symbol
    return Instrument(
        symbol,
        Asset(symbol, 6, issuer),
        USD,
        Venue(venue),
        price_scale=2,
        kind=Kind.PERPETUAL if perpetual else Kind.SPOT,
        underlying=coin,
        margin=MARGIN if perpetual else None,
    )


@dataclass(frozen=True)
class Fund:
    """A fund for one mandate: its instruments, where its million stands, and trades to ask of it.

    Attributes:
        good: admitted as they are. bad: by what they break, refused or cut.
    """

    lines: tuple[Instrument, ...]
    places: Mapping[str, int]
    good: Sequence[Sequence[str]]
    bad: Mapping[str, Sequence[str]]


PAIRS = (
    line("BTC", "wallet"),
    line("ETH", "wallet"),
    line("BTC-PERP", "futures"),
    line("ETH-PERP", "futures"),
)
SPREAD = (
    line("BTC", "spot-a"),
    line("ETH", "spot-b"),
    line("BTC-PERP", "futures-a"),
    line("ETH-PERP", "futures-b"),
    line("GOLD", "vault"),
)
KEPT = (
    line("BTC", "custody"),
    line("USDC", "custody", "Circle"),
    line("DAI", "custody", "Maker"),
    line("ETH", "exchange"),
)

FUNDS = {
    "long_only.py": Fund(
        (line("BTC", "wallet"), line("ETH", "wallet")),
        {"wallet": 1_000_000},
        [["buy BTC 200"], ["buy BTC 100", "buy ETH 100"], ["buy ETH 10 @ 105"]],
        {
            "max_drawdown": ["buy BTC 2400", "buy ETH 2400"],
            "max_order_value": ["buy BTC 2600"],
            "price_collar": ["buy BTC 10 @ 111"],
            "solvency": ["sell BTC 10"],
            "long_only": ["sell BTC 10"],
        },
    ),
    "market_neutral.py": Fund(
        PAIRS,
        {"wallet": 500_000, "futures": 500_000},
        [["buy BTC 100", "sell BTC-PERP 100"], ["buy ETH 300", "sell ETH-PERP 300"]],
        {
            "net_exposure": ["buy BTC 1200"],
            "hedged": ["buy ETH 800"],
            "one_coin": ["buy BTC 4500"],
            "slippage_cap": ["buy BTC 10 @ 105"],
            "margin_safety": ["sell BTC-PERP 90000"],
        },
    ),
    "crypto_carry.py": Fund(
        PAIRS,
        {"wallet": 500_000, "futures": 500_000},
        [["buy BTC 300", "sell BTC-PERP 300"]],
        {
            "hedge_coverage": ["buy BTC 900"],
            "net_exposure": ["buy ETH 1200"],
            "margin_safety": ["sell BTC-PERP 90000"],
        },
    ),
    "multi_venue.py": Fund(
        SPREAD,
        dict.fromkeys(("spot-a", "spot-b", "futures-a", "futures-b", "vault"), 200_000),
        [["buy BTC 100", "sell BTC-PERP 100"], ["move spot-a futures-a 20000"]],
        {
            "venue_exposure": ["move spot-a futures-a 90000"],
            "concentration by venue": ["sell BTC-PERP 2600"],
            "max_drawdown": ["sell BTC-PERP 2400", "sell ETH-PERP 2400"],
        },
    ),
    "treasury.py": Fund(
        KEPT,
        {"custody": 900_000, "exchange": 100_000},
        [["buy BTC 300"], ["buy USDC 400", "buy DAI 400"]],
        {
            "instrument_allow_list": ["buy ETH 1"],
            "destination_allow_list": ["move custody exchange 1000"],
            "max_order_value": ["buy USDC 600"],
            "slippage_cap": ["buy BTC 1 @ 103"],
            "message_throttle": ["buy BTC 1", "buy USDC 1", *["move custody custody/x 1"] * 3],
        },
    ),
}
PRICE = 100_00


def proposal(fund: Fund, words: Sequence[str]) -> Proposal:
    lines = {i.symbol: i for i in fund.lines}
    legs, transfers = [], []
    for said in words:
        verb, *rest = said.split()
        if verb == "move":
            source, target, amount = rest
            transfers.append(Transfer(int(amount) * 10**USD.scale, source, target))
            continue
        limit = int(rest[3]) * 100 if len(rest) > 2 else PRICE
        size = int(rest[1]) * 10**6
        legs.append(Leg(lines[rest[0]], Side(verb), size, limit))
    return Proposal(tuple(legs), ordered=len(legs) == 2, transfers=tuple(transfers))


def resolved(name: str, fund: Fund) -> ResolvedMandate:
    """The mandate over five hundred bars of a made-up market that moves by a few per cent."""
    rng = random.Random(name)
    past = {}
    prices: dict[str, list[int]] = {}
    for item in fund.lines:
        if item.underlying not in prices:
            walk = [PRICE]
            for _ in range(500):
                walk.append(walk[-1] * (1_000 + rng.randint(-30, 30)) // 1_000)
            prices[item.underlying] = walk
        walk = prices[item.underlying]
        if item.kind is Kind.PERPETUAL:
            walk = [p * (10_000 + rng.randint(-10, 10)) // 10_000 for p in walk]
        past[item.symbol] = Past(range(501), walk, walk, walk)
    stress = load_mandate(FOLDER / name).stress
    if "BTC" in stress.declared.boxes:
        past.pop("ETH")  # the treasury declares no box for what it may not hold
    venues = sorted({i.venue.name for i in fund.lines})
    issuers = sorted({i.base.issuer for i in fund.lines if i.base.issuer})
    found = stress.resolve(past, 3, "made up", venues, (), issuers)
    return load_mandate(FOLDER / name).resolve(found, 1)


def situation(fund: Fund, mandate: ResolvedMandate) -> Situation:
    places = {place: cash * 10**USD.scale for place, cash in fund.places.items()}
    lines = {i.symbol: i for i in fund.lines}
    nav = sum(places.values())
    book = Book(USD, nav, lines, {}, (), places)
    floor = floor_of(mandate.guardrail("fixed_floor"), nav, USD)
    prices, room = dict.fromkeys(lines, PRICE), dict.fromkeys(lines, 10**18)
    return Situation(book, prices, nav, nav, 0, room, floor.units)


@pytest.mark.parametrize("name", FUNDS)
def test_a_mandate_admits_what_it_is_for(name: str) -> None:
    fund = FUNDS[name]
    mandate = resolved(name, fund)
    seen = situation(fund, mandate)
    guard = Guard(mandate)
    assert guard.look(seen) is not None
    for words in fund.good:
        verdict = guard.judge(proposal(fund, words), seen)
        assert verdict.outcome is Outcome.ADMITTED, (words, verdict.text)


@pytest.mark.parametrize(
    ("name", "broken"), [(name, broken) for name, fund in FUNDS.items() for broken in fund.bad]
)
def test_a_mandate_stops_what_it_is_against(name: str, broken: str) -> None:
    fund = FUNDS[name]
    mandate = resolved(name, fund)
    trade = proposal(fund, fund.bad[broken])
    verdict = Guard(mandate).judge(trade, situation(fund, mandate))
    assert verdict.outcome is not Outcome.ADMITTED
    assert broken in [finding.guardrail for finding in verdict.broken], verdict.text


def test_every_mandate_of_the_folder_can_be_resolved_and_read_back() -> None:
    files = {path.name for path in FOLDER.glob("*.py")}
    assert set(FUNDS) <= files
    for name, fund in FUNDS.items():
        mandate = resolved(name, fund)
        assert ResolvedMandate.from_json(mandate.to_json()).digest == mandate.digest
        for clause in mandate.clauses:
            require_resolvable(clause, {i.symbol: i for i in fund.lines}, mandate.stress)
