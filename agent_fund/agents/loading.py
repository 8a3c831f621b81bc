"""Load a class from a user's Python file by path, and build it from a run file's parameters.

Every file becomes a module of its own, so two files of one name never replace each other.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from agent_fund.agents.errors import ConfigurationError


def load_class(path: Path, name: str) -> type:
    """The class ``name`` that the file at ``path`` defines.

    The file runs once for each of its contents; loading it again gives the same class.

    Raises:
        ConfigurationError: no such file, or no such class in it. What the file itself raises when
            it runs is not changed.
    """
    module = _module(path, "strategy file")
    own = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    if name not in own:
        raise ConfigurationError(f"class {name!r}", f"{path} has none{_nearest(name, own)}")
    return own[name]


def load_object(path: Path, name: str, what: str) -> object:
    """What the file at ``path`` sets ``name`` to.

    Args:
        what: the file is called this where it is refused.

    Raises:
        ConfigurationError: no such file, or nothing of that name in it.
    """
    module = _module(path, what)
    if name not in vars(module):
        raise ConfigurationError(f"{name!r}", f"{path} sets none{_nearest(name, vars(module))}")
    found: object = vars(module)[name]
    return found


def build(cls: type, parameters: Mapping[str, object]) -> object:
    """``cls(**parameters)``, after checking the names against the constructor.

    Raises:
        ConfigurationError: a parameter that the constructor does not take, or one that it needs.
            What the constructor itself raises is not changed.
    """
    accepted = inspect.signature(cls).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
    for name in parameters:
        if name not in accepted and not takes_any:
            problem = f"it takes no {name!r}{_nearest(name, accepted)}"
            raise ConfigurationError(f"parameters of {cls.__name__}", problem)
    for name, parameter in accepted.items():
        variadic = parameter.kind in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        )
        if parameter.default is inspect.Parameter.empty and name not in parameters and not variadic:
            raise ConfigurationError(f"parameters of {cls.__name__}", f"it needs {name!r}")
    built: object = cls(**parameters)
    return built


def require_strategy(built: object) -> None:
    """``built`` can be asked as the fund asks: ``decide(snapshot, book)``, answered at once.

    Raises:
        ConfigurationError: naming what its ``decide`` is, and what to write instead.
    """
    decide = getattr(built, "decide", None)
    if not callable(decide):
        raise _refused(built, decide, "it has no method decide")
    if inspect.iscoroutinefunction(decide) or inspect.isasyncgenfunction(decide):
        raise _refused(built, decide, "its decide is async, and nothing awaits it")
    if inspect.isgeneratorfunction(decide):
        raise _refused(built, decide, "its decide yields; it returns one Proposal, or HOLD")
    signature = inspect.signature(decide)
    try:
        signature.bind(None, None)
    except TypeError as error:
        problem = f"it is asked as decide(snapshot, book), and its own is decide{signature}"
        raise _refused(built, decide, f"{problem}: {error}") from None


def _refused(built: object, decide: object, problem: str) -> ConfigurationError:
    """The refusal of a strategy, with the file and the line of its ``decide``."""
    code = getattr(decide, "__code__", None)
    place = "" if code is None else f" ({code.co_filename}, line {code.co_firstlineno})"
    fix = "write: def decide(self, snapshot, book)"
    return ConfigurationError(f"strategy {type(built).__name__}", f"{problem}; {fix}{place}")


def _module(path: Path, what: str) -> ModuleType:
    try:
        source = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        beside = [found.name for found in path.parent.glob("*.py")]
        problem = f"{path} does not exist{_nearest(path.name, beside)}"
        raise ConfigurationError(what, problem) from None
    identity = hashlib.sha256(str(path.resolve()).encode() + b"\0" + source).hexdigest()[:16]
    name = f"agent_fund_workspace.{path.stem}_{identity}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    if spec is None:
        raise ConfigurationError(what, f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    # Registered before it runs: dataclasses and pydantic look their module up by name.
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - the user's own file
    except SystemExit as error:
        del sys.modules[name]
        raise ConfigurationError(str(path), f"it ends the program: SystemExit({error})") from None
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; it has: {', '.join(names) or 'none'}"
