from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from cli_workspace import told

from agent_fund.audit.canonical import encode
from agent_fund.audit.merkle import leaf_hash, verify_inclusion
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.cli.main import run
from agent_fund.cli.records import Reader, stamps, when
from agent_fund.fund.control_file import ControlFile
from agent_fund.fund.control_process import ProcessLock

Capture = pytest.CaptureFixture[str]


def test_a_finished_run_verifies_and_its_root_can_be_compared(
    finished: Path, capsys: Capture
) -> None:
    assert run(["audit", "verify", str(finished), "--json"]) == 0
    verified = told(capsys)
    assert verified["root_compared"] is False
    root = str(verified["root"])
    assert run(["audit", "verify", str(finished), "--root", root]) == 0
    assert root in capsys.readouterr().out
    assert run(["audit", "verify", str(finished), "--root", "00" * 32]) == 1
    assert root in capsys.readouterr().err


def test_a_log_that_its_writer_left_open_is_1_and_how_to_go_on_is_said(
    tmp_path: Path, capsys: Capture
) -> None:
    log = SqliteLog(tmp_path / "log.sqlite", create=True)
    log.append(encode({"kind": "genesis"}))
    log.flush()
    for command in ("show", "verify"):
        assert run(["audit", command, str(tmp_path)]) == 1
        said = capsys.readouterr().err
        assert "it did not finish, and its log is open" in said
        assert f"go on with: agent-fund backtest RUNFILE --resume {tmp_path}" in said
    file = ControlFile(tmp_path)
    file.create()
    file.begin("agent-fund paper my.toml --resume runs/my")
    assert run(["audit", "show", str(tmp_path)]) == 1
    assert "go on with: agent-fund paper my.toml --resume runs/my" in capsys.readouterr().err
    lock = ProcessLock(tmp_path)
    assert run(["audit", "verify", str(tmp_path)]) == 1
    assert "it runs now; look at it with agent-fund status" in capsys.readouterr().err
    lock.release()
    log.close()
    assert run(["audit", "show", str(tmp_path)]) == 0


def test_a_changed_record_is_1(finished: Path, capsys: Capture) -> None:
    database = sqlite3.connect(finished / "log.sqlite")
    with database:
        database.execute("UPDATE leaf SET body = ? WHERE seq = 3", (b'{"kind":"mark","rows":[]}',))
    database.close()
    assert run(["audit", "show", str(finished)]) == 1
    assert "leaf 3" in capsys.readouterr().err
    assert run(["audit", "verify", str(finished), "--json"]) == 1
    value = told(capsys)
    assert value["exit"] == 1
    assert "log.sqlite" in json.dumps(value["error"])


def test_a_changed_report_is_1_and_named(finished: Path, capsys: Capture) -> None:
    with (finished / "report.html").open("a") as file:
        file.write(" ")
    assert run(["audit", "verify", str(finished)]) == 1
    assert "report.html" in capsys.readouterr().err


def test_records_are_listed_by_kind_from_a_number_and_up_to_a_limit(
    finished: Path, capsys: Capture
) -> None:
    assert run(["audit", "show", str(finished), "--json", "--limit", "1000"]) == 0
    every = told(capsys)["records"]
    assert isinstance(every, list)
    assert [r["index"] for r in every] == list(range(len(every)))
    orders = [r for r in every if r["record"]["kind"] == "order"]
    first = orders[1]["index"]
    arguments = ["--kind", "order", "--from", str(first), "--limit", "2", "--json"]
    assert run(["audit", "show", str(finished), *arguments]) == 0
    value = told(capsys)
    assert value["records"] == orders[1:3]
    assert value["left"] == len(orders) - 3


def test_every_record_of_a_run_has_a_gist_of_its_kind(finished: Path, capsys: Capture) -> None:
    assert run(["audit", "show", str(finished), "--json", "--limit", "1000"]) == 0
    records = told(capsys)["records"]
    assert isinstance(records, list)
    kinds = {r["record"]["kind"] for r in records}
    assert kinds >= {"genesis", "mark", "intent", "proposal", "guard", "order", "fill", "close"}
    assert not [r for r in records if r["gist"].startswith("{")]


def test_a_table_for_people_shows_bar_and_day(finished: Path, capsys: Capture) -> None:
    assert run(["audit", "show", str(finished), "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert "0 2020-09-08" in shown or "0 2020-09-07" in shown
    assert "2 shown" in shown
    assert "--from 2" in shown


def test_an_unknown_kind_is_2_and_the_nearest_is_named(finished: Path, capsys: Capture) -> None:
    assert run(["audit", "show", str(finished), "--kind", "gurd"]) == 2
    assert "did you mean 'guard'?" in capsys.readouterr().err


def test_one_record_comes_with_a_proof_that_anybody_can_check(
    finished: Path, capsys: Capture
) -> None:
    assert run(["audit", "show", str(finished), "--record", "5", "--json"]) == 0
    value = told(capsys)
    record, inclusion = value["record"], value["inclusion"]
    assert isinstance(record, dict)
    assert isinstance(inclusion, dict)
    digest = leaf_hash(encode(record))
    proof = [bytes.fromhex(sibling) for sibling in inclusion["proof"]]
    root = bytes.fromhex(inclusion["root"])
    assert verify_inclusion(5, inclusion["size"], digest, proof, root)
    assert run(["audit", "show", str(finished), "--record", "5"]) == 0
    assert "the proof leads from the leaf to the root" in capsys.readouterr().out


def test_an_intent_is_shown_with_what_it_committed_to(finished: Path, capsys: Capture) -> None:
    assert run(["audit", "show", str(finished), "--kind", "intent", "--json"]) == 0
    records = told(capsys)["records"]
    assert isinstance(records, list)
    assert run(["audit", "show", str(finished), "--record", str(records[0]["index"])]) == 0
    shown = capsys.readouterr().out
    assert "fields, kept beside the log" in shown
    assert '"snapshot"' in shown


def test_a_record_beyond_the_end_is_2(finished: Path, capsys: Capture) -> None:
    assert run(["audit", "show", str(finished), "--record", "99999"]) == 2
    assert "the log holds records 0 to" in capsys.readouterr().err


def test_a_folder_of_run_folders_is_2_and_one_in_it_is_named(
    finished: Path, capsys: Capture
) -> None:
    assert run(["audit", "verify", str(finished.parent)]) == 2
    assert f"did you mean {str(finished)!r}?" in capsys.readouterr().err


SCALES = {"PERP": (3, 8)}
MOVE = {"amount": "12345", "source": "spot", "target": "futures"}
FUNDING = {"kind": "funding", "bar": 1, "instrument": "PERP", "quantity": "-2500", "mark": "1"}
LIQUIDATION = {"kind": "liquidation", "bar": 1, "when": "open", "instrument": "PERP", "cover": "0"}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {"kind": "transfer", **MOVE, "due": 7},
            "move 123.45 USD from spot to futures, there at bar 7",
        ),
        ({"kind": "arrival", "bar": 7, "id": "abcdefghij"}, "transfer abcdefgh is there"),
        (FUNDING | {"amount": "150"}, "-2.500 PERP receives 1.50 USD"),
        (FUNDING | {"amount": "-150"}, "-2.500 PERP pays 1.50 USD"),
        (
            LIQUIDATION | {"quantity": "-2500", "mark": "776261000000", "fee": "400"},
            "the venue closes -2.500 PERP @ 7762.61 at the open, fee 4.00 USD",
        ),
        (
            {"kind": "proposal", "legs": [], "transfers": [MOVE], "reason": "cash"},
            "move 123.45 USD from spot to futures: cash",
        ),
        ({"kind": "proposal", "legs": [], "transfers": [], "reason": "calm"}, "hold: calm"),
    ],
)
def test_what_margined_trading_records_is_told_in_a_person_s_units(
    record: dict[str, object], said: str
) -> None:
    assert Reader("USD", 2, SCALES).gist(record) == said


@pytest.mark.parametrize(
    "record",
    [{}, {"kind": "fill"}, {"kind": "mark", "rows": []}, {"kind": "guard", "act": 3}, {"kind": 7}],
)
def test_a_record_of_no_known_form_is_shown_raw(record: dict[str, object]) -> None:
    assert Reader().gist(record) == json.dumps(record)


def test_a_reason_cannot_steer_the_terminal() -> None:
    record = {"kind": "abort", "reason": "down\x1b[1;1H"}
    assert Reader().gist(record) == "abstains: down\ufffd[1;1H"


def test_bars_shorter_than_a_day_are_shown_with_their_time_of_day() -> None:
    minute = 60_000
    start = 1_600_000_020_000  # 2020-09-13 12:27 UTC
    days = {0: start, 1: start + 1440 * minute}
    assert stamps(days) == {0: "2020-09-13", 1: "2020-09-14"}
    minutes = {0: start, 1: start + minute}
    assert stamps(minutes) == {0: "2020-09-13 12:27", 1: "2020-09-13 12:28"}
    seconds = {0: start, 1: start + 5000}
    assert stamps(seconds) == {0: "2020-09-13 12:27:00", 1: "2020-09-13 12:27:05"}
    assert when({"bar": 1}, stamps(minutes)) == "1 2020-09-13 12:28"
    gap = {"kind": "gap", "missing": ["COIN"], "before": start}
    assert Reader("USD", 2, SCALES).gist(gap) == "no bars of COIN until 2020-09-13 12:27:00"
