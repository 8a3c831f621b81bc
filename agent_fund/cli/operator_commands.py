"""The commands of an operator, as ``agent-fund`` offers them: status, halt, flatten, resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="A run folder; without it, the newest under runs/."),
]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; recorded.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")]
WaitOption = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for the answer.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
]


def status_command(
    run: RunArgument = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """How a fund stands: NAV, drawdown, positions, open orders, venues, alarms, commands."""
    from agent_fund.cli.status import show_status, watch_status

    if watch and as_json:
        raise typer.BadParameter("leave one of them out", param_hint="--watch, --json")
    raise typer.Exit(watch_status(run) if watch else show_status(run, as_json=as_json))


def halt_command(
    by: ByOption,
    reason: ReasonOption,
    run: RunArgument = None,
    wait: WaitOption = 30,
    as_json: JsonOption = False,
) -> None:
    """Stop the agent: its orders are cancelled, positions are held, no new trade is made."""
    from agent_fund.cli.control import operate

    raise typer.Exit(operate("halt", run, by, reason, wait, as_json=as_json))


def flatten_command(
    by: ByOption,
    reason: ReasonOption,
    run: RunArgument = None,
    wait: WaitOption = 30,
    as_json: JsonOption = False,
) -> None:
    """Close every position through the guard's way out, then stay halted."""
    from agent_fund.cli.control import operate

    raise typer.Exit(operate("flatten", run, by, reason, wait, as_json=as_json))


def resume_command(
    by: ByOption,
    reason: ReasonOption,
    run: RunArgument = None,
    wait: WaitOption = 30,
    as_json: JsonOption = False,
) -> None:
    """Let the agent trade again after a halt; the fund refuses unless its book is Safe."""
    from agent_fund.cli.control import operate

    raise typer.Exit(operate("resume", run, by, reason, wait, as_json=as_json))


def add_operator_commands(app: typer.Typer) -> None:
    """Offer them under ``app``."""
    app.command("status")(status_command)
    app.command("halt")(halt_command)
    app.command("flatten")(flatten_command)
    app.command("resume")(resume_command)
