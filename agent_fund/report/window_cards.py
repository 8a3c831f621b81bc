"""What happened in each stress window: the market, the fund, the run without a guard, the guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from agent_fund.report.decisions import Act, Decision, acts, decisions
from agent_fund.report.numbers import DASH, count, day, money, percent, percent_up
from agent_fund.report.run import Run
from agent_fund.report.stress_windows import Seen, windows_seen

SHOWN = 4


@dataclass(frozen=True)
class Result:
    """Return over a window, and the deepest drawdown in it, as shares."""

    total: float
    drawdown: float

    @property
    def text(self) -> str:
        """Both as people read them."""
        return f"{percent(self.total)}, {percent_up(self.drawdown)} below the mark at worst"


@dataclass(frozen=True)
class Card:
    """One window.

    Attributes:
        days: in words. ``source``: of its days.
        moves: by instrument, the largest move from the price at which the window began.
        fund, twin: None for a run without a twin.
        events: what else is to be told: label and text.
        did: what the guard did, in words. ``said``: its own words, each with what they were about.
    """

    name: str
    days: str
    source: str
    moves: dict[str, float]
    fund: Result
    twin: Result | None
    events: tuple[tuple[str, str], ...]
    did: str
    said: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Label and text of each line."""
        moved = ", ".join(f"{name} {percent(move)}" for name, move in self.moves.items())
        twin = [("Unguarded", self.twin.text)] if self.twin is not None else []
        return [("Market", moved), ("Fund", self.fund.text), *twin, *self.events]


def cards(run: Run) -> list[Card]:
    """A card for each stress window that the run saw."""
    made, own = decisions(run), acts(run)
    return [_card(run, seen, made, own) for seen in windows_seen(run)]


def _card(run: Run, seen: Seen, made: Sequence[Decision], own: Sequence[Act]) -> Card:
    frame = run.frame
    decided = [d for d in made if seen.first <= d.bar <= seen.last]
    acted = [a for a in own if seen.first <= a.bar <= seen.last]
    twin = None
    if run.twin:
        twin = _result(frame["unguarded_nav"], run.unguarded_drawdown, seen)
    return Card(
        seen.window.name,
        _days(run, seen),
        seen.window.source,
        {symbol: _largest(frame[f"price.{symbol}"], seen) for symbol in _main(run)},
        _result(frame["nav"], run.drawdown, seen),
        twin,
        tuple(_events(run, seen)),
        _did(decided, acted),
        tuple(_said(decided, acted)),
    )


def _days(run: Run, seen: Seen) -> str:
    """The days of the window that lie in the run."""
    start = max(pd.Timestamp(seen.window.start, tz="UTC"), run.time(0).normalize())
    end = min(pd.Timestamp(seen.window.end, tz="UTC"), run.time(-1).normalize())
    return day(start) if start == end else f"{day(start)} to {day(end)}"


def _main(run: Run) -> list[str]:
    """The first instrument of each underlying, those most held first."""
    first: dict[str, str] = {}
    for instrument in run.parts.instruments:
        first.setdefault(instrument.underlying, instrument.symbol)
    held = {s: float(run.frame[f"exposure.{s}"].abs().mean()) for s in first.values()}
    return sorted(first.values(), key=lambda s: (-held[s], s))[:SHOWN]


def _largest(prices: pd.Series[float], seen: Seen) -> float:
    moves = prices.iloc[seen.before : seen.last + 1] / prices.iloc[seen.before] - 1
    return float(moves.iloc[int(moves.abs().to_numpy().argmax())])


def _result(nav: pd.Series[float], drawdown: pd.Series[float], seen: Seen) -> Result:
    total = float(nav.iloc[seen.last] / nav.iloc[seen.before]) - 1
    return Result(total, float(drawdown.iloc[seen.first : seen.last + 1].min()))


def _events(run: Run, seen: Seen) -> list[tuple[str, str]]:
    """Funding, and liquidations with and without the guard, where there are perpetuals."""
    if not run.margined:
        return []
    inside = run.frame.iloc[seen.first : seen.last + 1]
    found = [("Funding", money(float(inside["funding"].sum()), run.currency))]
    closed = _positions(inside["liquidated"])
    if "unguarded_liquidated" in inside:
        closed += f"; unguarded {_positions(inside['unguarded_liquidated'])}"
    return [*found, ("Liquidated", closed)]


def _positions(liquidated: pd.Series[int]) -> str:
    number = int(liquidated.sum())
    return count(number, "position") if number else "none"


def _did(decided: Sequence[Decision], acted: Sequence[Act]) -> str:
    outcomes, done = Counter(d.outcome for d in decided), Counter(a.act for a in acted)
    parts = [
        *(
            (done[act], one, many)
            for act, one, many in (
                ("look", "renewed certificate", "renewed certificates"),
                ("reduce", "reduction", "reductions"),
                ("exit", "exit", "exits"),
                ("kill", "stop of trading", "stops of trading"),
            )
        ),
        *(
            (outcomes[outcome], f"proposal {outcome}", f"proposals {outcome}")
            for outcome in ("admitted", "repaired", "refused")
        ),
    ]
    return ", ".join(count(n, one, many) for n, one, many in parts if n) or "Nothing was asked"


def _said(decided: Sequence[Decision], acted: Sequence[Act]) -> list[tuple[str, str]]:
    """The first reason to act by itself, and the guardrails that stopped most proposals."""
    found = []
    first = next((a for a in acted if a.act in ("reduce", "exit", "kill")), None)
    if first is not None:
        found.append((f"at the first {NOUNS[first.act]}", first.why or DASH))
    for outcome in ("refused", "repaired"):
        stopped = [d for d in decided if d.outcome == outcome]
        ranked = Counter(name for d in stopped for name in d.broken).most_common(1)
        for name, number in ranked:
            example = next(d for d in stopped if name in d.broken)
            words = example.why[example.broken.index(name)]
            found.append((f"{outcome} {count(number, 'time')} for {name}, first", words))
    return found


NOUNS = {"reduce": "reduction", "exit": "exit", "kill": "stop"}
