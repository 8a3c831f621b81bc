"""A whole engine that lies: it runs on other terms than its genesis record states."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from audit_forger import REPORT, refit
from audit_runs import Runs

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.verify import HISTORY, LOG, SUMMARY, verify
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.genesis import genesis
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.session import open_session
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.limit import Guardrail


def venue(parts: Parts, **changes: dict[str, Any]) -> Parts:
    """``parts`` with other models of the venue."""
    (section,) = parts.runfile.venues
    models = {
        name: getattr(section, name).model_copy(update=update) for name, update in changes.items()
    }
    runfile = parts.runfile.model_copy(update={"venues": (section.model_copy(update=models),)})
    return replace(parts, runfile=runfile)


def honest(parts: Parts) -> Parts:
    return parts


def no_fees(parts: Parts) -> Parts:
    return venue(parts, fee={"rate": Fraction(0)})


def lower_fees(parts: Parts) -> Parts:
    return venue(parts, fee={"rate": Fraction(1, 10_000)})


def no_spread(parts: Parts) -> Parts:
    return venue(parts, spread={"share": Fraction(0)}, impact={"coefficient": Fraction(0)})


def no_latency(parts: Parts) -> Parts:
    terms = replace(parts.terms, latency=dict.fromkeys(parts.terms.latency, 0))
    return replace(venue(parts, latency={"bars": 0}), terms=terms)


def longer_orders(parts: Parts) -> Parts:
    return replace(parts, terms=replace(parts.terms, order_bars=5))


def asked_less_often(parts: Parts) -> Parts:
    strategy = parts.runfile.strategy.model_copy(update={"every": "3 bars"})
    return replace(parts, runfile=parts.runfile.model_copy(update={"strategy": strategy}))


def more_cash(parts: Parts) -> Parts:
    return replace(parts, cash=parts.cash * 2)


def a_lax_limit(parts: Parts) -> Parts:
    rails = tuple(
        Guardrail("max_drawdown", Fraction(9, 10)) if g.kind == "max_drawdown" else g
        for g in parts.mandate.guardrails
    )
    return replace(parts, mandate=replace(parts.mandate, guardrails=rails))


def a_smaller_stress_set(parts: Parts) -> Parts:
    stress = parts.mandate.stress
    box = tuple((low // 2, high // 2) for low, high in stress.box)
    return replace(parts, mandate=replace(parts.mandate, stress=replace(stress, box=box)))


def no_concentration(parts: Parts) -> Parts:
    rails = tuple(g for g in parts.mandate.guardrails if g.kind != "concentration")
    return replace(parts, mandate=replace(parts.mandate, guardrails=rails))


def faster_transfers(parts: Parts) -> Parts:
    return replace(parts, terms=replace(parts.terms, transfer_bars=1))


def cash_at_the_other_venue(parts: Parts) -> Parts:
    first, second = parts.runfile.venues
    venues = (
        first.model_copy(update={"cash": second.cash}),
        second.model_copy(update={"cash": first.cash}),
    )
    return replace(parts, runfile=parts.runfile.model_copy(update={"venues": venues}))


def a_calmer_perpetual(parts: Parts) -> Parts:
    stress = parts.mandate.stress
    low, high = stress.box[1]
    box = (stress.box[0], (low // 2, high // 2))
    return replace(parts, mandate=replace(parts.mandate, stress=replace(stress, box=box)))


def run(stated: Parts, real: Parts, to: Path, *, model: Path) -> Path:
    """A run folder whose genesis record states ``stated``, made on the terms of ``real``."""
    to.mkdir()
    record, blobs = genesis(stated, guarded=True)
    log = SqliteLog(to / LOG, create=True)
    session = open_session(real, log, record, blobs, guarded=True, guard=Guard(real.mandate))
    while session.fund.advance() is not None:
        pass
    session.fund.close()
    session.recorder.finish()
    log.seal()
    log.close()
    for name in (HISTORY, SUMMARY):
        shutil.copy(model / name, to / name)
    (to / REPORT).write_bytes(b"<!doctype html>")
    refit(to)
    return to


@pytest.mark.parametrize(
    ("name", "lie", "kind", "said"),
    [
        ("trend", no_fees, "fill", "the venue charges"),
        ("trend", lower_fees, "fill", "the venue charges"),
        ("trend", no_spread, "mark", "the bar opened at"),
        ("slow", no_latency, "order", "another life"),
        ("trend", longer_orders, "order", "another life"),
        ("trend", more_cash, "mark", "the book makes"),
        ("way_out", a_lax_limit, "guard decide", "the limits say"),
        ("trend", a_smaller_stress_set, "guard decide", "the certificates prove"),
        ("trend", no_concentration, "guard decide", "concentration"),
        ("hedged", faster_transfers, "transfer", "was admitted"),
        ("hedged", cash_at_the_other_venue, "guard look", "book of the guard"),
        ("hedged", a_calmer_perpetual, "guard decide", "the certificates prove"),
    ],
)
def test_an_engine_on_other_terms_is_refused(
    runs: Runs, tmp_path: Path, name: str, lie: Callable[[Parts], Parts], kind: str, said: str
) -> None:
    stated = assemble(runs.runfile(name))
    model = runs.folder(name)
    honest_run = verify(run(stated, honest(stated), tmp_path / "honest", model=model))
    assert honest_run.root == verify(model).root
    forged = run(stated, lie(stated), tmp_path / "forged", model=model)
    with pytest.raises(VerificationError, match=said) as caught:
        verify(forged)
    assert f"record {caught.value.index}: " in str(caught.value)
    assert kind in caught.value.problem


def a_friendlier_market(parts: Parts) -> Parts:
    closes = {s: [p + bar for bar, p in enumerate(c)] for s, c in parts.test.closes.items()}
    return replace(parts, test=replace(parts.test, closes=closes))


def a_deeper_market(parts: Parts) -> Parts:
    return venue(parts, participation={"share": Fraction(1)}, impact={"coefficient": Fraction(0)})


def kinder_funding(parts: Parts) -> Parts:
    """Rates stand in the data only; the log has payments, and NAV that follows from them."""
    rates = {s: [abs(rate) for rate in all_of] for s, all_of in parts.test.rates.items()}
    return replace(parts, test=replace(parts.test, rates=rates))


def no_funding(parts: Parts) -> Parts:
    rates = {s: [0] * len(all_of) for s, all_of in parts.test.rates.items()}
    return replace(parts, test=replace(parts.test, rates=rates))


def marks_at_last_prices(parts: Parts) -> Parts:
    test = parts.test
    opens = {s: test.opens[s] for s in test.mark_opens}
    closes = {s: test.closes[s] for s in test.mark_closes}
    return replace(parts, test=replace(test, mark_opens=opens, mark_closes=closes))


@pytest.mark.parametrize(
    ("name", "lie"),
    [
        ("trend", a_friendlier_market),
        ("trend", a_deeper_market),
        ("trend", asked_less_often),
        ("hedged", kinder_funding),
        ("hedged", no_funding),
        ("hedged", marks_at_last_prices),
    ],
)
def test_what_is_not_in_the_log_only_the_root_gives_away(
    runs: Runs, tmp_path: Path, name: str, lie: Callable[[Parts], Parts]
) -> None:
    stated = assemble(runs.runfile(name))
    model = runs.folder(name)
    forged = run(stated, lie(stated), tmp_path / "forged", model=model)
    verify(forged)
    with pytest.raises(VerificationError, match="root"):
        verify(forged, verify(model).root)
