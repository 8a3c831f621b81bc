"""The first record of a log: everything that determines the run, so that its digest names it."""

from __future__ import annotations

import hashlib

from agent_fund.audit.canonical import JSON, encode
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.provenance import (
    REPLAY_SECRET,
    code_digest,
    file_digest,
    lock_digest,
)
from agent_fund.backtest.runfile.paper import LiveModelSection
from agent_fund.backtest.runfile.section import jsonable
from agent_fund.backtest.runfile.strategy import ModelSection
from agent_fund.fund.instruments import instrument_json
from agent_fund.guard.kernel.codec import dumps

VERSION = 3
BACKTEST, PAPER = "backtest", "paper"


def genesis(
    parts: Parts, *, guarded: bool, mode: str = BACKTEST
) -> tuple[dict[str, JSON], dict[str, bytes]]:
    """The genesis record, and the blobs that it names by digest.

    Args:
        mode: BACKTEST, or PAPER for a run on real venues, whose bars are not known beforehand.
    """
    runfile, workspace = parts.runfile, parts.workspace
    mandate = dumps(parts.mandate.to_json())
    config = dumps(jsonable(runfile.model_dump(by_alias=True)))
    blobs = {hashlib.sha256(body).hexdigest(): body for body in (mandate, config)}
    live = runfile.paper.model if mode == PAPER and runfile.paper is not None else None
    model = _recorded(parts) if live is None else _asked(runfile.strategy.model, live)
    record: dict[str, JSON] = {
        "kind": "genesis",
        "v": VERSION,
        "fund": runfile.name,
        "guarded": guarded,
        "mode": mode,
        "config": hashlib.sha256(config).hexdigest(),
        "mandate": hashlib.sha256(mandate).hexdigest(),
        "currency": {"symbol": parts.currency.symbol, "scale": parts.currency.scale},
        "cash": str(parts.cash),
        "instruments": [instrument_json(i) for i in parts.instruments],
        "capital": {venue: str(cash) for venue, cash in parts.capital().items()},
        "data": {
            "before": parts.before.digest,
            "test": parts.test.digest if mode == BACKTEST else "",
        },
        "strategy": file_digest(workspace / runfile.strategy.file),
        "model": model,
        "code": code_digest(),
        "lock": lock_digest(workspace),
        "secret": {"public": True, "hex": REPLAY_SECRET.hex()},
    }
    return record, blobs


def _recorded(parts: Parts) -> dict[str, JSON]:
    """The model whose answers a cassette holds; empty for a strategy that asks none."""
    cassette = parts.cassette()
    if cassette is None:
        return {}
    header = cassette.header
    return {
        "name": header.model,
        "weights": header.weights_sha256 or "",
        "server": header.server,
        "recorded": header.recorded,
        "cassette": cassette.digest,
    }


def _asked(model: ModelSection | None, live: LiveModelSection) -> dict[str, JSON]:
    """The model that is asked while the run goes on; its weights are its server's word."""
    name = "" if model is None else model.name
    return {"name": name, "weights": "", "server": live.url, "recorded": "", "cassette": ""}


def run_digest(record: dict[str, JSON]) -> str:
    """SHA-256 of the genesis record, in hex: the run's name."""
    return hashlib.sha256(encode(record)).hexdigest()
