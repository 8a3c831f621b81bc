"""The commands of an operator, as ``agent-fund`` offers them: status, halt, flatten, resume,
settle, adjust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="A run folder; without it, the newest under runs/."),
]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; recorded.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", "--why", metavar="TEXT", help="Why; recorded.")
]
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


def settle_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] ORDER",
            help="A run folder, as for halt; and an order in doubt, as status shows it: the first "
            "characters of its id are enough.",
            show_default=False,
        ),
    ],
    by: ByOption,
    reason: ReasonOption,
    wait: WaitOption = 30,
    as_json: JsonOption = False,
) -> None:
    """End an order that stays in doubt, with the fills booked so far; halt the fund first.

    What its venue did beyond them, the books learn by adjust.
    """
    from agent_fund.cli.control import operate

    if len(words) > 2:
        raise typer.BadParameter("name one order, and before it the run", param_hint="ORDER")
    run = Path(words[0]) if len(words) == 2 else None
    raise typer.Exit(operate("settle", run, by, reason, wait, words[-1:], as_json=as_json))


def adjust_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] VENUE ASSET AMOUNT [ASSET AMOUNT]...",
            help="A run folder, as for halt; a venue or margin account, as status shows it; and "
            "how much more (or less, -) of the currency or of a position there is than the books "
            "say. What was paid and what was received for it belong together.",
            show_default=False,
        ),
    ],
    by: ByOption,
    reason: ReasonOption,
    wait: WaitOption = 30,
    as_json: JsonOption = False,
) -> None:
    """Let the books say what a venue really has; it counts in NAV. Halt the fund first.

    Nothing may be open or under way there. A loss counts as a loss, and may break a limit; a gain
    makes up no drawdown. A position is stated before a flatten has ended: what is halted closes
    nothing, and would have to be resumed first.
    """
    from agent_fund.cli.control import operate
    from agent_fund.domain.errors import DomainError
    from agent_fund.domain.money import decimal

    if len(words) < 3:
        fix = "name a venue, an asset and an amount"
        raise typer.BadParameter(fix, param_hint="VENUE ASSET AMOUNT")
    run = Path(words[0]) if len(words) % 2 == 0 else None
    about = words if run is None else words[1:]
    for asset, amount in zip(about[1::2], about[2::2], strict=True):
        try:
            decimal(amount, f"amount of {asset}")
        except DomainError as error:
            raise typer.BadParameter(str(error), param_hint="AMOUNT") from None
    raise typer.Exit(operate("adjust", run, by, reason, wait, about, as_json=as_json))


def add_operator_commands(app: typer.Typer) -> None:
    """Offer them under ``app``."""
    app.command("status")(status_command)
    app.command("halt")(halt_command)
    app.command("flatten")(flatten_command)
    app.command("resume")(resume_command)
    app.command("settle")(settle_command)
    # An amount such as -12.5 is no option.
    app.command("adjust", context_settings={"ignore_unknown_options": True})(adjust_command)
