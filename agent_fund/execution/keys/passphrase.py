"""The passphrase of a keystore: from a named environment variable, or typed at a terminal.

Never from an argument, which every user of the machine can read in the list of processes.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

from agent_fund.execution.keys.environment import read_variable
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.secret import Secret

Ask = Callable[[str], Secret]


def ask_at_terminal(prompt: str) -> Secret:
    """What a person types, without echo.

    Raises:
        KeyRefused: if there is no terminal to ask at, or nothing was typed.
    """
    if not sys.stdin.isatty():
        fix = "name a variable that holds it, as in keystore:PATH#NAME"
        raise KeyRefused("passphrase", "no terminal to ask at", fix)
    found = Secret(getpass.getpass(prompt).encode())
    if not len(found):
        raise KeyRefused("passphrase", "nothing was typed", "type the passphrase of the keystore")
    return found


def passphrase_of(path: str, variable: str, ask: Ask) -> Secret:
    """From the environment if ``variable`` names one, else asked for."""
    return read_variable(variable) if variable else ask(f"Passphrase of {path}: ")
