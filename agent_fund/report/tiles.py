"""The six figures under the headline."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.report.numbers import count, limit_percent, money, percent, percent_up
from agent_fund.report.run import Run


@dataclass(frozen=True)
class Tile:
    """One figure.

    Attributes:
        used: share of a limit that is used, drawn as a bar; None if there is no limit to it.
    """

    label: str
    figure: str
    note: str
    used: float | None = None


def tiles(run: Run) -> list[Tile]:
    """Final NAV, drawdown with and without the guard, its cost, exposure, decisions."""
    fund, made = run.summary["fund"], run.summary["decisions"]
    exposure = {name: float(value) for name, value in run.summary["exposure"].items()}
    nav = float(run.frame["nav"].iloc[-1])
    limit = limit_percent(run.limit)
    found = [
        Tile(
            "Final NAV",
            money(nav, run.currency),
            f"a return of {percent(float(fund['total_return']))}",
        ),
        Tile(
            "Deepest drawdown",
            percent_up(run.worst),
            f"of {limit} promised",
            float(-run.worst) / run.limit,
        ),
    ]
    if run.twin:
        other = run.unguarded_worst
        used = float(-other) / run.limit
        beyond = int(run.unguarded_beyond.sum())
        note = f"beyond the limit at {count(beyond, 'close')}" if beyond else "inside the limit too"
        found.append(Tile("Unguarded drawdown", percent_up(other), note, used))
        cost = float(run.frame["unguarded_nav"].iloc[-1]) - nav
        returned = percent(float(run.summary["unguarded"]["total_return"]))
        found.append(
            Tile(
                "The guard cost" if cost >= 0 else "The guard added",
                money(abs(cost), run.currency),
                f"unguarded return {returned}",
            )
        )
    used = exposure["share_of_cap"]
    found.append(
        Tile(
            "Mean exposure",
            percent(exposure["mean"]),
            f"of NAV; {percent(used, 0)} of the cap at no drawdown",
            used,
        )
    )
    decided = sum(made[outcome] for outcome in ("admitted", "repaired", "refused"))
    found.append(
        Tile(
            "Proposals to trade",
            f"{decided:,}",
            f"{made['admitted']:,} admitted, {made['repaired']:,} repaired, "
            f"{made['refused']:,} refused",
        )
    )
    return found
