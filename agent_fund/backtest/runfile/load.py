"""Reading a run file: what is wrong in it is told with its place and the nearest known key."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.runfile.nearest import nearest
from agent_fund.backtest.runfile.runfile import RunFile

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def load_runfile(path: Path) -> RunFile:
    """The run file at ``path``.

    Raises:
        RunFileError: file, place, what was seen and the nearest known key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise RunFileError(f"{path}: {error.strerror}{nearest(path.name, near)}") from None
    except UnicodeDecodeError:
        raise RunFileError(f"{path}: it is not UTF-8 text") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RunFileError(f"{path}: not TOML: {error}") from None
    try:
        runfile = RunFile.model_validate(content)
    except ValidationError as error:
        raise RunFileError(_explain(path, error)) from None
    if runfile.market.start >= runfile.market.end:
        raise RunFileError(f"{path}: market.start: it must come before market.end")
    if runfile.mandate.calibrate_end > runfile.market.start:
        raise RunFileError(
            f"{path}: mandate.calibrate_end: {runfile.mandate.calibrate_end} is inside the test "
            f"window; calibrate on what came before {runfile.market.start}"
        )
    return runfile


def workspace_of(path: Path) -> Path:
    """The folder to which the run file's paths are relative."""
    return path.resolve().parent.parent


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    errors = error.errors()
    for item in errors:
        if item["type"] == "too_short" and _within(item["loc"], errors):
            continue  # tables that are refused themselves are not counted: there are enough
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _keys_at(item["loc"][:-1])
            lines.append(f"{path}: {place}: unknown key{nearest(str(item['loc'][-1]), known)}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {place}: it is missing, and nothing is assumed for it")
        else:
            said = item["msg"].removeprefix("Value error, ")
            # A whole table is no value that one has seen; what is wrong in it is said already.
            seen = "" if isinstance(item["input"], dict) else f" (seen: {item['input']!r})"
            lines.append(f"{': '.join(filter(None, (str(path), place, said)))}{seen}")
    return "\n".join(lines)


def _within(place: tuple[int | str, ...], errors: Sequence[ErrorDetails]) -> bool:
    """Whether something inside ``place`` is refused by itself."""
    return any(len(e["loc"]) > len(place) and e["loc"][: len(place)] == place for e in errors)


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    """The known keys of the table at ``place``."""
    model: type[BaseModel] = RunFile
    for part in place:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if field is None:
            return []
        found = [
            candidate
            for candidate in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        ]
        if not found:
            return []
        model = found[0]
    return [field.alias or name for name, field in model.model_fields.items()]
