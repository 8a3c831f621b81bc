"""Exit codes: what a script may branch on, each with one meaning for all commands."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What ``agent-fund`` says to the shell."""

    OK = 0
    VERIFICATION_FAILED = 1
    BAD_INPUT = 2
    ASSUMPTION_FAILED = 3
    DEFECT = 4
    MARKET_DATA_REFUSED = 5
    REPLAY_MISMATCH = 6
    FOLDER_NOT_WRITABLE = 7
    NOT_ADMITTED = 8
    EXCHANGE_FAILED = 9
    DATA_FINDINGS = 10
    LOOKAHEAD = 11
    POLICY_FINDINGS = 12
    COMMAND_REFUSED = 13
    NOT_ANSWERED = 14
    NOT_RUNNING = 15
    CONTROL_UNREADABLE = 16
    INTERNAL_ERROR = 70
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done; for check: admitted as proposed",
    ExitCode.VERIFICATION_FAILED: "verification failed, log refused, or doctor found a failure",
    ExitCode.BAD_INPUT: "usage or bad input: run file, mandate, strategy, trade",
    ExitCode.ASSUMPTION_FAILED: "limit broken, and an assumption had failed (it is named)",
    ExitCode.DEFECT: "limit broken with every assumption intact: our defect",
    ExitCode.MARKET_DATA_REFUSED: "market data refused",
    ExitCode.REPLAY_MISMATCH: "the cassette does not match the run",
    ExitCode.FOLDER_NOT_WRITABLE: "the run folder, or another file, cannot be made or written",
    ExitCode.NOT_ADMITTED: "check: not admitted as proposed (repaired or refused)",
    ExitCode.EXCHANGE_FAILED: "data fetch: the exchange failed; the same command goes on",
    ExitCode.DATA_FINDINGS: "data check: there are findings; where, and by which rule, is shown",
    ExitCode.LOOKAHEAD: "--lookahead-check: with another future, a decision was another",
    ExitCode.POLICY_FINDINGS: "mandate check: a guardrail is idle, dead or implied, or two differ",
    ExitCode.COMMAND_REFUSED: "an operator's command: the fund refused; its reason is shown",
    ExitCode.NOT_ANSWERED: "an operator's command: no last answer in time; it stands",
    ExitCode.NOT_RUNNING: "no process runs the fund, or it is silent; a command given stands",
    ExitCode.CONTROL_UNREADABLE: "the control file cannot be used; a running fund halts by itself",
    ExitCode.INTERNAL_ERROR: "an error that agent-fund did not expect, with its traceback",
    ExitCode.INTERRUPTED: "interrupted; the message says how to resume",
}


def table() -> str:
    """Every code with its meaning, a line each, as ``--help`` shows them."""
    rows = [f"{code.value:>4}  {meaning}" for code, meaning in MEANINGS.items()]
    return "\n".join(["Exit codes:", *rows])
