"""Seeded situations in which a proposal has to be repaired: books, stress sets, limits, legs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.repair.distance import Repair, departure
from agent_fund.guard.repair.scaled import of_lots
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie
from agent_fund.guard.verdict import Situation

USD = Asset("USD", 8)
VENUE = Venue("sim")
MARGIN = Margin(Fraction(1, 5), (Tier(0, Fraction(1, 20)),), Fraction(1, 100))
SPOTS = ("S0", "S1", "S2", "S3")
PERPS = ("P0", "P1")
OPTION = "C2"
NAV = 10**6 * 10**8
PLENTY = 10**15


@dataclass(frozen=True)
class Repairing:
    """A proposal, where it is made, and the mandate that judges it."""

    mandate: ResolvedMandate
    situation: Situation
    proposal: Proposal

    def guard(self, repair: Repair) -> Guard:
        """A guard that repairs so."""
        changed = {**vars(self.mandate), "repair": repair}
        names = ResolvedMandate.__dataclass_fields__
        return Guard(ResolvedMandate(**{k: v for k, v in changed.items() if k in names}))


def instruments(lots: int) -> dict[str, Instrument]:
    """Four spots, two perpetuals on the first two, a call on the third; a lot is ``lots`` units."""
    found = {s: Instrument(s, Asset(s, 2), USD, VENUE, 2, lots) for s in SPOTS}
    for symbol, on in zip(PERPS, SPOTS, strict=False):
        found[symbol] = Instrument(
            symbol, Asset(symbol, 2), USD, VENUE, 2, lots, 1, Kind.PERPETUAL, on, margin=MARGIN
        )
    terms = OptionTerms("S2", Fraction(100), 10**9, True)
    found[OPTION] = Instrument(
        OPTION, Asset(OPTION, 2), USD, VENUE, 2, lots, 1, Kind.OPTION, "S2", terms=terms
    )
    return found


def stress_set(rng: Random) -> Stress:
    """Boxes and a market factor, or boxes alone; the perpetuals tied to their spots."""
    boxes = [(-rng.randint(100_000, 400_000), rng.randint(100_000, 400_000)) for _ in SPOTS]
    boxes += [(low - 20_000, high + 20_000) for low, high in boxes[: len(PERPS)]]
    ties = tuple(Tie(p, s, -20_000, 20_000) for p, s in zip(PERPS, SPOTS, strict=False))
    names = (*SPOTS, *PERPS)
    if rng.random() < 0.3:
        return Stress(names, tuple(boxes), (), 3, ties=ties)
    factor = Factor(
        "market",
        dict.fromkeys(SPOTS, Fraction(1, 4)),
        {s: rng.randint(600, 1_400) for s in SPOTS},
        {s: rng.randint(40_000, 150_000) for s in SPOTS},
    )
    return Stress(names, (*boxes, (-250_000, 250_000)), (factor,), 3, ties=ties)


def repairing(seed: int, *, legs: int, most: int = 0, option: bool = False) -> Repairing:
    """A case in which the proposal is most likely too large.

    Args:
        most: lots of a leg at most; 0: lots are fine, and legs have thousands.
    """
    rng = Random(seed)
    lot = 1 if not most else 10_000
    known = instruments(lot)
    prices = dict.fromkeys(SPOTS, 10000)
    prices |= {p: 10_000 + rng.randint(-50, 50) for p in PERPS}
    prices[OPTION] = rng.randint(800, 1_500)
    symbols = [*SPOTS, *PERPS, *([OPTION] if option else [])]
    size = most or 800_000
    # With coarse lots, all: another line held is a fixed cost, that it may stand a lot apart.
    some = SPOTS if most else rng.sample(SPOTS, rng.randint(1, 4))
    held = {s: (1 + rng.randint(1, size) // 8) * lot for s in SPOTS if s in some}
    held |= {p: -held[s] for p, s in zip(PERPS, SPOTS, strict=False) if s in held}
    cash = NAV - sum(known[s].notional(q, prices[s]) for s, q in held.items() if s in SPOTS)
    chosen = rng.sample(symbols, legs)
    if option and OPTION not in chosen:
        chosen[0] = OPTION
    made = []
    for symbol in chosen:
        sides = [Side.BUY, Side.SELL] if symbol in PERPS or held.get(symbol) else [Side.BUY]
        side = rng.choice(sides)
        quantity = rng.randint(max(1, size // 4), size) * lot
        if symbol in SPOTS and side is Side.SELL:
            quantity = min(quantity, held[symbol]) or lot
        limit = prices[symbol] * (1_000 + side.sign * rng.randint(0, 5)) // 1_000
        made.append(Leg(known[symbol], side, quantity, limit))
    book = Book(USD, cash, known, {s: q for s, q in held.items() if q})
    nav = book.nav(prices)
    rails: list[Guardrail] = [max_drawdown(f"{rng.randint(8, 30)}%")]
    if rng.random() < 0.4:
        rails.append(gross_leverage(f"{rng.randint(60, 180)}%"))
    if rng.random() < 0.3:
        rails.append(concentration(f"{rng.randint(25, 60)}%"))
    if rng.random() < 0.2:
        rails.append(net_exposure(f"{rng.randint(20, 80)}%"))
    if rng.random() < 0.2:
        rails.append(hedge_coverage("S0", at_least="50%", at_most="110%", legging="30%"))
    mandate = ResolvedMandate(
        "repairs",
        tuple(rails),
        stress_set(rng),
        Costs(Fraction(1, 1000), Fraction(2, 1000)),
        Fraction(4, 5),
        Fraction(1, 100),
    )
    situation = Situation(book, prices, nav, nav, 7, dict.fromkeys(known, PLENTY))
    return Repairing(mandate, situation, Proposal(tuple(made), rng.random() < 0.3))


def every_repair(proposal: Proposal) -> Iterator[Proposal]:
    """Every trade that a repair of ``proposal`` may be, lot by lot."""
    sizes = [range(leg.quantity // leg.instrument.lot + 1) for leg in proposal.legs]
    for lots in itertools.product(*sizes):
        kept = of_lots(proposal, list(lots))
        if departure(proposal, kept) is None:
            yield kept
