"""Whatever is imported, deeply nested text is refused and does not end the process."""

from __future__ import annotations

import subprocess
import sys

_ALL = """
import importlib, pkgutil, sys
import agent_fund
before = sys.getrecursionlimit()
optional = ("agent_fund.agents.local_model",)
for found in pkgutil.walk_packages(agent_fund.__path__, "agent_fund."):
    if not found.name.startswith(optional) and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
        assert sys.getrecursionlimit() == before, found.name
from agent_fund.agents.chat import strict_json
try:
    strict_json("[" * 200_000)
except ValueError as error:
    print(error)
"""


def test_no_library_raises_the_limit_of_recursion_for_good() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ALL], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "it is nested too deeply\n"
