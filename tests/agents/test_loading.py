"""Classes load from a user's files by path; what is misspelt is named with its nearest name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.loading import build, load_class, load_object, require_strategy

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
from decimal import Decimal

@dataclass(frozen=True)
class Momentum:
    symbol: str
    window: int = NUMBER
"""


def write(folder: Path, number: int, name: str = "momentum.py") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(SOURCE.replace("NUMBER", str(number)), encoding="utf-8")
    return path


def test_files_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    one = load_class(write(tmp_path / "a", 1), "Momentum")
    two = load_class(write(tmp_path / "b", 2), "Momentum")
    assert build(one, {"symbol": "X"}) == one(symbol="X", window=1)
    assert build(two, {"symbol": "X"}) == two(symbol="X", window=2)
    assert load_class(tmp_path / "a" / "momentum.py", "Momentum") is one
    assert load_class(write(tmp_path / "a", 3), "Momentum")(symbol="X").window == 3


def test_copies_of_one_file_know_where_they_lie(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        cls = load_class(write(tmp_path / folder, 1), "Momentum")
        assert sys.modules[cls.__module__].__file__ == str(tmp_path / folder / "momentum.py")


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(ConfigurationError, match=r"momentun\.py does not exist.*'momentum\.py'"):
        load_class(tmp_path / "momentun.py", "Momentum")


def test_a_missing_class_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with pytest.raises(ConfigurationError, match="did you mean 'Momentum'"):
        load_class(path, "Momentun")
    with pytest.raises(ConfigurationError, match="it has: Momentum"):
        load_class(path, "Decimal")


def test_a_parameter_that_does_not_exist_is_named_with_the_nearest(tmp_path: Path) -> None:
    cls = load_class(write(tmp_path, 1), "Momentum")
    with pytest.raises(ConfigurationError, match="takes no 'windw'; did you mean 'window'"):
        build(cls, {"symbol": "X", "windw": 3})
    with pytest.raises(ConfigurationError, match="needs 'symbol'"):
        build(cls, {})


def test_a_file_that_fails_leaves_no_half_module(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("class Broken: pass\nraise KeyError('mine')\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            load_class(path, "Broken")
    assert not [name for name in sys.modules if "broken_" in name]


ASKED = """
class Mine:
    {}
"""


@pytest.mark.parametrize(
    ("decide", "said"),
    [
        ("def decide(self, snapshot): ...", r"decide\(snapshot\): too many positional arguments"),
        ("def decide(self, a, b, c): ...", "missing a required argument: 'c'"),
        ("def decide(self, a, b, *, c): ...", "missing a required (keyword-only )?argument: 'c'"),
        ("async def decide(self, snapshot, book): ...", "async, and nothing awaits it"),
        ("async def decide(self, snapshot, book): yield", "async, and nothing awaits it"),
        ("def decide(self, snapshot, book): yield", "returns one Proposal, or HOLD"),
        ("decide = 3", "has no method decide"),
        ("def decied(self, snapshot, book): ...", "has no method decide"),
    ],
)
def test_a_strategy_that_cannot_be_asked_is_refused_when_it_is_loaded(
    tmp_path: Path, decide: str, said: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(ASKED.format(decide), encoding="utf-8")
    built = build(load_class(path, "Mine"), {})
    with pytest.raises(ConfigurationError, match=said) as refused:
        require_strategy(built)
    assert "write: def decide(self, snapshot, book)" in str(refused.value)
    if "def decide(" in decide:
        assert f"({path}, line 3)" in str(refused.value)


@pytest.mark.parametrize(
    "decide",
    [
        "def decide(self, snapshot, book): ...",
        "def decide(self, *seen): ...",
        "def decide(self, snapshot, book, more=1): ...",
        "decide = staticmethod(lambda snapshot, book: None)",
    ],
)
def test_whatever_takes_a_snapshot_and_a_book_is_a_strategy(tmp_path: Path, decide: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(ASKED.format(decide), encoding="utf-8")
    require_strategy(build(load_class(path, "Mine"), {}))


def test_a_missing_file_is_called_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mandate file"):
        load_object(tmp_path / "none.py", "mandate", "mandate file")
