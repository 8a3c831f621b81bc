from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_workspace import told

from agent_fund.backtest.calibrated import load_mandate
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.init import template
from agent_fund.cli.main import run
from agent_fund.guard.resolved_mandate import ResolvedMandate

Capture = pytest.CaptureFixture[str]

FILES = sorted((template() / "guardrails").glob("*.py"))
FORMATS = ("terminal", "markdown", "html", "json")

HEAD = """from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "tried",
    stress=calibrated("2", factors={"both": {"ONE": "1/2", "TWO": "1/2"}}),
    costs=costs(fee="0.1%", slippage="0.3%"),
)
mandate.add(max_drawdown("20%", rule="2.1", why="<b>what</b> the | investors_were `promised`"))
"""


def write(folder: Path, *lines: str, name: str = "tried.py") -> Path:
    path = folder / name
    path.write_text(HEAD + "\n".join(lines) + "\n")
    return path


class Page(HTMLParser):
    """Every tag, and whatever would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[tuple[str, str | None]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = str(dict(attrs)["content"])
        self.loaded += [(n, v) for n, v in attrs if n in ("src", "href", "srcset")]
        assert tag not in ("script", "link", "img", "iframe", "object")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# -- explain ------------------------------------------------------------------------------------


def test_there_are_mandates_to_explain() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_mandate_of_the_project_is_explained_in_every_format(
    file: Path, form: str, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["mandate", "explain", str(file), "--format", form]) == 0
    shown = capsys.readouterr().out
    mandate = load_mandate(file)
    for name in (mandate.name, *(g.key for g in mandate.guardrails)):
        assert (name if form != "markdown" else name.replace("_", r"\_")) in shown
    assert "cannot lose" not in shown
    assert "$limit" not in shown
    out = tmp_path / "out"
    assert run(["mandate", "explain", str(file), "--format", form, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "Wrote" in said.err
    if form != "terminal":
        assert out.read_text(encoding="utf-8") == shown


def test_the_json_holds_what_is_hashed(capsys: Capture, tmp_path: Path) -> None:
    import hashlib

    file = write(tmp_path, 'mandate.add(gross_leverage("100%"))')
    assert run(["mandate", "explain", str(file), "--format", "json"]) == 0
    value = told(capsys)
    canonical = json.dumps(value["mandate"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == value["sha256"]
    assert value["resolved"] is False
    assert run(["mandate", "explain", str(file), "--json"]) == 0
    assert told(capsys) == value
    assert run(["mandate", "explain", str(file), "--json", "--format", "html"]) == 2
    assert "leave one of them out" in str(told(capsys)["error"])
    # Another limit, another hash.
    write(tmp_path, 'mandate.add(gross_leverage("101%"))')
    assert run(["mandate", "explain", str(file), "--format", "json"]) == 0
    assert told(capsys)["sha256"] != value["sha256"]


def test_the_page_loads_nothing_and_shows_text_as_text(tmp_path: Path, capsys: Capture) -> None:
    assert run(["mandate", "explain", str(write(tmp_path)), "--format", "html"]) == 0
    text = capsys.readouterr().out
    page = Page(text)
    assert page.loaded == []
    assert page.open == []
    assert "default-src 'none'" in page.policy
    assert "http://" not in text
    assert "https://" not in text
    assert "&lt;b&gt;what&lt;/b&gt;" in text
    assert r"\max(H,\; V + W^{+})" in text


def test_nothing_of_a_reason_is_markup_in_markdown(tmp_path: Path, capsys: Capture) -> None:
    assert run(["mandate", "explain", str(write(tmp_path)), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert r"\<b\>what\</b\> the \| investors\_were \`promised\`" in text
    assert text.count("$$") == 2


def test_the_terminal_is_no_wider_than_it_is(tmp_path: Path) -> None:
    file = FILES[-1]
    code = "from agent_fund.cli.main import main; main()"
    for width in (60, 80, 120):
        shown = subprocess.run(
            [sys.executable, "-c", code, "mandate", "explain", str(file)],
            env={**os.environ, "COLUMNS": str(width), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        lines = [line for line in shown.splitlines() if "sha256" not in line]
        assert max(map(len, lines)) <= width
        assert "\x1b" not in shown


def test_a_run_folder_is_explained_by_the_mandate_of_its_log(
    finished: Path, tmp_path: Path, capsys: Capture
) -> None:
    capsys.readouterr()
    out = tmp_path / "resolved.json"
    explain = ["mandate", "explain", str(finished), "--format", "json"]
    assert run([*explain, "--out", str(out)]) == 0
    assert run(["audit", "show", str(finished), "--record", "0", "--json"]) == 0
    capsys_out = capsys.readouterr().out
    genesis = json.loads(capsys_out)["record"]
    value = json.loads(out.read_text())
    assert value["resolved"] is True
    assert value["sha256"] == genesis["mandate"]
    mandate = ResolvedMandate.from_json(value["mandate"])
    assert mandate.digest == genesis["mandate"]
    assert ["horizon", "3 opens after the decision"] in value["stress"]
    # What was written, and the mandate in it alone, are read back as the same.
    (tmp_path / "bare.json").write_text(json.dumps(value["mandate"]))
    for again in (out, tmp_path / "bare.json", finished / "log.sqlite"):
        assert run(["mandate", "explain", str(again), "--format", "json"]) == 0
        assert told(capsys)["sha256"] == value["sha256"]


# -- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["explain", "check"])
def test_a_missing_file_is_2_and_the_nearest_is_named(
    command: str, tmp_path: Path, capsys: Capture
) -> None:
    write(tmp_path)
    assert run(["mandate", command, str(tmp_path / "tired.py")]) == 2
    assert "did you mean 'tried.py'?" in capsys.readouterr().err


def test_a_file_that_sets_no_mandate_is_2(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "none.py").write_text("limit = 3\n")
    assert run(["mandate", "explain", str(tmp_path / "none.py")]) == 2
    assert "'mandate'" in capsys.readouterr().err
    (tmp_path / "none.py").write_text("mandate = 3\n")
    assert run(["mandate", "explain", str(tmp_path / "none.py")]) == 2
    assert "`mandate` is 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "write JSON"),
        ("[1]", "no resolved mandate"),
        ('{"guardrails": []}', "name the mandate file itself"),
        ('{"guardrails": [], "v": 1}', "this code reads"),
        ('{"guardrails": [], "v": 3}', "no resolved mandate"),
        ('{"guardrails": 7, "v": 3, "name": "x"}', "no resolved mandate"),
        ('{"limit": 0.1}', "exact numbers only"),
        ('{"limit": NaN}', "exact numbers only"),
    ],
)
def test_json_that_is_no_mandate_is_2_with_the_fix(
    body: str, says: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "odd.json").write_text(body)
    assert run(["mandate", "explain", str(tmp_path / "odd.json")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_a_folder_without_a_log_and_another_kind_of_file_are_2(
    finished: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["mandate", "check", str(finished.parent)]) == 2
    assert f"did you mean '{finished}'?" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("limits")
    assert run(["mandate", "check", str(tmp_path / "notes.txt")]) == 2
    assert "a resolved mandate (.json)" in capsys.readouterr().err


def test_a_float_in_the_file_is_2_with_the_fix_and_the_line(
    tmp_path: Path, capsys: Capture
) -> None:
    file = write(tmp_path, "mandate.add(gross_leverage(0.5))")
    assert run(["mandate", "explain", str(file)]) == 2
    said = capsys.readouterr().err
    assert "0.5" in said
    assert "tried.py, line" in said
    assert "Traceback" not in said


def test_what_the_language_refuses_is_2_with_what_to_write_instead(
    tmp_path: Path, capsys: Capture
) -> None:
    file = write(
        tmp_path,
        "@mandate.guardrail()",
        "def bounded(s, t):",
        "    return s.book.after(t).gross() < 2 * s.nav",
    )
    assert run(["mandate", "explain", str(file)]) == 2
    said = capsys.readouterr().err
    assert "write <=" in said
    assert "tried.py, line" in said


# -- check ----------------------------------------------------------------------------------------


def test_a_mandate_whose_guardrails_all_count_is_0(tmp_path: Path, capsys: Capture) -> None:
    limits = ('mandate.add(gross_leverage("100%"))', 'mandate.add(net_exposure("30%"))')
    file = write(tmp_path, *limits)
    assert run(["mandate", "check", str(file), "--json"]) == 0
    value = told(capsys)
    assert value["consistent"] is True
    stands = {g["name"]: g["stands"] for g in value["guardrails"]}  # type: ignore[attr-defined]
    assert stands == {"max_drawdown": "proved", "gross_leverage": "binds", "net_exposure": "binds"}
    assert run(["mandate", "check", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "every guardrail counts" in shown
    assert "it admits no trade" in " ".join(shown.split())


def test_an_implied_guardrail_is_12_and_names_what_implies_it(
    tmp_path: Path, capsys: Capture
) -> None:
    limits = ('mandate.add(gross_leverage("100%"))', 'mandate.add(net_exposure("120%"))')
    file = write(tmp_path, *limits)
    assert run(["mandate", "check", str(file), "--json"]) == ExitCode.POLICY_FINDINGS == 12
    value = told(capsys)
    net = value["guardrails"][2]  # type: ignore[index]
    assert (net["stands"], net["by"]) == ("implied", ["gross_leverage"])
    assert run(["mandate", "check", str(file)]) == 12
    assert "implied by gross_leverage" in " ".join(capsys.readouterr().out.split())


def test_a_gate_that_never_fires_is_12(tmp_path: Path, capsys: Capture) -> None:
    file = write(
        tmp_path,
        "@mandate.guardrail(always=True)",
        "def sane(s, t):",
        '    return s.price("ONE") <= s.price("TWO")',
        "",
        "@mandate.guardrail(always=True)",
        "def rewarded(s, t):",
        '    stop, target = s.price("ONE"), s.price("TWO")',
        '    entry = stop + "0.2" * (target - stop)',
        "    return 3 * (entry - stop) <= target - entry",
    )
    assert run(["mandate", "check", str(file), "--json"]) == 12
    gate = told(capsys)["guardrails"][2]  # type: ignore[index]
    assert (gate["name"], gate["stands"], gate["by"]) == ("rewarded", "implied", ["sane"])


def test_a_mandate_that_admits_nothing_is_12_and_names_why(tmp_path: Path, capsys: Capture) -> None:
    file = write(
        tmp_path,
        'mandate.add(gross_leverage("20%"))',
        "@mandate.guardrail()",
        "def invested(s, t):",
        '    return s.book.after(t).long() >= "50%" * s.nav',
    )
    assert run(["mandate", "check", str(file)]) == 12
    shown = " ".join(capsys.readouterr().out.split())
    assert "Dead: tried admits nothing but holding: gross_leverage, invested." in shown


def test_a_run_is_asked_about_over_its_own_instruments(finished: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run(["mandate", "check", str(finished), "--json"]) == 0
    value = told(capsys)
    assert value["known"] is True
    assert value["instruments"] == ["COIN"]


def test_the_same_mandate_is_no_difference(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    file = write(tmp_path, 'mandate.add(gross_leverage("100%"))')
    assert run(["mandate", "check", str(file), "--against", str(file), "--json"]) == 0
    assert told(capsys)["same"] is True
    assert run(["mandate", "check", str(finished), "--against", str(finished)]) == 0
    assert "No difference" in capsys.readouterr().out


def test_a_wider_limit_is_12_with_a_book_that_shows_it(tmp_path: Path, capsys: Capture) -> None:
    old = write(tmp_path, 'mandate.add(gross_leverage("100%"))')
    new = write(tmp_path, 'mandate.add(gross_leverage("120%"))', name="new.py")
    assert run(["mandate", "check", str(new), "--against", str(old), "--json"]) == 12
    wider, narrower = told(capsys)["beyond"]  # type: ignore[misc]
    found = [g for g in wider["guardrails"] if g["verdict"] == "sat"]
    assert [g["name"] for g in found] == ["gross_leverage"]
    assert found[0]["book"]["NAV"]
    assert all(g["verdict"] == "unsat" for g in narrower["guardrails"])
    assert run(["mandate", "check", str(new), "--against", str(old)]) == 12
    assert "gross_leverage refuses" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_what_is_only_stated_differently_is_a_difference_too(
    tmp_path: Path, capsys: Capture
) -> None:
    one = write(tmp_path)
    other = write(tmp_path, 'mandate.band = "3%"', name="other.py")
    assert run(["mandate", "check", str(one), "--against", str(other), "--json"]) == 12
    (stated,) = told(capsys)["stated"]  # type: ignore[misc]
    assert stated["what"] == "band"
    limit = 'mandate.add(gross_leverage("100%", always={}))'
    one = write(tmp_path, limit.format(True))
    other = write(tmp_path, limit.format(False), name="other.py")
    assert run(["mandate", "check", str(one), "--against", str(other)]) == 12
    assert "a sale" in capsys.readouterr().out


def test_without_a_solver_it_is_2_and_the_extra_is_named(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    assert run(["mandate", "check", str(write(tmp_path))]) == 2
    said = capsys.readouterr().err
    assert "agent-fund[smt]" in said
    assert "Traceback" not in said
    # What needs no solver goes on without one.
    assert run(["mandate", "explain", str(write(tmp_path))]) == 0


def test_what_a_mandate_file_prints_stays_off_stdout(tmp_path: Path, capsys: Capture) -> None:
    file = write(tmp_path, 'print("hello")')
    assert run(["mandate", "check", str(file), "--json"]) == 0
    told(capsys)
