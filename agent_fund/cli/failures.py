"""An exception becomes one clear message and one exit code; what is unexpected keeps its traceback.

Errors of the rooms name the value seen and the fix already, so nothing is reworded here.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType

from agent_fund.agents.errors import CassetteError, ConfigurationError, RequestAlteredError
from agent_fund.audit.errors import AuditError
from agent_fund.backtest.errors import Interrupted, RunFileError, RunFolderError
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.interruption import StoppedError
from agent_fund.devnet.errors import DevnetError
from agent_fund.domain.errors import DomainError
from agent_fund.execution.errors import ExecutionError
from agent_fund.fund.control_file import CommandError, ControlError
from agent_fund.fund.control_process import AlreadyRunningError
from agent_fund.market.errors import ExchangeError, MarketError
from agent_fund.paper.errors import PaperError

_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (Interrupted, ExitCode.INTERRUPTED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (StoppedError, ExitCode.INTERRUPTED),
    (RunFolderError, ExitCode.FOLDER_NOT_WRITABLE),
    (RunFileError, ExitCode.BAD_INPUT),
    (DomainError, ExitCode.BAD_INPUT),
    (ExecutionError, ExitCode.BAD_INPUT),
    (PaperError, ExitCode.BAD_INPUT),
    (DevnetError, ExitCode.BAD_INPUT),
    (CommandError, ExitCode.BAD_INPUT),
    (AlreadyRunningError, ExitCode.BAD_INPUT),
    (ControlError, ExitCode.CONTROL_UNREADABLE),
    (ConfigurationError, ExitCode.BAD_INPUT),
    (MarketError, ExitCode.MARKET_DATA_REFUSED),
    (ExchangeError, ExitCode.EXCHANGE_FAILED),
    (CassetteError, ExitCode.REPLAY_MISMATCH),
    (RequestAlteredError, ExitCode.REPLAY_MISMATCH),
    (AuditError, ExitCode.VERIFICATION_FAILED),
)
_DETAILS = ("subject", "place", "index", "fix", "folder", "bars")
_WORKSPACE = "agent_fund_workspace."


@dataclass(frozen=True)
class Failure:
    """What is told of an exception.

    Attributes:
        kind: name of the exception's class.
        message: what was wrong, where, and what to do.
        details: what the exception states besides, by name.
        trace: the traceback, only if nobody expected the exception; else empty.
    """

    code: ExitCode
    kind: str
    message: str
    details: dict[str, str | int]
    trace: str = ""

    def to_json(self) -> dict[str, object]:
        """``{"error": {...}, "exit": n}``."""
        error: dict[str, object] = {"type": self.kind, "message": self.message, **self.details}
        return {"error": error, "exit": int(self.code)}


def failure_of(error: BaseException) -> Failure:
    """What to tell of ``error``."""
    kind = type(error).__name__
    if isinstance(error, MarketError) and _workspace_file(error.__traceback__) is not None:
        # The data are as they should be: a strategy asked for what there is not.
        return Failure(ExitCode.BAD_INPUT, kind, _message(error), _details(error))
    for known, code in _CODES:
        if isinstance(error, known):
            return Failure(code, kind, _message(error), _details(error))
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
        return Failure(ExitCode.FOLDER_NOT_WRITABLE, kind, message, {})
    if isinstance(error, SyntaxError):
        message = f"{error.filename}, line {error.lineno}: {error.msg}"
        return Failure(ExitCode.BAD_INPUT, kind, message, {})
    file = _workspace_file(error.__traceback__)
    if file is not None:
        # What led there is agent-fund's own, and no help to whoever wrote the file.
        own = _from_workspace(error.__traceback__)
        trace = "".join(traceback.format_exception(type(error), error, own))
        message = f"{file} raised {kind}: {error}; the traceback shows where"
        return Failure(ExitCode.BAD_INPUT, kind, message, {"place": file}, trace)
    trace = "".join(traceback.format_exception(error))
    message = f"{kind}: {error}; agent-fund did not expect this: please report it"
    return Failure(ExitCode.INTERNAL_ERROR, kind, message, {}, trace)


def _message(error: BaseException) -> str:
    if isinstance(error, Interrupted):
        text = "stopped; what was logged is whole"
    elif isinstance(error, KeyboardInterrupt):
        text = "stopped; if a run folder was made, go on with --resume and its name"
    else:
        text = str(error)
    notes = list(getattr(error, "__notes__", []))
    if isinstance(error, (DomainError, ConfigurationError, MarketError)):
        file = _workspace_file(error.__traceback__)
        notes += [] if file is None else [f"raised in {file}"]
    return "\n".join([text, *notes])


def _details(error: BaseException) -> dict[str, str | int]:
    found = {name: getattr(error, name, None) for name in _DETAILS}
    return {name: value for name, value in found.items() if isinstance(value, (str, int))}


def _workspace_file(trace: TracebackType | None) -> str | None:
    """The user's own file in which an exception arose, or through which it passed, last."""
    file = None
    while trace is not None:
        frame = trace.tb_frame
        if _is_workspace(trace):
            file = f"{frame.f_code.co_filename}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return file


def _from_workspace(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the user's own file."""
    while trace is not None and not _is_workspace(trace):
        trace = trace.tb_next
    return trace


def _is_workspace(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).startswith(_WORKSPACE)
