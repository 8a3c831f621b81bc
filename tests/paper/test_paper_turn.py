"""A halt that is given while the agent thinks comes before what it proposes is judged."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from accounts_world import Accounts, accounts, records, slow
from carry_world import carry

from agent_fund.audit.canonical import decode, encode
from agent_fund.audit.errors import VerificationError
from agent_fund.audit.replay import Replay
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.verify import verify
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.fund.agent_turn import AgentTurn, Asked
from agent_fund.fund.control_command import Act
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode

AT = 3


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def press(folder: Path, act: Act) -> None:
    """An operator speaks from another terminal."""
    (run,) = (folder / "runs").iterdir()
    ControlFile(run).ask(act, "ann", "enough")


def pressed_while_it_thinks(patch: pytest.MonkeyPatch, folder: Path, act: Act) -> None:
    """``act`` is asked for while the agent is at its answer of bar AT, the first time."""
    ask, pressed = AgentTurn.ask, []

    def asked(turn: AgentTurn, bar: int, snapshot: Any, book: Any) -> Asked | None:
        answer = ask(turn, bar, snapshot, book)
        if bar == AT and not pressed:
            pressed.append(bar)
            press(folder, act)
        return answer

    patch.setattr(AgentTurn, "ask", asked)


def acts_of(folder: Path, bar: int) -> list[str]:
    return [record["act"] for record in records(folder, "guard") if record["bar"] == bar]


def bought(folder: Path) -> list[int]:
    """The bars at whose close the agent's orders were let go."""
    guards = {i: r for i, r in enumerate(records(folder)) if r["kind"] == "guard"}
    orders = [r for r in records(folder, "order") if r["purpose"] == "agent"]
    return sorted({guards[order["guard"]]["bar"] for order in orders})


def test_without_a_halt_the_agent_trades_at_that_bar(tmp_path: Path, world: Accounts) -> None:
    finished = world.run(carry(tmp_path, 8, slow))
    assert AT in bought(finished.folder)


@pytest.mark.parametrize("act", [Act.HALT, Act.FLATTEN])
def test_what_is_proposed_meanwhile_is_refused(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    pressed_while_it_thinks(monkeypatch, tmp_path, act)
    modes: list[Mode] = []
    finished = world.run(carry(tmp_path, 14, slow), lambda tick, *_: modes.append(tick.mode))
    assert max(bought(finished.folder)) < AT
    acts = acts_of(finished.folder, AT)
    assert acts[acts.index("hold" if act is Act.HALT else "kill") + 1] == "decide"
    (refused,) = (
        r for r in records(finished.folder, "guard") if (r["bar"], r["act"]) == (AT, "decide")
    )
    assert (refused["outcome"], refused["findings"][0]["guardrail"]) == ("refused", "mode")
    assert world.booked() == world.there()
    assert (modes[-1] is Mode.HALTED) == (act is Act.FLATTEN)
    (command,) = ControlFile(finished.folder).read().commands
    assert command.outcome.value == "done"
    assert verify(finished.folder).run == finished.summary["run"]


class Leaves:
    """A log of these records, with the blobs of another."""

    def __init__(self, made: list[dict[str, Any]], source: SqliteLog) -> None:
        self._leaves = [encode(record) for record in made]
        self._source = source

    def leaf(self, index: int) -> bytes:
        return self._leaves[index]

    def blob(self, digest: str) -> bytes:
        return self._source.blob(digest)

    def replay(self) -> None:
        replay = Replay(self)  # type: ignore[arg-type]
        for leaf in self._leaves:
            replay.take(leaf)
        replay.finish()


def placed(made: list[dict[str, Any]], at: int, record: dict[str, Any] | None) -> None:
    """Take the record at ``at`` out, or put one in, and let what names records name them still."""
    if record is None:
        del made[at]
    for other in made:
        for field in ("intent", "proposal", "guard"):
            if isinstance(other.get(field), int) and other[field] >= at:
                other[field] += -1 if record is None else 1
    if record is not None:
        made.insert(at, record)


@pytest.mark.parametrize(
    ("moved", "said"),
    [(0, ""), (-1, "question of record"), (None, "there is nothing to resume|outcome|refused")],
)
def test_a_log_tells_where_the_halt_came(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch, moved: int | None, said: str
) -> None:
    pressed_while_it_thinks(monkeypatch, tmp_path, Act.HALT)
    finished = world.run(carry(tmp_path, 6, slow))
    source = SqliteLog(finished.folder / "log.sqlite", read_only=True)
    made = [dict(decode(leaf)) for leaf in source.leaves()]
    at = next(n for n, record in enumerate(made) if record.get("act") == "hold")
    assert (made[at - 1]["kind"], made[at + 1]["act"]) == ("proposal", "decide")
    hold = made[at]
    placed(made, at, None)
    if moved is not None:
        placed(made, at + moved, hold)
    if said:
        with pytest.raises(VerificationError, match=said):
            Leaves(made, source).replay()
    else:
        Leaves(made, source).replay()
    source.close()


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_commit_a_halt_is_kept_and_what_was_judged_before_it_stands(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    runfile, meanwhile = carry(tmp_path, 12, slow), seed % 2 == 0
    if meanwhile:
        pressed_while_it_thinks(monkeypatch, tmp_path, Act.HALT)
    commit, lives = LiveFile._commit, 0

    def mortal(file: LiveFile) -> None:
        nonlocal lives
        lives -= 1
        if lives == 0:
            if chance.random() < 0.5:
                commit(file)
            raise Killed
        commit(file)

    monkeypatch.setattr(LiveFile, "_commit", mortal)
    finished, kills = None, 0
    while finished is None:
        lives = chance.randint(1, 30) if kills < 8 else -1
        folders = list((tmp_path / "runs").glob("*"))
        try:
            finished = world.run(runfile, resume=folders[0] if folders else None)
        except Killed:
            kills += 1
            world.clock.ms += chance.choice([0, 1_000, 30_000])
            world.passed(world.clock.ms)
            if kills == 2 and not meanwhile:
                press(tmp_path, Act.HALT)
    assert kills
    assert sum("hold" in acts_of(finished.folder, bar) for bar in range(12)) == 1
    if meanwhile:
        assert "hold" in acts_of(finished.folder, AT)
        assert max(bought(finished.folder)) < AT
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]
