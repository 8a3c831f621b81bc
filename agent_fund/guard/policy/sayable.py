"""Ready-made limits of exposure, said in the mandate language: one tree, and its four meanings.

Said of spot and of perpetuals and futures. An option and a share of a pool count as a range in the
ready-made limits and not in the language, so a fund that has one gets none of these.

The verdicts are those of the ready-made judges, with three provisos. A net exposure that is beyond
its limit on one side blocks what would put it beyond on the other even if by less; its judge does
not. A hedge coverage takes one price for each asset, at whichever venue. Money on its way between
venues is no free cash, and orders that wait for each other pay for none.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    By,
    Cash,
    Exposure,
    Known,
    Selection,
    minus,
    plus,
    times,
)

NAV = Known("nav")
RANGES = (Kind.OPTION, Kind.LP_SHARE)


def as_clause(guardrail: Guardrail, instruments: Mapping[str, Instrument]) -> Clause | None:
    """The guardrail as a clause over ``instruments``; None where the language cannot say it."""
    if any(line.kind in RANGES for line in instruments.values()):
        return None
    found = _relations(guardrail, instruments)
    if not found:
        return None
    relation = found[0] if len(found) == 1 else Both(tuple(found))
    name = guardrail.key.replace(" ", "_")
    return Clause(name, guardrail.rule, guardrail.why, guardrail.always, relation)


def _relations(guardrail: Guardrail, instruments: Mapping[str, Instrument]) -> list[AtMost]:
    most = times(guardrail.limit, NAV)
    match guardrail.kind:
        case "gross_leverage":
            return [AtMost(Exposure("gross"), most)]
        case "net_exposure":
            net = Exposure("net")
            return [AtMost(net, most), AtMost(times(Fraction(-1), net), most)]
        case "concentration":
            groups = _groups(guardrail.terms.get("by", "asset"), instruments)
            return [AtMost(Exposure("gross", group), most) for group in groups]
        case "hedge_coverage":
            return _covered(guardrail, instruments)
        case "cash_floor" if all(line.margin is None for line in instruments.values()):
            places = sorted({line.account for line in instruments.values()})
            return [AtMost(most, plus(*map(Cash, places)))]
    return []


def _groups(by: str, instruments: Mapping[str, Instrument]) -> list[Selection]:
    lines = instruments.values()
    chains = (line.venue.chain for line in lines)
    of: By
    match by:
        case "venue":
            of, names = "venue", {line.venue.name for line in lines}
        case "chain":
            of, names = "chain", {chain.caip2 for chain in chains if chain is not None}
        case _:
            of, names = "asset", {line.underlying for line in lines}
    return [Selection(of, name) for name in sorted(names)]


def _covered(guardrail: Guardrail, instruments: Mapping[str, Instrument]) -> list[AtMost]:
    missed = times(guardrail.limit, NAV)
    known = {line.underlying for line in instruments.values()}
    found = []
    for asset in filter(known.__contains__, guardrail.terms["assets"].split()):
        own = Selection("asset", asset)
        long, short = Exposure("long", own), Exposure("short", own)
        under = minus(times(guardrail.share("at_least"), long), short)
        over = minus(short, times(guardrail.share("at_most"), long))
        found += [AtMost(under, missed), AtMost(over, missed)]
    return found
