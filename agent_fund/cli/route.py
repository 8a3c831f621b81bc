"""A routing choice for people or as JSON: each route's costs in parts, and why not that one."""

from __future__ import annotations

from rich.console import Console

from agent_fund.cli.terminal import console, grid, one_line, write_json
from agent_fund.domain.instrument import Asset
from agent_fund.execution.route.explain import Choice, Considered, Explanation, goal_name

_MOST_ROWS = 12
_STYLES = {Choice.CHOSEN: "bold green", Choice.REFUSED: "red"}


def show_route(
    explanation: Explanation, *, as_json: bool = False, screen: Console | None = None
) -> None:
    """Print the choice on ``screen``, or stdout, the chosen route first.

    Args:
        as_json: print all of it on stdout instead.
    """
    if as_json:
        write_json(explanation.to_json())
        return
    unit, screen = explanation.currency, screen or console()
    chosen = explanation.chosen
    screen.print(f"Goal: {one_line(goal_name(explanation.goal, unit))}", style="bold")
    if chosen is None:
        screen.print("No route: none of those that can be had is admitted.", style="bold red")
    table = grid(
        "route",
        "",
        ">net cost",
        ">slippage",
        ">fees",
        ">gas",
        ">time at risk",
        ">under way",
        ">seconds",
        "why",
        title=f"Routes, costs in {unit.symbol}",
    )
    for one in explanation.considered[:_MOST_ROWS]:
        style = _STYLES.get(one.choice, "" if one.route is not None else "dim")
        table.add_row(*_cells(one, unit), style=style)
    screen.print(table)
    if (left := len(explanation.considered) - _MOST_ROWS) > 0:
        screen.print(f"and {left} more; --json prints all of them", style="dim")
    for absence in explanation.absences:
        screen.print(f"no quote: {one_line(absence)}", style="dim")


def _cells(one: Considered, unit: Asset) -> list[str]:
    route = one.route
    name, why = one_line(one.name), one_line(one.reason)
    if route is None:
        return [name, one.choice.value, *[""] * 7, why]
    costs = route.costs
    parts = (costs.total, costs.slippage, costs.fees, costs.gas, costs.risk)
    # One stage at a time: never more than the largest of them.
    exposed = max((part.amount for part in route.under_way), default=0)
    trusted = ", ".join(dict.fromkeys(p.trusted for p in route.under_way if p.trusted))
    under_way = f"{unit.amount(exposed):,.2f}" if exposed else ""
    return [
        name,
        one.choice.value,
        *(f"{unit.amount(part):,.2f}" for part in parts),
        f"{under_way} with {one_line(trusted)}" if trusted else under_way,
        str(route.seconds),
        why,
    ]
