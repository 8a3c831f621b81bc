"""Every notebook runs from top to bottom, says what it must, and is kept without outputs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

from agent_fund.cli.init import make_workspace, template

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

# What a run would print if the guarantee, a certificate or a forgery came out otherwise.
SAID = {
    "guarantee.ipynb": {
        "judge": ["admitted"],
        "repaired": ["repaired to", "max_drawdown is broken"],
        "refused": ["refused: max_drawdown is broken", "STOCKS -"],
        "by-hand-agrees": ["True"],
        "loose": ["in the set: True"],
        "safe-by-hand": ["True"],
        "tamper": [
            "'as it was': 'proved'",
            "'smaller_claim': 'refused: proves",
            "'half_a_multiplier': 'refused: proves",
            "'no_multiplier': 'refused: proves",
        ],
        "file": ["0 proved: value <=", "1 refused: proves"],
        "language": ["loss(STOCKS)", "repaired to", "stocks are left"],
        "language-agrees": ["True"],
        "engine-agrees": ["True"],
    },
    "quickstart.ipynb": {
        "run": ["guarantee: held"],
        "verify": ["certificates", "guarantee    held"],
        "forge": ["log.sqlite", "its SHA-256 was"],
        "forge-more": ["True"],
        "recheck-agrees": ["True"],
    },
}
FIGURES = {"guarantee.ipynb": ("forms-figure", "cap-figure"), "quickstart.ipynb": ("figure",)}
PLOTLY = "application/vnd.plotly.v1+json"
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|work|tmp|root|Users|mnt|opt|var)/|[A-Za-z]:\\\\")


@pytest.fixture
def own_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of this very interpreter, whatever else the machine has installed for Jupyter."""
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": command, "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel))
    for variable in ("JUPYTER_PATH", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert KernelSpecManager().get_kernel_spec("python3").argv == command


def executed(path: Path) -> dict[str, list[Any]]:
    """The outputs by cell id, run in the notebook's own folder; raises at the first error."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    return {cell.id: cell.get("outputs", []) for cell in notebook.cells}


def text_of(outputs: list[Any]) -> str:
    """What the outputs say in plain text."""
    return "\n".join(
        output["text"] if output.output_type == "stream" else output.data.get("text/plain", "")
        for output in outputs
    )


@pytest.mark.usefixtures("own_kernel")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_runs_without_an_error_and_says_what_it_must(path: Path) -> None:
    outputs = executed(path)
    for cell, sentences in SAID[path.name].items():
        for sentence in sentences:
            assert sentence in text_of(outputs[cell]), cell
    for cell in FIGURES[path.name]:
        (figure,) = [o.data[PLOTLY] for o in outputs[cell] if PLOTLY in o.get("data", {})]
        assert all(len(trace["x"]) > 1 for trace in figure["data"])
    noise = [o for each in outputs.values() for o in each if o.get("name") == "stderr"]
    assert not noise


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_is_kept_valid_and_without_outputs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    nbformat.validate(notebook)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    # Ids that a person chose stay the same when the notebook is saved or cells are moved.
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", cell["id"]) for cell in notebook["cells"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_names_no_path_of_the_machine_that_wrote_it(path: Path) -> None:
    assert not MACHINE_PATH.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("place", [".", "notebooks"])
def test_the_quickstart_finds_its_run_file_in_a_workspace_made_by_init(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "my-fund"
    make_workspace(workspace, template())
    monkeypatch.chdir(workspace / place)
    notebook = nbformat.read(workspace / "notebooks" / "quickstart.ipynb", as_version=4)
    (first,) = [cell.source for cell in notebook.cells if cell.id == "workspace"]
    names: dict[str, Any] = {}
    exec(first, names)
    assert names["RUNFILE"] == workspace / "backtests" / "quickstart.toml"
    assert names["RUNFILE"].is_file()


def test_no_notebook_promises_more_than_the_guarantee() -> None:
    for path in NOTEBOOKS:
        assert "cannot lose" not in path.read_text(encoding="utf-8").lower()


def test_every_notebook_is_among_those_checked() -> None:
    assert {path.name for path in NOTEBOOKS} == SAID.keys() == FIGURES.keys()
