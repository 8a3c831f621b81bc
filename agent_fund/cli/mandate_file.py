"""A mandate from where it stands: a mandate file, a resolved mandate's JSON, a run folder's log."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.backtest.calibrated import load_mandate
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.fund.instruments import instrument_from_json
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.mandate import Mandate
from agent_fund.guard.resolved_mandate import ResolvedMandate

_LOG = "log.sqlite"
_FIX = "name a mandate file (.py), a resolved mandate (.json) or a run folder"


@dataclass(frozen=True)
class Found:
    """A mandate, and the run's instruments if it stands in a log."""

    mandate: Mandate | ResolvedMandate
    instruments: tuple[Instrument, ...] | None = None


def read_mandate(path: Path) -> Found:
    """The mandate at ``path``.

    Raises:
        DomainError: for what is none of the three, or a mandate that cannot be.
        ConfigurationError: for a Python file that sets no mandate.
        AuditError: for a log that does not agree with itself.
    """
    if path.is_dir() or path.name == _LOG:
        return _of_run(path if path.is_dir() else path.parent)
    if not path.exists():
        _refuse_missing(path)
    if path.suffix == ".py":
        # What the file prints must not mix with what is written of it.
        with redirect_stdout(sys.stderr):
            return Found(load_mandate(path))
    if path.suffix == ".json":
        return Found(_resolved(path, path.read_bytes()))
    raise DomainError("mandate", str(path), _FIX)


def _refuse_missing(path: Path) -> NoReturn:
    beside = [found.name for found in path.parent.glob("*") if found.suffix in (".py", ".json")]
    near = difflib.get_close_matches(path.name, sorted(beside), n=1)
    fix = f"there is no such file; did you mean {near[0]!r}?" if near else _FIX
    raise DomainError("mandate", str(path), fix)


def _resolved(path: Path, body: bytes) -> ResolvedMandate:
    def refuse(number: str) -> NoReturn:
        fix = 'a mandate holds exact numbers only: integers, and ratios as text, "1/10"'
        raise DomainError(f"number in {path.name}", number, fix)

    try:
        value = json.loads(body, parse_float=refuse, parse_constant=refuse)
    except DomainError:
        raise
    except (ValueError, RecursionError) as error:
        raise DomainError(f"mandate {path.name}", str(error), "write JSON") from error
    # What ``mandate explain --format json`` writes holds the mandate under this name.
    if isinstance(value, dict) and isinstance(value.get("mandate"), dict):
        value = value["mandate"]
    return _from_json(path, value)


def _from_json(path: Path, value: Any) -> ResolvedMandate:
    fix = "it is no resolved mandate; take one from a run's log, or name the mandate file"
    if not isinstance(value, Mapping) or "guardrails" not in value:
        raise DomainError(f"mandate {path.name}", type(value).__name__, fix)
    if "v" not in value:
        fix = "it is a mandate as written, whose stress set is a rule: name the mandate file itself"
        raise DomainError(f"mandate {path.name}", "not resolved", fix)
    try:
        return ResolvedMandate.from_json(value)
    except KeyError as error:
        raise DomainError(f"mandate {path.name}", f"no {error}", fix) from error
    except (TypeError, AttributeError, KernelError) as error:
        raise DomainError(f"mandate {path.name}", str(error), fix) from error


def _of_run(folder: Path) -> Found:
    if not (folder / _LOG).is_file():
        inside = sorted(path.parent for path in folder.glob(f"*/{_LOG}"))
        near = f"; did you mean {str(inside[-1])!r}?" if inside else ""
        raise DomainError("mandate", str(folder), f"{_FIX}{near}")
    log = SqliteLog(folder / _LOG, read_only=True)
    try:
        genesis = json.loads(log.leaf(0)) if log.size else {}
        if genesis.get("kind") != "genesis":
            raise DomainError("run folder", str(folder), "its log does not begin with a genesis")
        mandate = _from_json(folder / _LOG, json.loads(log.blob(genesis["mandate"])))
    finally:
        log.close()
    currency = Asset(genesis["currency"]["symbol"], genesis["currency"]["scale"])
    lines = tuple(instrument_from_json(i, currency) for i in genesis["instruments"])
    return Found(mandate, lines)
