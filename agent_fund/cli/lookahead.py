"""``agent-fund backtest --lookahead-check``: whether any decision hung on what came after it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.interruption import StoppedError, between_bars
from agent_fund.cli.progress import stages
from agent_fund.cli.records import Reader
from agent_fund.cli.terminal import console, printable, write_json
from agent_fund.market.gaps import iso

if TYPE_CHECKING:
    from agent_fund.backtest.difference import Difference
    from agent_fund.backtest.lookahead import Checked

_TRIED = {
    "memory": "the bars that it is fed were perturbed",
    "files": "the data sets in its workspace were perturbed too",
}
_NOTHING = "nothing"
_LIMITS = (
    "The check cannot see a strategy that reads an absolute path or the network, signals made from "
    "the future beforehand, or what a model knows of the past."
)


def lookahead_run(runfile: Path, points: int | None, *, as_json: bool) -> int:
    """Check ``runfile``, show what was found, and return OK or LOOKAHEAD."""
    # What a strategy prints must not mix with the one JSON object on stdout.
    quiet = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with quiet, stages(console(stderr=True)) as report, between_bars() as interruption:
        from agent_fund.backtest.lookahead import POINTS, check_lookahead

        def progress(stage: str, done: int, total: int) -> None:
            report(stage, done, total)
            interruption.at_bar()

        try:
            checked = check_lookahead(runfile, points=points or POINTS, progress=progress)
        except KeyboardInterrupt:
            raise StoppedError("stopped; the check keeps nothing, run it again") from None
    code = ExitCode.LOOKAHEAD if checked.looks_ahead else ExitCode.OK
    if as_json:
        write_json({**_to_json(checked), "exit": int(code)})
    else:
        _show(console(), checked)
    return code


def _to_json(checked: Checked) -> dict[str, object]:
    cuts = [{**asdict(cut), "time": iso(cut.time)} for cut in checked.cuts]
    for cut in cuts:
        if cut["difference"] is not None:
            cut["difference"]["time"] = iso(cut["difference"]["time"])
    return {
        "name": checked.name,
        "bars": checked.bars,
        "proposals": checked.proposals,
        "looks_ahead": checked.looks_ahead,
        "mandate_differs": checked.mandate_differs,
        "cuts": cuts,
    }


def _show(screen: Console, checked: Checked) -> None:
    screen.print()
    bars = f"{checked.bars:,} bars, {checked.proposals:,} of them with a proposal"
    screen.print(Text.assemble((checked.name, "bold"), f", {bars}"))
    if checked.mandate_differs:
        said = "with another test window it resolves to other limits"
        screen.print(Text.assemble("Mandate: ", ("look-ahead", "bold red"), f", {said}"))
    for cut in checked.cuts:
        place = f"Another future after bar {cut.bar}, {_close(cut.time)}: "
        if cut.difference is None:
            found = ("no decision changed", "bold green")
            count = f" ({cut.proposals:,} proposals)"
            screen.print(Text.assemble(place, found, count), soft_wrap=True)
        else:
            screen.print(Text.assemble(place, ("look-ahead", "bold red")), soft_wrap=True)
            _tell(screen, cut.difference, checked.genesis)
    if not checked.proposals:
        screen.print("The strategy proposed nothing, so there was little to compare.")
    screen.print()
    screen.print(_LIMITS)


def _tell(screen: Console, difference: Difference, genesis: Mapping[str, Any]) -> None:
    """The difference in a person's units; as recorded where that would not show it."""
    sides = difference.expected, difference.seen
    was, now = (_gist(side, genesis) for side in sides)
    if was == now:
        was, now = (json.dumps(_apart(*pair)) for pair in (sides, sides[::-1]))
    place = f"  bar {difference.bar}, {_close(difference.time)}, {difference.what}; "
    screen.print(place + _TRIED[difference.tried], soft_wrap=True)
    if difference.what not in ("request", "error"):
        screen.print(f"    with the true future:  {was}", soft_wrap=True)
    screen.print(f"    with another future:   {now}", soft_wrap=True)


def _gist(record: Mapping[str, Any] | None, genesis: Mapping[str, Any]) -> str:
    if record is None:
        return _NOTHING
    if "error" in record:
        return printable(str(record["error"]))
    reader = Reader()
    reader.gist(genesis)
    return reader.gist(record)


def _apart(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any]:
    """What ``one`` has and ``other`` has not."""
    return {k: v for k, v in (one or {}).items() if (other or {}).get(k) != v}


def _close(time: int) -> str:
    """A close as people read it, UTC: ``2020-01-19 12:00``."""
    return iso(time)[:16].replace("T", " ")
