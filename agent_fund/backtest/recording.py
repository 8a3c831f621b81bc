"""Record a cassette: ask the live model everything that a run file's strategy asks.

The unguarded run is recorded, because it asks at every turn until the end. A prompt that tells
the model about its book or the guard's last word needs a recording of its own for either run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent_fund.agents.cassette import CassetteHeader, CassetteRecorder
from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import ConfigurationError
from agent_fund.audit.log import MemoryLog
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.session import open_session


def record(
    path: Path,
    model: ChatModel,
    header: CassetteHeader,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the cassette that the run file at ``path`` names; returns its place.

    Raises:
        ConfigurationError: the run file's strategy asks no model.
    """
    parts = assemble(path)
    section = parts.runfile.strategy.model
    if section is None:
        raise ConfigurationError(
            str(path), "its strategy asks no model; there is nothing to record"
        )
    cassette = parts.workspace / section.cassette
    cassette.parent.mkdir(parents=True, exist_ok=True)
    recorder = CassetteRecorder(cassette, model, header)
    constants = ("fund", "mandate", "code", "lock", "strategy", "data")
    session = open_session(
        parts,
        MemoryLog(),
        {"kind": "genesis", **dict.fromkeys(constants, "")},
        {},
        guarded=False,
        live=recorder,
    )
    total = len(parts.test)
    while (tick := session.fund.advance()) is not None:
        progress(tick.bar + 1, total)
    recorder.finish()
    return cassette
