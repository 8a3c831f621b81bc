"""What persons settled and adjusted, as a log, its summary, its page and a terminal show it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from audit_forger import Forger, remanifest
from audit_runs import Runs

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import SUMMARY, verify
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
