"""The page's sentences: whether the promise was kept, on which conditions, and at what price.

The guarantee is conditional, and every sentence here is written so that it cannot be read as more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.audit.track_record import ASSUMPTION, DEFECT, HELD
from agent_fund.fund.monitor import Breach
from agent_fund.guard.finding import share
from agent_fund.report.numbers import GAP, count, limit_percent, money, percent, percent_up
from agent_fund.report.run import Run

STATES = {HELD: "held", ASSUMPTION: "assumption", DEFECT: "defect"}
PROMISES = {
    "max_drawdown": "The drawdown promise",
    "fixed_floor": "The promise of a fixed floor",
    "margin_safety": "The promise that no account is liquidated",
}
STALE = 0.01
"""Share of opens that repeat the close before, above which the page says so."""


@dataclass(frozen=True)
class Verdict:
    """The first thing that is read.

    Attributes:
        state: ``held``, ``strained`` (held though an assumption failed), ``assumption`` or
            ``defect``.
    """

    state: str
    title: str
    sentences: tuple[str, ...]


def verdict(run: Run) -> Verdict:
    """Whether the drawdown promise was kept; if not, which assumption failed or that none did."""
    state = STATES[run.summary["guarantee"]]
    if state == "held":
        failed = sorted({f.assumption for f in run.monitor.failures})
        but = f", though {_listed(failed)} failed" if failed else ""
        state = "strained" if failed else "held"
        title = f"The drawdown promise was kept{but}."
        sentences = [_kept(run), *_failed_all_the_same(run)]
    else:
        breach = run.monitor.breaches[0]
        sentences = [_broken(run, breach)]
        promise = PROMISES[breach.limit]
        if state == "assumption":
            named = _listed(sorted({f.assumption for f in breach.failures}))
            title = f"{promise} was broken: {named} failed."
            first = breach.failures[0]
            sentences.append(f"Bar {first.bar}, {run.moment(first.bar)}: {first.text}.")
        else:
            title = f"{promise} was broken, and that is our defect."
            sentences.append(
                "Every assumption that can be watched held, so the guard should have prevented "
                "this. Please report it with the run folder."
            )
    if run.twin:
        sentences += [_unguarded(run), price(run)]
    return Verdict(state, title, tuple(sentences))


def condition(run: Run) -> str:
    """The sentence that keeps the promise from being read as more than it is."""
    horizon = count(run.parts.mandate.stress.horizon, "open")
    return (
        "The promise is conditional. It is proved for every market that stays inside the declared "
        f"stress set for {horizon} after a decision, and says nothing of any other: if an "
        "assumption fails, losses can go beyond the limit."
    )


def cautions(run: Run) -> list[str]:
    """What a careful reader should know of the data before believing the figures."""
    stale = {s: float(v) for s, v in run.summary["stale_opens"].items()}
    named = [
        f"{percent(v)} of {s} opens equal the previous close" for s, v in stale.items() if v > STALE
    ]
    found = []
    if named:
        found.append(
            f"{'; '.join(named)}: such opens are hardly market prices, so fills at them may be "
            "kinder than real ones, and moves over an open look smaller than they were."
        )
    gaps = sum(r["kind"] == "gap" for r in run.records)
    if gaps:
        found.append(f"{count(gaps, 'gap')} in the data, skipped as the run file says.")
    if run.flows:
        found.append(
            f"Money came in or went out {count(run.flows, 'time')}: the returns and the unguarded "
            "drawdown are not corrected for it; the fund's own drawdown is."
        )
    return found


def price(run: Run) -> str:
    """What the guard cost, or brought, in this one history."""
    nav, twin = run.frame["nav"].iloc[-1], run.frame["unguarded_nav"].iloc[-1]
    fund, other = run.summary["fund"], run.summary["unguarded"]
    returns = (
        f"{percent(float(fund['total_return']))} instead of {percent(float(other['total_return']))}"
    )
    amount = money(abs(twin - nav), run.currency)
    if twin > nav:
        return f"With the guard the fund ended {amount} lower: a return of {returns}."
    if twin < nav:
        return f"With the guard the fund ended {amount} higher: a return of {returns}."
    return "The guard changed nothing: both runs ended with the same NAV."


def exposure(run: Run) -> str:
    """How much of what the mandate allows was used."""
    figures = {name: float(value) for name, value in run.summary["exposure"].items()}
    told = (
        "The cap is the largest book of the mix held, or held last, for which the "
        f"promise can be proved. It averaged {percent(figures['cap_now'])} of NAV, and "
        f"{percent(figures['cap_at_peak'])} as if there were no drawdown. On average "
        f"{percent(figures['mean'])} was invested, {percent(figures['share_of_cap'], 0)} of the "
        "latter."
    )
    gross = run.parts.mandate.guardrail("gross_leverage")
    if gross is not None and gross.limit < figures["cap_at_peak"]:
        limit = limit_percent(float(gross.limit))
        told += f" Gross leverage ends at {limit}, before that cap does."
    return told


def _kept(run: Run) -> str:
    return (
        f"NAV stayed within {limit_percent(run.limit)} of its high-water mark at the open and the "
        f"close of all {count(len(run.frame), 'bar')} from {run.moment(0)} to {run.moment(-1)}."
    ) + (
        (
            f" The deepest drawdown was {percent_up(run.worst)}, on {_when(run)}."
            if run.worst
            else ""
        )
        + (" No margin account was liquidated." if run.margined else "")
    )


def _when(run: Run) -> str:
    return run.moment(int(run.drawdown.to_numpy().argmin()))


def _failed_all_the_same(run: Run) -> list[str]:
    bars = Counter(code for code, _ in {(f.assumption, f.bar) for f in run.monitor.failures})
    if not bars:
        return []
    named = "; ".join(f"{code} failed in {count(n, 'bar')}" for code, n in sorted(bars.items()))
    return [f"{named}. There the proof did not apply, and the limit held without it."]


def _broken(run: Run, breach: Breach) -> str:
    after = {
        "halted": "The guard then closed every position, and the fund is halted",
        "exiting": "The guard is closing every position, and was not done when the run ended",
    }.get(run.summary["fund"]["mode"], "The run ended there")
    below = share(1 - Fraction(breach.nav, breach.mark)).replace("%", f"{GAP}%")
    at = f"On {run.moment(breach.bar)}, at the {breach.when}"
    if run.clock:
        at = f"In the bar that closed on {run.moment(breach.bar)}, at its {breach.when}"
    nav = f"NAV was {money(run.nav(breach.nav), run.currency)}, {below} below its high-water mark"
    if breach.limit == "margin_safety":
        happened = f"{at}, a venue closed positions for want of margin; after it {nav}"
    elif breach.limit == "fixed_floor":
        happened = f"{at}, {nav}, and below the fixed floor"
    else:
        happened = f"{at}, {nav}; the limit is {limit_percent(run.limit)}"
    return f"{happened}. {after}. The deepest drawdown was {percent_up(run.worst)}."


def _unguarded(run: Run) -> str:
    worst = percent_up(run.unguarded_worst)
    beyond = run.unguarded_beyond
    if not beyond.any():
        return f"Unguarded, the same strategy fell {worst} at worst, inside the limit too."
    first = int(beyond.to_numpy().argmax())
    return (
        f"Unguarded, the same strategy fell {worst} at worst: it broke the limit on "
        f"{run.moment(first)} and was beyond it at {count(int(beyond.sum()), 'close')}."
    )


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return f"assumption {names[0]}"
    return f"assumptions {', '.join(names[:-1])} and {names[-1]}"
