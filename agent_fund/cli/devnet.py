"""``agent-fund devnet``: fetch its packages, bring it up in the foreground, show that it lives."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.progress import stages
from agent_fund.cli.terminal import console, shown_path, write_json

if TYPE_CHECKING:
    from agent_fund.devnet.network import Network
    from agent_fund.devnet.plan import Plan


def fetch_packages(*, as_json: bool) -> int:
    """Fetch the pinned npm packages that are missing."""
    from agent_fund.devnet.packages import PINNED, cache_folder, fetch

    with stages(console(stderr=True)) as report:
        fetch(lambda name, done, total: report("packages", done, max(total, 1)))
    if as_json:
        write_json({"packages": len(PINNED), "folder": str(cache_folder()), "exit": 0})
    else:
        console().print(f"{len(PINNED)} packages in {cache_folder()}")
    return int(ExitCode.OK)


def bring_up(runfile: Path, step: float, *, as_json: bool) -> int:
    """Bring the devnet up for ``runfile`` and keep it until Ctrl-C."""
    fetch_packages_quietly()
    from agent_fund.devnet.connection_file import FILE
    from agent_fund.paper.devnet import plan_of

    plan, folder = plan_of(runfile)
    return asyncio.run(_keep(plan, folder, folder / FILE, runfile, step, as_json))


def fetch_packages_quietly() -> None:
    """Fetch what is missing, with progress on stderr, and say nothing if all is there."""
    from agent_fund.devnet.packages import fetch, missing

    if missing():
        with stages(console(stderr=True)) as report:
            fetch(lambda name, done, total: report("packages", done, max(total, 1)))


async def _keep(
    plan: Plan, folder: Path, file: Path, runfile: Path, step: float, as_json: bool
) -> int:
    from web3.exceptions import Web3Exception

    from agent_fund.devnet.errors import DevnetError
    from agent_fund.devnet.network import Network

    began = time.monotonic()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with Network(plan, folder, step) as network:
        took = time.monotonic() - began
        if as_json:
            write_json({"connections": str(file.resolve()), "seconds": round(took, 3)})
        else:
            _tell(console(), network, file, runfile, took)
        network.play()
        waiting = asyncio.create_task(stopped.wait())
        playing = asyncio.create_task(network.wait())
        await asyncio.wait({waiting, playing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, playing):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await task
                except (Web3Exception, OSError) as error:
                    fix = "its process is gone: bring the devnet up again"
                    raise DevnetError("a chain of the devnet", str(error), fix) from None
    if not as_json:
        console().print("devnet is down; its chains are gone")
    return int(ExitCode.OK)


def _tell(screen: Console, network: Network, file: Path, runfile: Path, took: float) -> None:
    screen.print(f"devnet is up in {took:.1f} s", style="bold green")
    for name, text in network.addresses():
        screen.print(f"  {name:<10} {text}", highlight=False)
    screen.print(f"  connections  {shown_path(file)}")
    screen.print(f"Trade on it, in another terminal:  agent-fund paper {runfile}")
    screen.print("Ctrl-C takes it down.")
