"""``agent-fund mandate``: explain a mandate, and check what its guardrails add to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

mandate_app = typer.Typer(
    help="Mandates: explain one, check one, compare two.", no_args_is_help=True
)

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A mandate file (.py), a resolved mandate (.json), or a run folder."
    ),
]


@mandate_app.command("explain")
def explain_command(
    file: FileArgument,
    form: Annotated[
        Literal["terminal", "markdown", "html", "json"],
        typer.Option("--format", help="How to say it."),
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write it here. [default: stdout]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Say of each guardrail what it asks for: a sentence, a formula, when, and on what it rests."""
    from agent_fund.cli.mandate_explain import explain_mandate

    if as_json and form not in ("terminal", "json"):
        raise typer.BadParameter(f"it is not {form}: leave one of them out", param_hint="--json")
    raise typer.Exit(explain_mandate(file, "json" if as_json else form, out))


@mandate_app.command("check")
def check_command(
    file: FileArgument,
    against: Annotated[
        Path | None,
        typer.Option(metavar="OTHER", help="What does one admit that the other does not?"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
    ] = False,
) -> None:
    """Ask solvers which guardrails are idle, dead or implied, or what differs (exit 0 or 12)."""
    from agent_fund.cli.mandate_check import check_mandate

    raise typer.Exit(check_mandate(file, against, as_json=as_json))
