from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from cli_workspace import told

from agent_fund import __version__
from agent_fund.cli import doctor
from agent_fund.cli.init import FOLDERS, make_workspace, template
from agent_fund.cli.main import run
from agent_fund.domain.errors import DomainError

Capture = pytest.CaptureFixture[str]


def test_init_makes_a_workspace_in_which_its_first_backtest_runs(
    tmp_path: Path, capsys: Capture
) -> None:
    assert run(["init", str(tmp_path / "mine"), "--json"]) == 0
    made = told(capsys)
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        *FOLDERS,
        "README.md",
        ".gitignore",
    }
    assert run(["backtest", str(tmp_path / "mine" / str(made["runfile"])), "--json"]) == 0
    assert Path(str(told(capsys)["folder"])).parent == (tmp_path / "mine" / "runs").resolve()


def test_init_refuses_a_folder_that_holds_something(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    assert run(["init", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert run(["init", str(tmp_path / "thesis.txt")]) == 2
    assert run(["init", str(tmp_path / "thesis.txt" / "sub")]) == 7
    assert "thesis.txt" in capsys.readouterr().err


def test_init_leaves_out_what_machines_leave_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in FOLDERS:
        (source / name / "__pycache__").mkdir(parents=True)
        (source / name / ".ipynb_checkpoints").mkdir()
        (source / name / "kept.py").write_text("")
        (source / name / "dropped.pyc").write_text("")
    (source / "backtests" / "one.toml").write_text("")
    (source / "guardrails" / "proofs").mkdir()
    (source / "guardrails" / "proofs" / "Machine.v").write_text("")
    assert make_workspace(tmp_path / "mine", source) == "backtests/one.toml"
    assert not (tmp_path / "mine" / "guardrails" / "proofs").exists()
    for name in FOLDERS:
        assert (tmp_path / "mine" / name / "kept.py").is_file()
        assert not list((tmp_path / "mine" / name).glob("*pyc*"))
        assert not (tmp_path / "mine" / name / ".ipynb_checkpoints").exists()
    assert "backtests/one.toml" in (tmp_path / "mine" / "README.md").read_text()


def test_the_quickstart_is_the_first_choice(tmp_path: Path) -> None:
    (tmp_path / "source" / "backtests").mkdir(parents=True)
    for name in ("a.toml", "quickstart.toml"):
        (tmp_path / "source" / "backtests" / name).write_text("")
    assert make_workspace(tmp_path / "mine", tmp_path / "source") == "backtests/quickstart.toml"


def test_an_incomplete_template_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="install again"):
        make_workspace(tmp_path / "mine", tmp_path)
    assert not (tmp_path / "mine").exists()


def test_the_template_has_the_four_folders() -> None:
    assert all((template() / name).is_dir() for name in FOLDERS)


def test_doctor_finds_a_workspace_well(
    workspace: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    before = sorted(workspace.iterdir())
    assert run(["doctor", "--json"]) == 0
    value = told(capsys)
    assert {check["status"] for check in value["checks"]} <= {"ok", "warn"}  # type: ignore[attr-defined]
    assert sorted(workspace.iterdir()) == before
    assert run(["doctor"]) == 0
    assert "kernel" in capsys.readouterr().out


def test_doctor_warns_outside_a_workspace(tmp_path: Path) -> None:
    found = doctor.workspace(tmp_path)
    assert (found.status, "agent-fund init" in found.fix) == ("warn", True)


def test_doctor_fails_with_1_and_the_fix(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_SQLITE", (99, 0, 0))
    monkeypatch.chdir(tmp_path)
    assert run(["doctor"]) == 1
    assert "-> use a Python that is built with SQLite" in capsys.readouterr().out


def test_doctor_sees_an_old_python_and_a_missing_dependency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor.python((3, 10, 9)).status == "fail"
    assert doctor.python((3, 11, 0)).status == "ok"
    assert doctor.dependencies().status == "ok"
    monkeypatch.setattr(metadata, "requires", lambda name: ["no-such-thing>=1", 'x; extra == "y"'])
    found = doctor.dependencies()
    assert (found.status, found.fix) == ("fail", "pip install no-such-thing")


def test_doctor_sees_a_kernel_that_believes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.kernel().status == "ok"
    monkeypatch.setattr(doctor, "check", lambda *claim: True)
    found = doctor.kernel()
    assert found.status == "fail"
    assert "it misjudges a bound of 40" in found.text


def test_doctor_sees_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (found,) = doctor.disk(tmp_path / "not-there")
    assert (found.name, found.status) == ("folder", "fail")


def test_the_version_is_shown(capsys: Capture) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"agent-fund {__version__}\n"


def test_doctor_says_what_a_devnet_would_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_FUND_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    found = doctor.devnet()
    assert found.status == "ok"  # it is optional
    assert "node and npm: install Node.js" in found.text
    assert "agent-fund devnet fetch" in found.text
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}")
    assert "Node" not in doctor.devnet().text
    monkeypatch.setattr(doctor, "missing", list)
    assert doctor.devnet().text == "its packages are here"
