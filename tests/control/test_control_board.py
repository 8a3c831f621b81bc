from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import sqlite3
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from control_world import STATUS
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.fund.control import ControlBoard
from agent_fund.fund.control_command import (
    ITSELF,
    Act,
    Command,
    Outcome,
    Stance,
    pending_of,
    stance_of,
    superseded,
)
from agent_fund.fund.control_file import CONTROL, CommandError, Control, ControlError, ControlFile
from agent_fund.fund.control_status import OpenOrder, Position, Status, VenueHealth


def board(folder: Path, *, first: bool = True) -> ControlBoard:
    return ControlBoard(folder, restart="start it", first=first)


@pytest.fixture
def file(tmp_path: Path) -> ControlFile:
    made = ControlFile(tmp_path)
    made.create()
    return made


# -- what commands mean together


acts = st.lists(
    st.tuples(st.sampled_from(Act), st.one_of(st.none(), st.sampled_from(Outcome))), max_size=12
)


def commands_of(given: list[tuple[Act, Outcome | None]]) -> list[Command]:
    return [Command(n, act, "A", "b", n, told) for n, (act, told) in enumerate(given, 1)]


def careful_of(commands: list[Command]) -> list[int]:
    return [
        command.id
        for command in commands
        if command.act is not Act.RESUME and command.outcome is not Outcome.REFUSED
    ]


@settings(deadline=None)
@given(acts)
def test_the_agent_runs_only_if_a_done_resume_followed_every_halt(
    given: list[tuple[Act, Outcome | None]],
) -> None:
    commands = commands_of(given)
    careful = [
        c.id
        for c in commands
        if c.act in (Act.HALT, Act.FLATTEN) and c.outcome is not Outcome.REFUSED
    ]
    resumed = [c.id for c in commands if c.act is Act.RESUME and c.outcome is Outcome.DONE]
    free = not careful or max(resumed, default=0) > max(careful)
    assert (stance_of(commands) is Stance.RUN) == free


@settings(deadline=None)
@given(acts)
def test_a_halt_takes_nothing_back_from_a_flatten(given: list[tuple[Act, Outcome | None]]) -> None:
    commands = commands_of([*given, (Act.FLATTEN, None), (Act.HALT, None)])
    assert stance_of(commands) is Stance.FLATTEN


@settings(deadline=None)
@given(acts)
def test_a_resume_is_pending_only_with_nothing_before_it(
    given: list[tuple[Act, Outcome | None]],
) -> None:
    pending = pending_of(commands_of(given))
    assert all(not command.finished for command in pending)
    if any(command.act is Act.RESUME for command in pending):
        assert pending[0].act is Act.RESUME
        assert all(command.act is not Act.RESUME for command in pending[1:])


@settings(deadline=None)
@given(acts)
def test_exactly_the_unanswered_resumes_before_a_halt_are_superseded(
    given: list[tuple[Act, Outcome | None]],
) -> None:
    commands = commands_of(given)
    careful = [
        c.id
        for c in commands
        if c.act in (Act.HALT, Act.FLATTEN) and c.outcome is not Outcome.REFUSED
    ]
    beaten = {
        c.id
        for c in commands
        if c.act is Act.RESUME and not c.finished and any(id > c.id for id in careful)
    }
    assert {resume.id for resume, _ in superseded(commands)} == beaten
    assert all(later.id > resume.id for resume, later in superseded(commands))


# -- the file


def test_a_command_is_read_back_as_it_was_given(file: ControlFile) -> None:
    command, new = file.ask(Act.HALT, "  Ada\tLovelace ", "too\nwild")
    assert new
    assert (command.id, command.by, command.reason) == (1, "Ada Lovelace", "too wild")
    assert file.read().commands == (command,)


def test_the_same_command_again_is_the_same_command_until_it_is_answered(file: ControlFile) -> None:
    first, _ = file.ask(Act.HALT, "Ada", "a")
    again, new = file.ask(Act.HALT, "Grace", "b")
    assert (again, new) == (first, False)
    file.answer(first.id, "working on it", Outcome.WORKING)
    again, new = file.ask(Act.HALT, "Grace", "b")
    assert (again.id, new) == (1, False)
    file.answer(first.id, "done", Outcome.DONE)
    other, new = file.ask(Act.HALT, "Grace", "b")
    assert (other.id, other.by, new) == (2, "Grace", True)


def test_another_command_in_between_makes_it_a_new_one(file: ControlFile) -> None:
    acts = [Act.HALT, Act.RESUME, Act.HALT, Act.FLATTEN]
    assert [file.ask(act, "Ada", "a")[0].id for act in acts] == [1, 2, 3, 4]


def test_a_final_answer_stays(file: ControlFile) -> None:
    file.ask(Act.FLATTEN, "Ada", "a")
    for text, outcome in (("1", Outcome.WORKING), ("2", Outcome.WORKING), ("3", Outcome.DONE)):
        file.answer(1, text, outcome)
    file.answer(1, "4", Outcome.REFUSED)
    (command,) = file.read().commands
    assert (command.answer, command.outcome) == ("3", Outcome.DONE)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 1001, "bell\x07", "\x1b[2J"])
def test_a_command_needs_a_name_and_a_reason_on_one_line(file: ControlFile, text: str) -> None:
    with pytest.raises(CommandError, match="a name is needed"):
        file.ask(Act.HALT, text, "reason")
    with pytest.raises(CommandError, match="a reason is needed"):
        file.ask(Act.HALT, "Ada", text)
    assert file.read().commands == ()


def test_a_run_that_is_over_takes_no_command(file: ControlFile) -> None:
    file.end("all bars are done")
    with pytest.raises(CommandError, match="all bars are done"):
        file.ask(Act.RESUME, "Ada", "a")
    file.begin("start")
    assert file.ask(Act.RESUME, "Ada", "a")[1]


def test_commands_given_at_once_from_many_threads_are_all_there_in_order(file: ControlFile) -> None:
    def give(number: int) -> None:
        for act in (Act.HALT, Act.RESUME) * 5:
            file.ask(act, f"person {number}", "at once")

    threads = [threading.Thread(target=give, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commands = file.read().commands
    assert [command.id for command in commands] == list(range(1, len(commands) + 1))
    # Two in a row are never the same unanswered act: the second stands for both.
    assert all(a.act is not b.act for a, b in pairwise(commands))


def test_between_looking_and_writing_nobody_else_gives_a_command(
    file: ControlFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_fund.fund.control_file._PATIENCE", 0.01)
    refused = []

    class Overtaken(ControlFile):
        def _read(self, db: sqlite3.Connection) -> Control:
            known = super()._read(db)
            with pytest.raises(ControlError, match="locked") as error:
                file.ask(Act.HALT, "Grace", "at the same moment")
            refused.append(error)
            return known

    Overtaken(tmp_path).ask(Act.HALT, "Ada", "a")
    assert len(refused) == 1
    assert [command.by for command in file.read().commands] == ["Ada"]


TEXT = st.text(max_size=20)


@settings(deadline=None)
@given(
    st.builds(
        Status,
        bar=st.integers(0, 10**9),
        time=st.integers(0, 2**53),
        next_beat=st.integers(0, 2**53),
        mode=TEXT,
        currency=TEXT,
        nav=TEXT,
        mark=TEXT,
        drawdown=TEXT,
        limit=TEXT,
        positions=st.lists(st.builds(Position, *[TEXT] * 4), max_size=2).map(tuple),
        orders=st.lists(st.builds(OpenOrder, *[TEXT] * 9), max_size=2).map(tuple),
        venues=st.lists(st.builds(VenueHealth, *[TEXT] * 3), max_size=2).map(tuple),
        alarms=st.lists(TEXT, max_size=2).map(tuple),
    )
)
def test_a_status_is_read_back_as_it_was_written(status: Status) -> None:
    assert Status.from_json(status.to_json()) == status


@pytest.mark.parametrize(
    ("before", "after"),
    [("{", "["), ('"bar":3', '"bar":"3"'), ('"bar":3', '"bat":3'), ('"alarms":[]', '"alarms":[5]')],
)
def test_a_status_of_another_form_is_refused(before: str, after: str) -> None:
    text = STATUS.to_json()
    assert before in text
    with pytest.raises(ValueError):
        Status.from_json(text.replace(before, after, 1))


# -- the board


def test_a_board_begins_running_and_hears_a_halt_at_once(tmp_path: Path) -> None:
    made = board(tmp_path)
    assert made.standing().stance is Stance.RUN
    ControlFile(tmp_path).ask(Act.HALT, "Ada", "a")
    standing = made.standing()
    assert standing.stance is Stance.HALT
    assert [command.act for command in standing.pending] == [Act.HALT]
    made.answer(1, "held")
    assert made.standing() == type(standing)(Stance.HALT, ())
    made.close()


def test_a_resume_changes_nothing_until_the_fund_says_it_is_done(tmp_path: Path) -> None:
    made, file = board(tmp_path), ControlFile(tmp_path)
    file.ask(Act.HALT, "Ada", "a")
    made.answer(1, "held")
    file.ask(Act.RESUME, "Ada", "b")
    assert made.standing().stance is Stance.HALT
    made.answer(2, "not Safe", Outcome.REFUSED)
    assert made.standing().stance is Stance.HALT
    file.ask(Act.RESUME, "Ada", "c")
    made.answer(3, "active")
    assert made.standing().stance is Stance.RUN
    made.close()


def test_a_halt_beats_a_resume_given_before_it_and_the_resume_is_told_so(tmp_path: Path) -> None:
    made, file = board(tmp_path), ControlFile(tmp_path)
    file.ask(Act.HALT, "Ada", "a")
    file.ask(Act.RESUME, "Ada", "b")
    file.ask(Act.HALT, "Grace", "c")
    assert [command.id for command in made.standing().pending] == [1, 3]
    (_, resume, _) = file.read().commands
    assert resume.outcome is Outcome.REFUSED
    assert resume.answer == "command 3, halt by Grace, came after it"
    made.close()


@pytest.mark.parametrize("act", [Act.HALT, Act.FLATTEN])
def test_a_resume_is_heard_once_what_came_before_it_is_finished(tmp_path: Path, act: Act) -> None:
    made, file = board(tmp_path), ControlFile(tmp_path)
    file.ask(act, "Ada", "a")
    file.ask(Act.RESUME, "Ada", "b")
    assert [command.act for command in made.standing().pending] == [act]
    made.answer(1, "under way", Outcome.WORKING)
    assert [command.act for command in made.standing().pending] == [act]
    made.answer(1, "there")
    standing = made.standing()
    assert [command.act for command in standing.pending] == [Act.RESUME]
    assert standing.stance is not Stance.RUN
    made.close()


def test_what_was_said_stands_after_a_restart(tmp_path: Path) -> None:
    made = board(tmp_path)
    ControlFile(tmp_path).ask(Act.FLATTEN, "Ada", "a")
    made.close()
    again = board(tmp_path, first=False)
    assert again.standing().stance is Stance.FLATTEN
    assert len(again.standing().pending) == 1
    again.close()


def test_a_board_is_made_once(tmp_path: Path) -> None:
    board(tmp_path).close()
    with pytest.raises(ControlError):
        board(tmp_path)
    board(tmp_path, first=False).close()


# -- a board that cannot be read


def destroy(folder: Path, how: str) -> None:
    path = folder / CONTROL
    if how == "deleted":
        path.unlink()
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "overwritten":
        path.write_bytes(os.urandom(len(path.read_bytes())))
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: 4096 + 100])
    elif how == "another database":
        path.unlink()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE other (a)")
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "an unknown act":
        sql(path, "INSERT INTO command (act, person, reason, at) VALUES ('dance', 'A', 'b', 1)")
    elif how == "an unknown outcome":
        sql(
            path,
            "INSERT INTO command (act, person, reason, at, outcome) "
            "VALUES ('halt', 'A', 'b', 1, 'perhaps')",
        )
    elif how == "commands deleted":
        sql(path, "INSERT INTO command (act, person, reason, at) VALUES ('halt', 'A', 'b', 1)")
        sql(path, "DELETE FROM command")
    elif how == "a page in disorder":
        with contextlib.closing(sqlite3.connect(path)) as db:
            ((page,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'command'")
        content = bytearray(path.read_bytes())
        free = (page - 1) * 4096 + 1  # where the list of free blocks in a page begins
        content[free : free + 2] = b"\x0f\xff"
        path.write_bytes(bytes(content))
    elif how == "no fund":
        sql(path, "DELETE FROM fund")
    elif how == "a status of another form":
        sql(path, "UPDATE fund SET status = '{}'")


HOWS = [
    "deleted",
    "emptied",
    "overwritten",
    "cut",
    "another database",
    "a folder",
    "an unknown act",
    "an unknown outcome",
    "commands deleted",
    "a page in disorder",
    "no fund",
    "a status of another form",
]


def sql(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


@pytest.mark.parametrize("how", HOWS)
def test_an_unreadable_board_is_a_halt_and_heals_into_one_that_only_a_person_ends(
    tmp_path: Path, how: str
) -> None:
    made, file = board(tmp_path), ControlFile(tmp_path)
    made.beat(STATUS)
    assert made.standing().stance is Stance.RUN
    destroy(tmp_path, how)
    standing = made.standing()
    assert standing.stance is Stance.HALT
    assert standing.fault
    made.beat(STATUS)
    standing = made.standing()
    (command,) = standing.pending
    assert (standing.stance, command.act, command.by) == (Stance.HALT, Act.HALT, ITSELF)
    assert "could not be used" in command.reason
    assert standing.fault == ""
    kept = [path.name for path in tmp_path.iterdir() if ".damaged-" in path.name]
    # A beat has written a good status over a bad one.
    assert bool(kept) == (how not in ("deleted", "a status of another form"))
    made.answer(command.id, "held")
    file.ask(Act.RESUME, "Ada", "the disk was changed")
    made.answer(2, "active")
    assert made.standing().stance is Stance.RUN
    assert file.read().restart == "start it"
    made.close()


@pytest.mark.parametrize("how", HOWS)
def test_a_run_that_has_begun_and_lost_its_board_begins_halted(tmp_path: Path, how: str) -> None:
    board(tmp_path).close()
    destroy(tmp_path, how)
    again = board(tmp_path, first=False)
    for _ in range(3):
        assert again.standing().stance is Stance.HALT
    again.close()
    third = board(tmp_path, first=False)
    assert third.standing().stance is Stance.HALT
    third.close()


def test_a_board_lost_on_the_way_to_flat_goes_on_to_flat(tmp_path: Path) -> None:
    made = board(tmp_path)
    ControlFile(tmp_path).ask(Act.FLATTEN, "Ada", "a")
    assert made.standing().stance is Stance.FLATTEN
    destroy(tmp_path, "overwritten")
    for _ in range(3):
        assert made.standing().stance is Stance.FLATTEN
    made.close()


def test_a_file_that_another_holds_locked_is_a_halt_until_a_person_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_fund.fund.control_file._PATIENCE", 0.01)
    made = board(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / CONTROL, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        made.beat(STATUS)
        assert "locked" in made.fault
        assert made.standing().stance is Stance.HALT
        other.execute("ROLLBACK")
    (command,) = made.standing().pending
    assert command.by == ITSELF
    assert [path.name for path in tmp_path.iterdir() if "damaged" in path.name] == []
    made.close()


def test_no_cut_and_no_changed_byte_of_the_file_lets_a_halted_fund_run(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.mkdir()
    made = board(good)
    made.beat(STATUS)
    ControlFile(good).ask(Act.HALT, "Ada", "a")
    made.answer(1, "held")
    made.close()
    content = (good / CONTROL).read_bytes()
    bad = tmp_path / "bad"
    for position in [p for p, byte in enumerate(content) if byte][::9]:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        assert _stance(bad, bytes(changed)) is not Stance.RUN, position
    for size in range(0, len(content), 1021):
        assert _stance(bad, content[:size]) is not Stance.RUN, size


def _stance(folder: Path, content: bytes) -> Stance:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / CONTROL).write_bytes(content)
    made = board(folder, first=False)
    stance = made.standing().stance
    made.close()
    return stance


def _crash_in(folder: str, step: int) -> None:
    """Give one command and die at the ``step``-th statement of it."""
    count = 0

    class Dying(sqlite3.Connection):
        def execute(self, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
            nonlocal count
            count += 1
            if count == step:
                os._exit(9)
            return super().execute(*arguments)  # type: ignore[arg-type]

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **k, factory=Dying)  # type: ignore[assignment]
    ControlFile(Path(folder)).ask(Act.HALT, "Ada", "a")
    os._exit(0)


def test_a_command_is_there_whole_or_not_at_all_wherever_its_giver_dies(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    codes = []
    for step in range(1, 15):
        folder = tmp_path / str(step)
        folder.mkdir()
        board(folder).close()
        process = context.Process(target=_crash_in, args=(str(folder), step))
        process.start()
        process.join()
        codes.append(process.exitcode)
        commands = ControlFile(folder).read().commands
        assert len(commands) == (1 if process.exitcode == 0 else 0)
        if process.exitcode == 0:
            break
    assert set(codes) == {0, 9}
