"""The command line: every command, what its arguments mean, and the exit code it ends with.

``run`` is the whole of it as a function: arguments in, exit code out, text on stdout and stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from agent_fund import __version__
from agent_fund.cli import exit_codes
from agent_fund.cli.data import data_app
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.failures import Failure, failure_of
from agent_fund.cli.keys import keys_app
from agent_fund.cli.mandate import mandate_app
from agent_fund.cli.operator_commands import add_operator_commands
from agent_fund.cli.terminal import console, printable, write_json
from agent_fund.cli.venue_commands import add_venue_commands

app = typer.Typer(
    name="agent-fund",
    help="Language models run a fund and cannot break its mandate: every order carries a proof.",
    epilog=exit_codes.table(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
audit_app = typer.Typer(help="Check a run folder, or read its log.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
app.add_typer(data_app, name="data")
app.add_typer(mandate_app, name="mandate")
app.add_typer(keys_app, name="keys")

RunFileArgument = Annotated[Path, typer.Argument(metavar="RUNFILE", help="A run file (TOML).")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agent-fund {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    pass


@app.command("backtest")
def backtest_command(
    runfile: RunFileArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Make the run folder here. [default: runs/]"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was cut off.")
    ] = None,
    lookahead_check: Annotated[
        bool,
        typer.Option(
            "--lookahead-check",
            help="Make no run folder: run with the future perturbed, in memory and in the "
            "catalog's files; exit 11 if a decision changes. Cannot see absolute paths, the "
            "network, or what a model knows of the past.",
        ),
    ] = False,
    points: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="After how many bars, one at a time, it does so: 4, or N."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a strategy under its mandate, and beside it unguarded."""
    if lookahead_check:
        from agent_fund.cli.lookahead import lookahead_run

        if out is not None or resume is not None:
            name = "--out" if out is not None else "--resume"
            raise typer.BadParameter("the look-ahead check makes no run folder", param_hint=name)
        raise typer.Exit(lookahead_run(runfile, points, as_json=as_json))
    from agent_fund.cli.backtest import backtest_run

    if points is not None:
        raise typer.BadParameter("it belongs to --lookahead-check", param_hint="--points")
    if out is not None and resume is not None:
        raise typer.BadParameter("leave it out: --resume names the run folder", param_hint="--out")
    raise typer.Exit(backtest_run(runfile, out, resume, as_json=as_json))


@app.command("check")
def check_command(
    runfile: RunFileArgument,
    trade: Annotated[
        list[str],
        typer.Option(
            metavar="TRADE", help='"buy 100 SP500 @ 1200"; repeat it, or separate with ;.'
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="Judge at the last close on or before this day. [default: the first of the test]",
        ),
    ] = None,
    hold: Annotated[
        list[str] | None,
        typer.Option(metavar="SYMBOL=QTY", help="Already held, bought at that close."),
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Each leg waits until the one before is filled.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the guard about a trade: admitted (exit 0), or repaired or refused (exit 8)."""
    from agent_fund.cli.check import check_trade

    raise typer.Exit(check_trade(runfile, trade, at, hold or [], ordered=ordered, as_json=as_json))


@audit_app.command("verify")
def verify_command(
    run: RunArgument,
    root: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="The log's root as you know it from elsewhere."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Re-check files, log, every certificate and the track record; trust nobody."""
    from agent_fund.cli.audit import verify_run

    raise typer.Exit(verify_run(run, root, as_json=as_json))


@audit_app.command("show")
def show_command(
    run: RunArgument,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only this kind, e.g. guard.")
    ] = None,
    first: Annotated[
        int, typer.Option("--from", metavar="N", min=0, help="First record to show.")
    ] = 0,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="Show at most so many records.")
    ] = 50,
    record: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="One record, whole, with its inclusion proof."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a run's log: what was asked, decided, sent and filled."""
    from agent_fund.cli.audit import show_record, show_records

    if record is not None:
        raise typer.Exit(show_record(run, record, as_json=as_json))
    raise typer.Exit(show_records(run, kind, first, limit, as_json=as_json))


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: strategies, guardrails, backtests, notebooks."""
    from agent_fund.cli.init import init_workspace

    raise typer.Exit(init_workspace(folder, as_json=as_json))


@app.command("doctor")
def doctor_command(as_json: JsonOption = False) -> None:
    """Check this machine and the current folder; every problem comes with its fix."""
    from agent_fund.cli.doctor import examine

    raise typer.Exit(examine(Path.cwd(), as_json=as_json))


add_venue_commands(app)
add_operator_commands(app)


def run(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` say, and return the exit code; never raises for bad input."""
    as_json = "--json" in arguments
    if os.environ.get("NO_COLOR"):
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None
    command = typer.main.get_command(app)
    try:
        code = command.main(list(arguments), prog_name="agent-fund", standalone_mode=False)
    except TyperException as error:
        # Without a message the help has been shown already.
        if error.format_message():
            _explain(_usage(error), as_json=as_json)
        return ExitCode.BAD_INPUT
    except Exception as error:  # noqa: BLE001 - the outermost edge
        failure = failure_of(error)
        _explain(failure, as_json=as_json)
        return failure.code
    if code == ExitCode.INTERRUPTED:  # what typer makes of a KeyboardInterrupt, without a word
        _explain(failure_of(KeyboardInterrupt()), as_json=as_json)
    return code if isinstance(code, int) else ExitCode.OK


def main() -> NoReturn:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def _usage(error: TyperException) -> Failure:
    context = getattr(error, "ctx", None)
    command = "agent-fund" if context is None else context.command_path
    message = f"{error.format_message()}\nsee: {command} --help"
    return Failure(ExitCode.BAD_INPUT, "UsageError", message, {})


def _explain(failure: Failure, *, as_json: bool) -> None:
    if failure.trace:
        sys.stderr.write(failure.trace)
    if as_json:
        write_json(failure.to_json())
        return
    from rich.text import Text

    label = "interrupted: " if failure.code is ExitCode.INTERRUPTED else "error: "
    text = Text.assemble((label, "bold red"), printable(failure.message))
    console(stderr=True).print(text, soft_wrap=True)


if __name__ == "__main__":
    main()
