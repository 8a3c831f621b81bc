"""The commands that run a fund on real venues, as ``agent-fund`` offers them: devnet and paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEVNET_RUNFILE = Path("backtests/devnet.toml")
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
]
devnet_app = typer.Typer(
    help="A private network to try things on: two chains, an exchange, NEAR, all with liquidity.",
    no_args_is_help=True,
)


@devnet_app.command("up")
def up_command(
    runfile: Annotated[
        Path, typer.Argument(metavar="[RUNFILE]", help="Which run file to build it for.")
    ] = DEVNET_RUNFILE,
    step: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.05, help="How long each price lasts.")
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Bring it up and keep it until Ctrl-C; nothing of it survives."""
    from agent_fund.cli.devnet import bring_up

    raise typer.Exit(bring_up(runfile, step, as_json=as_json))


@devnet_app.command("fetch")
def fetch_command(as_json: JsonOption = False) -> None:
    """Fetch its npm packages at their pinned versions, once; needs Node.js with npm."""
    from agent_fund.cli.devnet import fetch_packages

    raise typer.Exit(fetch_packages(as_json=as_json))


def paper_command(
    runfile: Annotated[Path, typer.Argument(metavar="RUNFILE", help="A run file (TOML).")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Make the run folder here. [default: runs/]"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was cut off.")
    ] = None,
    connections: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="How venues are reached. [default: the run file's]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the fund on the venues that its connections name, in real time, with their own fills."""
    from agent_fund.cli.paper import paper_run

    raise typer.Exit(paper_run(runfile, out, resume, connections, as_json=as_json))


def add_venue_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    app.add_typer(devnet_app, name="devnet")
    app.command("paper")(paper_command)
