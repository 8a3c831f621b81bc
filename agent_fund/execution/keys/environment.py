"""Keys from environment variables; the messages name the variable and never its value.

A child process inherits the environment, so a keystore is the better place on a shared machine.
"""

from __future__ import annotations

import os

from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.secret import Secret


def read_variable(name: str) -> Secret:
    """The value of the variable ``name``, without white space around it.

    Raises:
        KeyRefused: if it is not set, or empty.
    """
    value = Secret(os.fsencode(os.environ.get(name, "")).strip())
    if not len(value):
        seen = "empty" if name in os.environ else "not set"
        raise KeyRefused(f"environment variable {name}", seen, f"set it: export {name}=…")
    return value
