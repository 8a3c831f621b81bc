"""What was sent, and the floor, are made again from the records: to hide a breach is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from audit_forger import Forger, Record
from audit_runs import Runs
from test_audit_verify_engine import run

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import verify
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.parts import Parts
from agent_fund.fund.flow_queue import FlowQueue
from agent_fund.fund.fund import Fund
from agent_fund.guard import certifier, limits, machine
from agent_fund.guard.activity import NOTHING_SENT
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.machine import Bounds, is_safe

THROTTLES = ("repeated_execution_throttle", "turnover_throttle", "message_throttle")


def test_the_honest_runs_meet_every_throttle_and_the_floor(runs: Runs) -> None:
    for name, kinds in (("throttled", THROTTLES), ("floored", ("fixed_floor",))):
        forger = Forger(runs.folder(name))
        decided = [r for r in forger.records if r.get("act") == "decide"]
        assert {f["guardrail"] for r in decided for f in r["broken"]} >= set(kinds)
    acts = [r.get("act") for r in forger.records]
    assert {"reduce", "flow_queued"} <= set(acts)


# -- one record -----------------------------------------------------------------------------------


def stopped(forger: Forger, kind: str) -> int:
    """The first refusal for which ``kind`` alone was the reason."""
    return forger.where(
        lambda r: r.get("outcome") == "refused" and [f["guardrail"] for f in r["broken"]] == [kind]
    )


@pytest.mark.parametrize("kind", ["repeated_execution_throttle"])
def test_a_refusal_turned_into_an_admission_is_named_at_its_record(
    kind: str, runs: Runs, tmp_path: Path
) -> None:
    forger = Forger(runs.folder("throttled"))
    index = stopped(forger, kind)
    record = forger.records[index]
    proof = forger.records[forger.find("decide", outcome="admitted")]
    record |= {key: proof[key] for key in ("band", "bounds", "proof")}
    record |= {
        "outcome": "admitted",
        "theta": "1",
        "legs": forger.records[record["proposal"]]["legs"],
        "latest": record["bar"] + proof["latest"] - proof["bar"],
        "broken": [],
        "findings": [{**f, "holds": True} for f in record["findings"]],
        "subject": "",
    }
    forger.relink()
    refused(forger, tmp_path, kind, index)


def refused(forger: Forger, tmp_path: Path, said: str, index: int) -> None:
    """The forged log is refused at ``index``, with ``said`` in the words."""
    folder = forger.seal(tmp_path / "forged")
    with pytest.raises(VerificationError) as caught:
        verify(folder)
    assert said in str(caught.value)
    assert caught.value.index == index


def finding(record: Record, kind: str) -> dict[str, Any]:
    return next(f for f in record["findings"] if f["guardrail"] == kind)


@pytest.mark.parametrize("kind", [*THROTTLES, "price_collar"])
@pytest.mark.parametrize("key", ["value", "limit", "scenario"])
def test_a_word_of_a_finding_is_made_again(kind: str, key: str, runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("throttled"))
    index = forger.find("decide", 20)
    found = finding(forger.records[index], kind)
    found[key] += "."
    refused(forger, tmp_path, "the limits say", index)


@pytest.mark.parametrize("kind", [*THROTTLES, "price_collar"])
def test_a_finding_left_out_is_noticed(kind: str, runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("throttled"))
    index = forger.find("decide", 3)
    record = forger.records[index]
    record["findings"] = [f for f in record["findings"] if f["guardrail"] != kind]
    refused(forger, tmp_path, "findings", index)


def test_a_reason_that_was_a_throttle_is_not_told_as_another(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("throttled"))
    index = stopped(forger, "repeated_execution_throttle")
    forger.records[index]["broken"] = []
    refused(forger, tmp_path, "the limits say", index)


@pytest.mark.parametrize("key", ["value", "limit", "holds"])
def test_what_is_said_of_the_floor_follows_from_the_proof(
    key: str, runs: Runs, tmp_path: Path
) -> None:
    forger = Forger(runs.folder("floored"))
    index = forger.find("decide", outcome="repaired")
    found = finding(forger.records[index], "fixed_floor")
    found[key] = False if key == "holds" else found[key] + "."
    refused(forger, tmp_path, "findings", index)


def test_a_floor_left_out_of_the_findings_is_noticed(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("floored"))
    index = forger.find("decide")
    record = forger.records[index]
    record["findings"] = [f for f in record["findings"] if f["guardrail"] != "fixed_floor"]
    refused(forger, tmp_path, "what is proved comes last", index)


def test_a_floor_that_stood_in_the_way_is_not_hidden(runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder("floored"))
    index = forger.find("decide", outcome="repaired")
    forger.records[index]["broken"] = [
        f for f in forger.records[index]["broken"] if f["guardrail"] != "fixed_floor"
    ]
    refused(forger, tmp_path, "the limits say", index)


# -- an engine that runs on other terms -----------------------------------------------------------


def without(*kinds: str) -> Callable[[Parts], Parts]:
    def lie(parts: Parts) -> Parts:
        rails = tuple(g for g in parts.mandate.guardrails if g.kind not in kinds)
        return replace(parts, mandate=replace(parts.mandate, guardrails=rails))

    return lie


def with_another(rail: Guardrail) -> Callable[[Parts], Parts]:
    def lie(parts: Parts) -> Parts:
        rails = tuple(rail if g.kind == rail.kind else g for g in parts.mandate.guardrails)
        return replace(parts, mandate=replace(parts.mandate, guardrails=rails))

    return lie


LIES = [
    *(("throttled", without(kind), "guard decide: findings") for kind in THROTTLES),
    ("throttled", without("price_collar"), "guard decide: findings"),
    ("floored", without("fixed_floor"), "guard flow: a flow of -5000000000000 is not Safe"),
    ("floored", with_another(fixed_floor("50%")), r"guard flow: .* is not Safe"),
    ("floored", with_another(fixed_floor("959999.99 USD")), "the limits say"),
]


@pytest.mark.parametrize(("name", "lie", "said"), LIES)
def test_an_engine_without_the_stated_limit_is_refused(
    runs: Runs, tmp_path: Path, name: str, lie: Callable[[Parts], Parts], said: str
) -> None:
    stated, model = assemble(runs.runfile(name)), runs.folder(name)
    forged = run(stated, lie(stated), tmp_path / "forged", model=model)
    with pytest.raises(VerificationError, match=said):
        verify(forged)


@pytest.mark.parametrize("kind", THROTTLES)
def test_an_engine_that_does_not_count_for_one_throttle_is_refused(
    kind: str, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated, model = assemble(runs.runfile("throttled")), runs.folder("throttled")
    with monkeypatch.context() as patched:
        patched.delitem(limits._DRAWS, kind)
        forged = run(stated, stated, tmp_path / "forged", model=model)
    with pytest.raises(VerificationError, match="the limits say") as caught:
        verify(forged)
    decided = [i for i, r in enumerate(Forger(forged).records) if r.get("act") == "decide"]
    # As soon as the same allowance is asked of again.
    assert caught.value.index in decided[1:4]


def test_an_engine_that_forgets_what_it_sent_is_refused(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated, model = assemble(runs.runfile("throttled")), runs.folder("throttled")
    situation = Fund.situation

    def forgetful(fund: Fund) -> Any:
        return replace(situation(fund), activity=NOTHING_SENT)

    with monkeypatch.context() as patched:
        patched.setattr(Fund, "situation", forgetful)
        forged = run(stated, stated, tmp_path / "forged", model=model)
    with pytest.raises(VerificationError, match="throttle"):
        verify(forged)


def test_an_engine_that_looks_past_the_floor_is_refused(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds is certified, and Safe but for the floor."""
    stated, model = assemble(runs.runfile("floored")), runs.folder("floored")

    def lax(limit: Fraction, nav: int, mark: int, bounds: Bounds, floor: int = 0) -> bool:
        return is_safe(limit, nav, mark, bounds, 0 if bounds.loss else floor)

    due = FlowQueue.due
    with monkeypatch.context() as patched:
        patched.setattr(machine, "is_safe", lax)
        patched.setattr(certifier, "is_safe", lax)
        # The redemption that waits would be let through too; it is told once, and left there.
        patched.setattr(
            FlowQueue, "due", lambda queue, time: queue._told is None and due(queue, time)
        )
        forged = run(stated, stated, tmp_path / "forged", model=model)
    with pytest.raises(VerificationError, match=r"guard look: bounds .* are not Safe"):
        verify(forged)
