"""A devnet in a thread of its own, and small workspaces whose funds trade on it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent_fund.devnet.connection_file import FILE
from agent_fund.devnet.network import Network
from agent_fund.paper.devnet import plan_of

ROOT = Path(__file__).parents[2]


class Devnet:
    """A running network; ``do`` runs a coroutine on its loop."""

    def __init__(self, network: Network, loop: asyncio.AbstractEventLoop) -> None:
        self.network = network
        self._loop = loop

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


@contextmanager
def devnet(runfile: Path, folder: Path, step: float = 0.5) -> Iterator[Devnet]:
    """The devnet for a run file, its prices playing."""
    plan, _ = plan_of(runfile)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    network = Network(plan, folder, step)
    running = Devnet(network, loop)
    try:
        running.do(network.__aenter__())
        try:
            running.do(_playing(network))
            yield running
        finally:
            running.do(network.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _playing(network: Network) -> None:
    network.play()


def workspace(folder: Path, change: Callable[[str], str], name: str = "devnet") -> Path:
    """A copy of the project's workspace with ``change`` made to its devnet run file."""
    for part in ("strategies", "guardrails"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("proofs", "__*"))
    runfile = folder / "backtests" / f"{name}.toml"
    runfile.parent.mkdir()
    text = (ROOT / "backtests" / "devnet.toml").read_text("utf-8")
    runfile.write_text(change(text), "utf-8")
    return runfile


def short(text: str, bars: int) -> str:
    """With bars of a second, and as many of them."""
    assert "bars = 60 " in text
    return text.replace("bars = 60 ", f"bars = {bars} ")


def strategy(text: str, file: str, cls: str, parameters: str) -> str:
    """With another strategy."""
    begin, end = text.index("[strategy]"), text.index("[mandate]")
    section = f'[strategy]\nfile = "{file}"\nclass = "{cls}"\nevery = "bar"\n\n'
    return f"{text[:begin]}{section}[strategy.parameters]\n{parameters}\n\n{text[end:]}"


def truth(running: Devnet) -> dict[str, tuple[Decimal, Decimal]]:
    """(currency, coins) by venue, as the venues themselves have them."""
    return running.do(_truth(running.network))


async def _truth(network: Network) -> dict[str, tuple[Decimal, Decimal]]:
    from agent_fund.devnet.near.devnet import FUND, VERIFIER
    from agent_fund.devnet.tokens import balance

    found: dict[str, tuple[Decimal, Decimal]] = {}
    account = network.exchange.spot_account
    found["exchange"] = (account.total("USDT"), account.total("ETH"))
    for name, side in network.sides_of.items():
        holder = network.holders[name]
        dollars = await balance(side.deployer, side.dollar.address, holder)
        coins = await balance(side.deployer, side.weth, holder)
        found[name] = (Decimal(dollars) / 10**6, Decimal(coins) / 10**18)
    chain = network.near.chain
    units = []
    for token in ("nep141:usdc.near", "nep141:eth.near"):
        asked = f'{{"account_id":"{FUND}","token_id":"{token}"}}'.encode()
        answer = chain.view(VERIFIER, "mt_balance_of", asked, chain.head)
        units.append(int(answer.decode().strip('"')))
    found["near"] = (Decimal(units[0]) / 10**6, Decimal(units[1]) / 10**18)
    return found


def connections(running: Devnet) -> Path:
    """The network's file of connections."""
    return running.network.folder / FILE
