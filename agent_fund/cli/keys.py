"""``agent-fund keys``: make a keystore, put a key that exists into one, show a key's public part.

A private key is never an argument and never shown: it is made here, typed without echo, read from
a pipe, or taken from an environment variable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

keys_app = typer.Typer(
    help="Keys: make or import an encrypted keystore, show an address.", no_args_is_help=True
)

PathArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The keystore to make; there must be none.")
]
PassphraseOption = Annotated[
    str | None,
    typer.Option(
        "--passphrase",
        metavar="env:NAME",
        help="The variable that holds the passphrase. [default: it is asked for, twice]",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
]


@keys_app.command("new")
def new_command(
    kind: Annotated[Literal["evm", "ed25519"], typer.Argument(help="Which kind of key.")],
    file: PathArgument,
    passphrase: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new key in a new keystore; its address is shown, and nothing else."""
    from agent_fund.cli.keys_files import new_key

    raise typer.Exit(new_key(kind, file, passphrase, as_json=as_json))


@keys_app.command("import")
def import_command(
    kind: Annotated[Literal["evm", "ed25519", "api"], typer.Argument(help="Which kind of key.")],
    file: PathArgument,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="env:NAME",
            help="The variable that holds it; env:KEY,SECRET for api. [default: standard input]",
        ),
    ] = None,
    passphrase: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a key that exists into a new keystore: typed without echo, piped, or from a variable."""
    from agent_fund.cli.keys_files import import_key

    raise typer.Exit(import_key(kind, file, source, passphrase, as_json=as_json))


@keys_app.command("show")
def show_command(
    source: Annotated[
        str,
        typer.Argument(metavar="REFERENCE", help="A keystore's file, or a reference to open."),
    ],
    kind: Annotated[
        Literal["evm", "ed25519", "api"], typer.Option(help="Which kind a reference names.")
    ] = "evm",
    as_json: JsonOption = False,
) -> None:
    """Show the public part of a key: of a file as it states it, of a reference by opening it."""
    from agent_fund.cli.keys_files import show_key

    raise typer.Exit(show_key(source, kind, as_json=as_json))
