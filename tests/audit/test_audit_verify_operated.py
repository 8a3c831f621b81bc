"""What persons settled and adjusted, as a log, its summary, its page and a terminal show it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from audit_forger import Forger, remanifest
from audit_runs import Runs
from rich.console import Console

from agent_fund.audit.canonical import encode
from agent_fund.audit.errors import VerificationError
from agent_fund.audit.track_record import by_people, share_text, share_up
from agent_fund.audit.verify import SUMMARY, verify
from agent_fund.cli.backtest import show_summary
from agent_fund.cli.main import run as cli


def test_the_summary_lists_who_corrected_what_why_and_what_it_moved(runs: Runs) -> None:
    summary = json.loads((runs.folder("operated") / SUMMARY).read_text())
    found = summary["corrections"]
    assert [c["act"] for c in found] == ["settle", *["adjust"] * 3, "settle", "adjust"]
    assert [c["bar"] for c in found] == [13, 14, 16, 18, 26, 26]
    assert {c["why"] for c in found} == {"ann: they never had it", "ann: as they have it"}
    adopted, lost, gained = found[1:4]
    assert {s: Decimal(a) for s, a in adopted["amounts"].items()} == {"SP500": 1, "USD": -1600}
    assert Decimal(adopted["nav"]) == Decimal("-58.43")
    assert (Decimal(lost["nav"]), Decimal(gained["nav"])) == (-1000, 3000)
    assert summary["acts"]["settle"] == 2
    failed = [f["bar"] for f in summary["failures"] if f["assumption"] == "A4"]
    assert failed == [14, 16, 18, 26]


@pytest.mark.parametrize("run", ["trend", "operated"])
def test_a_summary_that_leaves_out_or_makes_up_a_correction_is_refused(
    run: str, runs: Runs, tmp_path
) -> None:
    forger = Forger(runs.folder(run))
    forger.relink()
    folder = forger.seal(tmp_path / "copy")
    verify(folder)
    summary = json.loads((folder / SUMMARY).read_text())
    made_up = [{"bar": 3, "act": "settle", "why": "ann: so", "order": "x"}]
    summary["corrections"] = [] if summary["corrections"] else made_up
    (folder / SUMMARY).write_text(json.dumps(summary, sort_keys=True, separators=(",", ":")))
    remanifest(folder)
    with pytest.raises(VerificationError, match="corrections"):
        verify(folder)


def test_the_page_has_a_table_of_corrections_if_there_are_any(runs: Runs) -> None:
    page = (runs.folder("operated") / "report.html").read_text()
    assert "What people corrected" in page
    assert "the books at simulated: +1 SP500, −1,600 USD" in page
    assert "books adjusted behind 4 bars" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "What people corrected" not in (runs.folder("trend") / "report.html").read_text()


def test_the_log_is_shown_in_a_persons_units(runs: Runs, capsys) -> None:
    folder = str(runs.folder("operated"))
    assert cli(["audit", "show", folder, "--kind", "guard", "--limit", "200", "--json"]) == 0
    said = [r["gist"] for r in json.loads(capsys.readouterr().out)["records"]]
    assert "settle: the SP500 order in doubt ends; ann: they never had it" in said
    adjusted = "adjust: +1 SP500, -1600 USD at simulated, NAV moves by -58.43 USD"
    assert f"{adjusted}; ann: as they have it" in said


def test_a_promise_kept_though_an_assumption_failed_is_told_so_everywhere(
    runs: Runs, capsys
) -> None:
    folder = runs.folder("operated")
    summary = json.loads((folder / SUMMARY).read_text())
    assert summary["guarantee"] == "held"
    failed = "assumptions A2 (bar 27) and A4 (4 bars from 14 to 26) failed"
    but = f"though {failed}: there the proof did not apply"
    screen = Console(width=400)
    show_summary(screen, summary, folder)
    assert f"Guarantee held, {but}. The worst drawdown was" in capsys.readouterr().out
    assert cli(["audit", "verify", str(folder)]) == 0
    assert f"held, {but}" in " ".join(capsys.readouterr().out.split())
    assert cli(["audit", "verify", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failed"] == {"A2": [27], "A4": [14, 16, 18, 26]}
    page = (folder / "report.html").read_text()
    assert "The drawdown promise was kept, though assumptions A2 and A4 failed." in page


def test_a_promise_kept_with_every_assumption_has_no_but(runs: Runs, capsys) -> None:
    folder = runs.folder("trend")
    show_summary(Console(width=400), json.loads((folder / SUMMARY).read_text()), folder)
    assert "Guarantee held: the worst drawdown was" in capsys.readouterr().out
    assert cli(["audit", "verify", str(folder)]) == 0
    assert "held; drawdown" in " ".join(capsys.readouterr().out.split())


def test_what_people_did_is_told_apart_from_what_the_guard_did(runs: Runs, capsys) -> None:
    folder = runs.folder("operated")
    summary = json.loads((folder / SUMMARY).read_text())
    people = {"adjust": 4, "hold": 1, "kill": 1, "resume": 1, "settle": 2}
    assert summary["acts_of_people"] == people
    assert summary["acts"]["done"] == 1
    show_summary(Console(width=400), summary, folder)
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "adjust 4, hold 1, kill 1, resume 1, settle 2" in lines["Acts of people"]
    assert not set(people) & set(lines["Guard's own acts"].split())
    page = (folder / "report.html").read_text()
    before, acts = page.split("<h3>Acts of people</h3>")
    own = before.split("<h3>The guard's own acts</h3>")[1]
    assert "ann: an order is lost" not in own
    assert "ann: an order is lost" in acts
    assert "bob: enough" in acts


@pytest.mark.parametrize(
    ("act", "text", "people"),
    [
        ("hold", "ann: a look", True),
        ("hold", "the run has had its bars", False),
        ("hold", "agent-fund: control.sqlite: it is damaged", False),
        ("kill", "bob: enough", True),
        ("kill", "a limit is broken", False),
        ("reduce", "x", False),
        ("resume", "ann: it is right", True),
    ],
)
def test_only_what_a_person_asked_for_is_an_act_of_people(
    act: str, text: str, people: bool
) -> None:
    assert by_people({"act": act, "why": {"text": text}}) is people


def test_bars_in_which_the_agent_was_held_are_counted_by_themselves(runs: Runs) -> None:
    page = (runs.folder("operated") / "report.html").read_text()
    # Held behind bar 12 and resumed behind bar 20.
    assert '<td>held</td><td class="number">8</td>' in page
    assert "<td>held</td>" not in (runs.folder("trend") / "report.html").read_text()


def test_a_summary_of_before_is_believed_and_a_made_up_drawdown_is_not(
    runs: Runs, tmp_path
) -> None:
    folder = Forger(runs.folder("crash")).seal(tmp_path / "copy")
    summary = json.loads((folder / SUMMARY).read_text())
    fall = verify(folder).drawdown
    assert summary["fund"]["max_drawdown"] == share_up(-fall) != share_text(-fall)
    del summary["acts_of_people"]
    for text, fine in ((share_text(-fall), True), ("-0.000001", False)):
        summary["fund"]["max_drawdown"] = text
        (folder / SUMMARY).write_bytes(encode(summary))
        remanifest(folder)
        if fine:
            verify(folder)
        else:
            with pytest.raises(VerificationError, match="max_drawdown"):
                verify(folder)
