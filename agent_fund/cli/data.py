"""``agent-fund data``: fetch, import, list and check the data sets of a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

data_app = typer.Typer(
    help="Market data: fetch it from exchanges, import files, list it, check it.",
    no_args_is_help=True,
)

CatalogOption = Annotated[
    Path, typer.Option("--catalog", metavar="DIR", help="The catalog's folder.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")
]
LicenceOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The terms under which you have the data.")
]
StepOption = Annotated[
    str | None,
    typer.Option(metavar="STEP", help="Length of a bar, where a file states only its start."),
]
KindOption = Annotated[Literal["bars", "funding"], typer.Option(help="What a file holds.")]
DEFAULT = Path("catalog")


@data_app.command("fetch")
def fetch_command(
    exchange: Annotated[str, typer.Argument(metavar="EXCHANGE", help="ccxt's id, e.g. binance.")],
    symbols: Annotated[
        list[str],
        typer.Argument(
            metavar="SYMBOL",
            help="ccxt's symbols: BTC/USDT is the spot market, BTC/USDT:USDT the perpetual.",
        ),
    ],
    since: Annotated[
        str, typer.Option(metavar="DATE", help="First day (or time) that is wanted, UTC.")
    ],
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last close that is wanted, UTC; without it: now."),
    ] = None,
    timeframe: Annotated[str, typer.Option(metavar="STEP", help="Length of a bar.")] = "1h",
    funding: Annotated[
        bool, typer.Option("--funding", help="Funding rates of the perpetuals too.")
    ] = False,
    mark: Annotated[
        bool, typer.Option("--mark", help="Mark prices of the perpetuals too.")
    ] = False,
    index: Annotated[
        bool, typer.Option("--index", help="Index prices of the perpetuals too.")
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Fetch all again, in place of what is there.")
    ] = False,
    catalog: CatalogOption = DEFAULT,
    licence: LicenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch closed bars into the catalog, or extend what it has; run it again to go on."""
    from agent_fund.cli.data_fetch import fetch_data

    kinds = [kind for kind, wanted in (("mark", mark), ("index", index)) if wanted]
    kinds += ["funding"] if funding else []
    code = fetch_data(
        exchange,
        symbols,
        kinds,
        timeframe,
        (since, until),
        catalog,
        licence,
        anew=anew,
        as_json=as_json,
    )
    raise typer.Exit(code)


@data_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .parquet file.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call the data set.")],
    kind: KindOption = "bars",
    step: StepOption = None,
    price_scale: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=36, help="Decimals of prices; without it: as seen."),
    ] = None,
    volume_scale: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=36, help="Decimals of volumes; without it: as seen."),
    ] = None,
    rounding: Annotated[
        bool, typer.Option("--rounding", help="Round more decimals half-even, not refuse them.")
    ] = False,
    catalog: CatalogOption = DEFAULT,
    licence: LicenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a file of your own, exactly as it is, or be told which row stands in the way."""
    from agent_fund.cli.data_import import import_file

    scales = (price_scale, volume_scale)
    raise typer.Exit(
        import_file(
            file, name, kind, step, scales, catalog, licence, rounding=rounding, as_json=as_json
        )
    )


@data_app.command("list")
def list_command(catalog: CatalogOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List the data sets of a catalog."""
    from agent_fund.cli.data_import import list_data

    raise typer.Exit(list_data(catalog, as_json=as_json))


@data_app.command("check")
def check_command(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Data sets, or .csv and .parquet files.")
    ],
    kind: KindOption = "bars",
    step: StepOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with pictures.")
    ] = None,
    catalog: CatalogOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Look for gaps, outliers and the like: clean (exit 0), or there are findings (exit 10)."""
    from agent_fund.cli.data_check import check_data

    raise typer.Exit(check_data(names, kind, step, out, catalog, as_json=as_json))
