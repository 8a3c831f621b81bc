"""What a question is about: a mandate, and the instruments over which it is asked.

A run knows its instruments. A mandate file names some only; the others of a fund that it may guard
stand in for any: each of an asset and at a venue of its own, held long or short. What is found of
them holds of fewer too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.instrument import Asset, Chain, Instrument, Venue
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.expression import Cash, Exposure, Known, Loss, leaves
from agent_fund.guard.mandate import Mandate
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.stress_set import Stress

MOST_OTHERS = 200
_QUOTE = Asset("MONEY", 12)


@dataclass(frozen=True)
class Subject:
    """A mandate to ask about.

    Attributes:
        stress: the resolved set, or the rule by which it will be made.
        instruments: over which the question is asked, by symbol.
        known: whether they are a run's, with its venues and margin terms; else stand-ins.
    """

    name: str
    guardrails: tuple[Guardrail, ...]
    clauses: tuple[Clause, ...]
    stress: Stress | Calibration
    costs: Costs
    instruments: Mapping[str, Instrument]
    known: bool

    def over(self, instruments: Mapping[str, Instrument]) -> Subject:
        """The same mandate, asked about over ``instruments``."""
        parts = (self.name, self.guardrails, self.clauses, self.stress, self.costs)
        return Subject(*parts, instruments, self.known)

    def proves_like(self, other: Subject) -> bool:
        """Whether what is proved of a book is the same under both mandates."""
        return (self.stress, self.costs) == (other.stress, other.costs)


def subject(
    mandate: Mandate | ResolvedMandate, instruments: Iterable[Instrument] | None = None
) -> Subject:
    """The mandate over a run's ``instruments``, or over stand-ins if they are not known."""
    parts = (
        mandate.name,
        tuple(mandate.guardrails),
        tuple(mandate.clauses),
        mandate.stress,
        mandate.costs,
    )
    if instruments is not None:
        return Subject(*parts, {line.symbol: line for line in instruments}, known=True)
    return Subject(*parts, _stand_ins(mandate), known=False)


def _stand_ins(mandate: Mandate | ResolvedMandate) -> dict[str, Instrument]:
    stress = mandate.stress
    if isinstance(stress, Stress):
        follows = {tie.first: tie.second for tie in stress.ties}
        symbols = set(stress.instruments)
    else:
        follows = dict(stress.basis)
        symbols = {*follows, *follows.values(), *stress.declared.boxes}
        symbols |= {s for weights in stress.factors.values() for s in weights}
        symbols |= {s for budget in stress.budgets for s in budget.of}
        symbols |= {s for combination in stress.combinations for s in combination.weights}
    found = {s: _line(s, follows.get(s, s)) for s in sorted(symbols)}
    symbols, hedged, venues, chains = _named(mandate.guardrails, mandate.clauses)
    assets = {line.underlying for line in found.values()}
    found |= {s: _line(s) for s in sorted(symbols - set(found) - assets)}
    for asset in sorted(hedged):
        # What is hedged has a long and a short side.
        found.setdefault(asset, _line(asset))
        found[f"{asset}-HEDGE"] = _line(f"{asset}-HEDGE", asset)
    if not isinstance(stress, Stress):
        others = range(1, 1 + _others(mandate.guardrails))
        found |= {line.symbol: line for line in (_line(f"OTHER-{n}") for n in others)}
    assets = {line.underlying for line in found.values()}
    for place, at in [(v, Venue(v)) for v in sorted(venues)] + [
        (c, Venue(f"venue-on-{c.replace(':', '-')}", Chain(c))) for c in sorted(chains)
    ]:
        # Any asset may be at a venue or on a chain that is named.
        found |= {f"{a}-at-{place}": _line(f"{a}-at-{place}", a, at) for a in sorted(assets)}
    return found


def _named(
    guardrails: Sequence[Guardrail], clauses: Sequence[Clause]
) -> tuple[set[str], set[str], set[str], set[str]]:
    """Symbols or assets, assets with two sides, venues and chains that a mandate names."""
    symbols: set[str] = set()
    named: dict[str, set[str]] = {by: set() for by in ("asset", "instrument", "venue", "chain")}
    places: set[str] = set()
    for guardrail in guardrails:
        names = {part.partition("=")[0] for part in guardrail.terms.get("names", "").split()}
        (places if guardrail.kind == "destination_allow_list" else symbols).update(names)
        named["asset"] |= set(guardrail.terms.get("assets", "").split())
    for clause in clauses:
        for leaf in leaves(clause.relation):
            match leaf:
                case Exposure(_, selection) | Loss(selection) if selection.by != "all":
                    named[selection.by].add(selection.name)
                case Cash(place) | Known("cash", place):
                    places.add(place)
                case Known("price", symbol):
                    symbols.add(symbol)
    # The place of a margin account of its own is part of a venue.
    venues = {place.partition("/")[0] for place in places if place}
    return symbols | named["instrument"], named["asset"], venues | named["venue"], named["chain"]


def _line(symbol: str, asset: str = "", venue: Venue | None = None) -> Instrument:
    """A stand-in, at a venue of its own unless one is named."""
    at = venue or Venue(f"venue-of-{symbol}")
    return Instrument(symbol, Asset(symbol, 0), _QUOTE, at, 0, underlying=asset or symbol)


def _others(guardrails: Sequence[Guardrail]) -> int:
    """So many that no limit of each adds up to a limit of all."""
    limits = {g.key: g.limit for g in guardrails}
    whole = max(limits.get(k, Fraction(0)) for k in ("gross_leverage", "net_exposure"))
    # A floor of cash leaves the rest for positions.
    whole = max(whole, 1 - limits.get("cash_floor", Fraction(1)))
    each = [v for k, v in limits.items() if v and k.startswith(("concentration", "venue"))]
    needed = math.ceil(whole / min(each)) if each else 0
    return min(MOST_OTHERS, 1 + needed)
