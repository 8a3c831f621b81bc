"""One fund on real venues, from a run file to a run folder; cut off at any point, it goes on.

The loop is the backtest's: bars come from venues instead of a file, orders go to them instead of
into a simulation. The run folder holds the log, and beside it what was sent and what was told. A
restart makes the run again from both, byte for byte, and then goes on with the world as it is.
"""

from __future__ import annotations

import asyncio
import shlex
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.errors import Interrupted
from agent_fund.backtest.genesis import PAPER, genesis, run_digest
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.run import Finished, end, opened_log, run_folder, told
from agent_fund.backtest.session import open_session, require_admits_something
from agent_fund.execution.keys.detect import (
    require_no_key_values,
    require_no_keys_in_file,
)
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.live.live_file import FILE, LiveFile
from agent_fund.fund.control import ControlBoard
from agent_fund.guard.engine import Guard
from agent_fund.market.bars import table_of
from agent_fund.paper.account_locks import AccountLocks
from agent_fund.paper.clock import WallClock
from agent_fund.paper.connections import Connections, load_connections
from agent_fund.paper.covers import Covers
from agent_fund.paper.errors import PaperError
from agent_fund.paper.folder import RefusedStart, holders, require_unfinished
from agent_fund.paper.live_model import LiveModel, endpoint
from agent_fund.paper.live_run import LiveRun, ToldBar
from agent_fund.paper.remaining import Remaining, remaining, why_over
from agent_fund.paper.stores import Stores
from agent_fund.paper.wiring import Wired, Wiring


@dataclass(frozen=True)
class PaperFinished(Finished):
    """A finished run on real venues; ``held`` is what it still holds there, unguarded."""

    held: tuple[Remaining, ...]


def paper(
    path: Path,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    connections: Path | None = None,
    clock: WallClock | None = None,
    told_bar: ToldBar = lambda tick, session, stores: None,
) -> PaperFinished:
    """Run the run file at ``path`` on real venues until it has had its bars.

    Args:
        out: folder in which the run folder is made; ``runs`` of the workspace by default.
        resume: the folder of a run that was cut off.
        connections: the file of connections; by default the one that the run file names.
        clock: the time, and the way to stop the run between two bars.
        told_bar: called after each bar.

    Raises:
        RunFileError, MarketError, ConfigurationError, PaperError, KeyRefused: bad input.
        AlreadyRunningError: another process runs this fund.
        ResumeError: the run to be resumed is another one.
        Interrupted: it was stopped; everything is written down, and it can be resumed.
    """
    if resume is not None:
        require_unfinished(resume)
    parts = assemble(path, live=True)
    section = parts.runfile.paper
    if section is None:
        raise PaperError(f"run file {path}", "no [paper] section", "state bar, bars, connections")
    require_no_key_values(parts.runfile.model_dump(mode="python"), str(path))
    require_no_keys_in_file(parts.workspace / parts.runfile.mandate.file)
    wires = load_connections(connections or parts.workspace / section.connections, path)
    guard = Guard(parts.mandate)
    require_admits_something(parts, guard)
    asked = None if section.model is None else endpoint(section.model)
    if asked is not None and parts.runfile.strategy.model is None:
        fix = "name its model in [strategy.model], or leave [paper.model] out"
        raise PaperError("[paper.model]", "a strategy that asks no model", fix)
    # What is wrong with it shows before there is a folder.
    parts.strategy(parts.cassette() if asked is None else asked)
    record, blobs = genesis(parts, guarded=True, mode=PAPER)
    folder = run_folder(parts, run_digest(record), out, resume)
    clock = clock or WallClock()
    restart = f"agent-fund paper {shlex.quote(str(path))} --resume {shlex.quote(str(folder))}"
    with ExitStack() as stack:
        if asked is not None:
            stack.callback(asked.close)
        start = stack.enter_context(RefusedStart(folder, begun=resume is not None))
        board = ControlBoard(folder, restart=restart, first=resume is None)
        over = ""
        stack.callback(lambda: board.close(over))
        log = stack.enter_context(opened_log(folder, resume is not None))
        file = LiveFile(folder / FILE)
        stack.callback(file.close)
        stores = Stores.of(file, clock)
        stack.callback(start.look, stores.tape)
        runner = stack.enter_context(asyncio.Runner())
        covers = Covers(wires, parts.currency)
        locks = AccountLocks(folder)
        stack.callback(locks.release)
        wired = runner.run(_wired(parts, wires, covers, locks))
        live = LiveRun(parts, stores, wired, runner.run, clock, board)
        stack.callback(live.close)
        covers.live = live
        model = None if asked is None else LiveModel(asked, log)
        session = open_session(
            parts,
            log,
            record,
            blobs,
            guarded=True,
            resume=resume is not None,
            guard=guard,
            live=model,
            market=live.market,
        )
        if model is not None:
            model.follow(session.recorder)
        try:
            live.begin(session)
        except PaperError as error:
            for line in holders(folder):
                error.add_note(line)
            raise
        ticks = live.advance(told_bar)
        if not live.finished:
            # Marks held back are made again from the tape: written now, their leaf were another.
            session.recorder.barrier()
            raise Interrupted(str(folder))
        ended = end(session, log)
        held = remaining(session.fund.book)
        over = why_over(held)
        rows = live.rows
    shown = replace(parts, test=table_of(parts.instruments, rows))
    silent = lambda stage, done, total: None  # noqa: E731
    finished = told(shown, guard, run_digest(record), folder, ended, ticks, None, silent)
    return PaperFinished(finished.folder, finished.summary, finished.frame, held)


async def _wired(
    parts: Parts, connections: Connections, covers: Covers, locks: AccountLocks
) -> Wired:
    keyring = Keyring(parts.workspace)
    mandate = bytes.fromhex(parts.mandate.digest)
    wiring = Wiring(
        connections,
        parts.instruments,
        parts.currency,
        keyring,
        mandate,
        covers,
        covers.verdict_of,
        locks.take,
    )
    wired = await wiring.build()
    covers.places = wiring.places
    return wired
