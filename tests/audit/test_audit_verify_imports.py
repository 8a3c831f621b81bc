"""An auditor needs neither the solver, nor a model's client, nor the operator's own files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from audit_runs import Runs

from agent_fund.audit.verify import verify

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCKED = ("highspy", "openai", "jinja2", "scipy", "z3", "empyrical", "arch", "plotly")
AUDITOR = """
import sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
from pathlib import Path
from agent_fund.audit.verify import verify
print(verify(Path(sys.argv[1])).root)
loaded = [name for name in sys.modules if name.startswith("agent_fund_workspace")]
assert not loaded, loaded
"""


def test_verifying_needs_no_solver_no_client_and_no_workspace(runs: Runs, tmp_path: Path) -> None:
    for name in ("trend", "model"):
        folder = shutil.copytree(runs.folder(name), tmp_path / "alone" / name)
        command = [sys.executable, "-c", AUDITOR, str(folder), ",".join(BLOCKED)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == verify(runs.folder(name)).root


def test_the_blocked_packages_are_really_blocked(tmp_path: Path) -> None:
    program = "import sys\nsys.modules['highspy'] = None\nimport agent_fund.guard.search.finder"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "highspy" in done.stderr
