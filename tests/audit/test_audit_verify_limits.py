"""What a log alone cannot show. Each of these forgeries verifies; only the root gives it away.

This is the boundary that the verifier's page states. A test that fails here is good news: a rule
now notices what none did, and the forgery moves to ``audit_forgeries``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_forger import Forger
from audit_runs import Runs

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import verify


def a_price_that_nobody_held_or_looked_at(forger: Forger) -> None:
    index = forger.where(lambda r: r["kind"] == "mark" and len(r["rows"]) > 3)
    row = forger.records[index]["rows"][1]
    row[4][1] = str(int(row[4][1]) + 1)


def the_capacity_of_the_venue(forger: Forger) -> None:
    for record in forger.records:
        if record.get("act") == "look":
            record["capacity"] = {}


def the_canonical_digest_of_a_request(forger: Forger) -> None:
    forger.records[forger.find("call")]["canonical"] = "0" * 64


def the_answer_of_the_model(forger: Forger) -> None:
    record = forger.records[forger.find("response")]
    record["body"] = record["digest"] = forger.put(b"another answer")


def an_answer_that_came_made_a_failure(forger: Forger) -> None:
    record = forger.records[forger.find("response")]
    record |= {"failure": "timeout: no answer", "body": "", "digest": ""}


def the_messages_of_a_request(forger: Forger) -> None:
    forger.recommit(forger.find("intent"), messages=[])
    forger.relink()


def the_reason_of_a_proposal(forger: Forger) -> None:
    forger.records[forger.find("proposal")]["reason"] = "sober analysis"


def the_reason_of_an_abstention(forger: Forger) -> None:
    forger.records[forger.find("abort")]["reason"] = "sober analysis"


def a_question_that_came_to_nothing(forger: Forger) -> None:
    index = forger.find("abort")
    for _ in range(4):
        forger.drop(index - 3)
    count = 0
    for at, record in enumerate(forger.records):
        if record["kind"] == "intent":
            record["id"] = f"{record['bar']}/{count}"
            count += 1
            forger.recommit(at)
    forger.relink()


def the_reason_of_a_reduction(forger: Forger) -> None:
    forger.records[forger.find("reduce")]["why"] = {}
    forger.relink()


def the_name_of_an_execution(forger: Forger) -> None:
    forger.records[forger.find("fill")]["exec"] = "another"


def a_gap(forger: Forger) -> None:
    forger.drop(forger.find("gap"))


def the_tail_of_the_run(forger: Forger) -> None:
    """Bad news may lie there: the log is cut off after a look and closed properly."""
    close = forger.records[-1]
    index = forger.find("look", 9)
    look = forger.records[index]
    del forger.records[index + 1 :]
    end = {"bars": look["bar"] + 1, "nav": look["nav"], "mark": look["mark"], "mode": "active"}
    forger.records.append({**close, **end})


def a_mandate_that_allows_more(forger: Forger) -> None:
    """Everything is made to match, the commitments and order ids too."""
    value = json.loads(forger.blob(forger.records[0]["mandate"]))
    value["name"] = "generous"
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    digest = forger.put(body)
    for record in forger.records:
        if "mandate" in record:
            record["mandate"] = digest
    for at, record in enumerate(forger.records):
        if record["kind"] == "intent":
            forger.recommit(at, mandate=digest)
    forger.relink()


def the_fee_of_a_liquidation_that_never_came(forger: Forger) -> None:
    """Margin terms are the run file's; the run file is whatever the operator says it was."""
    config = json.loads(forger.blob(forger.records[0]["config"]))
    config["instruments"][1]["margin"]["liquidation_fee"] = "0"
    body = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    forger.records[0]["config"] = forger.put(body.encode())
    forger.records[0]["instruments"][1]["margin"]["liquidation_fee"] = "0"


def a_mark_that_nobody_held_or_looked_at(forger: Forger) -> None:
    index = forger.where(lambda r: r["kind"] == "mark" and len(r["rows"]) > 1)
    row = forger.records[index]["rows"][1]
    row[7][1] = str(int(row[7][1]) + 1)


@pytest.mark.parametrize(
    ("run", "forge"),
    [
        ("trend", a_price_that_nobody_held_or_looked_at),
        ("trend", the_capacity_of_the_venue),
        ("model", the_canonical_digest_of_a_request),
        ("model", the_answer_of_the_model),
        ("model", an_answer_that_came_made_a_failure),
        ("model", the_messages_of_a_request),
        ("model", the_reason_of_a_proposal),
        ("model", the_reason_of_an_abstention),
        ("model", a_question_that_came_to_nothing),
        ("way_out", the_reason_of_a_reduction),
        ("trend", the_name_of_an_execution),
        ("gaps", a_gap),
        ("trend", the_tail_of_the_run),
        ("trend", a_mandate_that_allows_more),
        ("hedged", the_fee_of_a_liquidation_that_never_came),
        ("hedged", a_mark_that_nobody_held_or_looked_at),
    ],
)
def test_only_the_root_gives_away(
    run: str, forge: Callable[[Forger], None], runs: Runs, tmp_path: Path
) -> None:
    forger = Forger(runs.folder(run))
    forge(forger)
    folder = forger.seal(tmp_path / "forged")
    verify(folder)
    with pytest.raises(VerificationError, match="root"):
        verify(folder, verify(runs.folder(run)).root)
