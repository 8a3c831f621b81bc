"""The seven assumptions under which the promise is proved, and what the run showed of each.

Nothing is called held that was not watched: A4, A6 and A7 cannot be seen from bars (a person who
adjusts the books has seen that A4 failed), and the assumptions about the way out are tested only if
there was one.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.losses import Loss, Subject
from agent_fund.guard.stress.stress_set import percent
from agent_fund.report.numbers import DASH, count, limit_percent
from agent_fund.report.run import Run

WATCHED = {"held": "held", "failed": "failed", "untested": "not tested", "unseen": "not visible"}


@dataclass(frozen=True)
class Assumption:
    """One assumption and its fate.

    Attributes:
        state: a key of WATCHED. ``seen``: what was watched, in words.
    """

    code: str
    statement: str
    state: str
    seen: str

    @property
    def label(self) -> str:
        """The state in words."""
        return WATCHED[self.state]


def assumptions(run: Run) -> list[Assumption]:
    """A1 to A7, in order."""
    mandate, coverage = run.parts.mandate, run.summary["coverage"]
    outside, inside = coverage["outside"], coverage["inside"]
    ways_out = sum(run.summary["acts"].get(act, 0) for act in ("reduce", "exit"))
    fills = sum(r["kind"] == "fill" for r in run.records)
    fee, slippage = (limit_percent(float(c)) for c in (mandate.costs.fee, mandate.costs.slippage))
    unseen = "cannot be seen from bars"
    moves = "Prices, bases and funding" if mandate.stress.carry else "Prices"
    acts = f"{count(ways_out, 'way')} out" if ways_out else "no way out was needed"
    return [
        _watched(
            run,
            "A1",
            f"{moves} stay inside the stress set, counted from the decision in force, for "
            + count(mandate.stress.horizon, "open"),
            inside + outside,
            f"{count(inside, 'bar')} inside, {outside:,} outside",
        ),
        _watched(run, "A2", "A way out completes within that horizon", ways_out, acts),
        _watched(
            run,
            "A3",
            f"Fees stay within {fee} and slippage within {slippage} of a trade",
            fills,
            f"{count(fills, 'fill')}",
        ),
        _adjusted(run, "Every order in flight is in the book", unseen),
        _watched(run, "A5", "A way out closes all positions in proportion", ways_out, acts),
        Assumption("A6", "The prices that NAV is marked at are right", "unseen", unseen),
        _venues(run, unseen),
    ]


def stress_rows(run: Run) -> list[tuple[str, str, str]]:
    """The declared set: driver, lowest and highest move over the horizon."""
    stress = run.parts.mandate.stress
    names = [*stress.instruments, *(f"{f.name} (basket)" for f in stress.factors)]
    return [
        *(
            (name, percent(low), percent(high))
            for name, (low, high) in zip(names, stress.box, strict=True)
        ),
        *(
            (f"{symbol} against {f.name}", percent(-residual), percent(residual))
            for f in stress.factors
            for symbol, residual in f.residuals.items()
        ),
        *((f"{t.first} against {t.second}", percent(t.low), percent(t.high)) for t in stress.ties),
        *(
            (f"of which funding, {symbol}", percent(-paid), percent(received))
            for symbol, (paid, received) in stress.carry.items()
        ),
        *(
            (f"{', '.join(b.of)} together", DASH, f"{b.most / SCALE:g} boxes")
            for b in stress.budgets
        ),
        *((c.name, DASH, percent(c.most)) for c in stress.combinations),
        *((f"{loss.words} fails", _gone(loss), DASH) for loss in map(Loss.parse, stress.lost)),
    ]


def _gone(loss: Loss) -> str:
    return "all that it issued" if loss.subject is Subject.ISSUER else "all that stands there"


def _watched(run: Run, code: str, statement: str, tried: int, seen: str) -> Assumption:
    failed = len({f.bar for f in run.monitor.failures if f.assumption == code})
    if failed:
        words = seen if code == "A1" else f"{seen}; failed in {count(failed, 'bar')}"
        return Assumption(code, statement, "failed", words)
    return Assumption(code, statement, "held" if tried else "untested", seen)


def _adjusted(run: Run, statement: str, unseen: str) -> Assumption:
    """A4 is seen by nobody but a person, who then adjusts the books."""
    failed = len({f.bar for f in run.monitor.failures if f.assumption == "A4"})
    if not failed:
        return Assumption("A4", statement, "unseen", unseen)
    return Assumption("A4", statement, "failed", f"books adjusted behind {count(failed, 'bar')}")


def _venues(run: Run, unseen: str) -> Assumption:
    """A real venue that closes a position by itself says so; that it stays solvent nobody sees."""
    statement = "Venues stay solvent, and close nothing by themselves"
    failed = len({f.bar for f in run.monitor.failures if f.assumption == "A7"})
    if not failed:
        return Assumption("A7", statement, "unseen", unseen)
    return Assumption("A7", statement, "failed", f"positions closed in {count(failed, 'bar')}")
