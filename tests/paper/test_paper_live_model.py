"""A fund whose language model is asked while it runs, over a loopback endpoint."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from accounts_world import Accounts, accounts, records, slow
from carry_world import carry

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))
sys.path.insert(0, str(Path(__file__).parents[1] / "keys"))

from agents_builders import completion
from artefacts import find_secrets

from agent_fund.audit.verify import verify
from agent_fund.backtest.errors import RunFileError
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.paper.errors import PaperError
from agent_fund.paper.run import paper

SECRET = "sk-loopback-model-key-0123456789"
STANCES = ("full", "half", "none", "full")


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


class Model:
    """An OpenAI-compatible endpoint.

    Attributes:
        answer: (status, body) for question number n, from 0. ``asked``: the questions' bytes.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.keys: set[str] = set()
        self.answer: Callable[[int], tuple[int, bytes]] = said
        self.url = ""


def said(number: int) -> tuple[int, bytes]:
    stance = STANCES[number % len(STANCES)]
    return 200, completion(json.dumps({"view": f"view {number}", "stance": stance}))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    made = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            made.keys.add(self.headers["Authorization"])
            status, body = made.answer(len(made.asked) - 1)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("FUND_MODEL_KEY", SECRET)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


ASKING = '''

class Asking(CarryWithOverlay):
    """Asks at every third bar; it is told what spot costs."""

    turns = -1

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        self.turns += 1
        self._period = -1 if self.turns % 3 == 0 else (snapshot.time // 86_400_000 + 3) // 7
        return super().decide(snapshot, book)
'''


def asking(folder: Path, model: Model, bars: int, key: str = "env:FUND_MODEL_KEY") -> Path:
    """A carry run file whose scale a model chooses, asked at the loopback endpoint."""

    def changed(text: str) -> str:
        text = slow(text).replace('"CashAndCarry"', '"Asking"')
        more = '\n[strategy.model]\nname = "tiny"\ncassette = "backtests/cassettes/none.jsonl"\n'
        more += f'\n[paper.model]\nurl = "{model.url}"\nkey = "{key}"\ntimeout = "20s"\n'
        return text + more

    runfile = carry(folder, bars, changed)
    file = runfile.parent.parent / "strategies" / "cash_and_carry.py"
    file.write_text(file.read_text() + ASKING)
    return runfile


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def test_a_live_model_is_asked_and_its_answers_move_the_fund(
    tmp_path: Path, world: Accounts, model: Model
) -> None:
    finished = world.run(asking(tmp_path, model, 10))
    calls, answers = records(finished.folder, "call"), records(finished.folder, "response")
    assert len(model.asked) == len(calls) == len(answers) == 4
    assert model.keys == {f"Bearer {SECRET}"}
    assert not any(record["failure"] for record in answers)
    reasons = [record["reason"] for record in records(finished.folder, "proposal")]
    assert any("full: view 0" in reason for reason in reasons)
    assert any("half: view 1" in reason for reason in reasons)
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]
    assert model.url in (finished.folder / "report.html").read_text()
    assert not find_secrets([finished.folder], {"model's key": SECRET.encode()})


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (200, b"[" * 100_000), (200, b"{}"), (429, b"wait")]
)
def test_a_model_that_has_no_answer_is_an_abstention(
    tmp_path: Path, world: Accounts, model: Model, status: int, body: bytes
) -> None:
    model.answer = lambda number: (status, body) if number == 1 else said(number)
    finished = world.run(asking(tmp_path, model, 8))
    failures = [bool(record["failure"]) for record in records(finished.folder, "response")]
    assert failures == [False, True, False]
    assert [record["bar"] for record in records(finished.folder, "abort")] == [3]
    assert verify(finished.folder).run == finished.summary["run"]


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_commit_no_question_that_was_answered_is_asked_again(
    tmp_path: Path, world: Accounts, model: Model, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    # Another answer each time it is asked, and a failure among them.
    model.answer = lambda number: (503, b"") if number == 2 else said(number)
    runfile = asking(tmp_path, model, 10)
    commit, lives, kills = LiveFile._commit, 0, 0

    def mortal(file: LiveFile) -> None:
        nonlocal lives
        lives -= 1
        if lives == 0:
            raise Killed
        commit(file)

    monkeypatch.setattr(LiveFile, "_commit", mortal)
    finished = None
    while finished is None:
        lives = chance.randint(1, 25) if kills < 6 else -1
        runs = list((tmp_path / "runs").glob("*"))
        try:
            finished = world.run(runfile, resume=runs[0] if runs else None)
        except Killed:
            kills += 1
            world.passed(world.clock.ms)
    assert kills
    answers = records(finished.folder, "response")
    assert len(answers) == 4
    # A crash between an answer and its record asks once more; nothing had come of the first.
    assert len(model.asked) <= len(answers) + kills
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]


def test_an_answer_in_the_log_is_not_asked_for_again(
    tmp_path: Path, world: Accounts, model: Model
) -> None:
    runfile = asking(tmp_path, model, 10)

    def dies(tick, session, stores) -> None:
        if tick.bar == 7:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, dies)
    assert len(model.asked) == 3
    model.answer = lambda number: said(number + 1)  # it would say something else now
    finished = world.run(runfile, resume=run_of(tmp_path))
    assert len(model.asked) == 4
    assert verify(finished.folder).run == finished.summary["run"]


@pytest.mark.parametrize("key", ["env:NOT_THERE", "keystore:a.json#FUND_MODEL_KEY"])
def test_a_key_that_is_not_in_the_environment_is_refused_before_anything_is_made(
    tmp_path: Path, world: Accounts, model: Model, key: str
) -> None:
    with pytest.raises(KeyRefused):
        world.run(asking(tmp_path, model, 4, key))
    assert not (tmp_path / "runs").exists()


def test_a_time_longer_than_a_fund_may_look_away_is_refused(tmp_path: Path, model: Model) -> None:
    runfile = asking(tmp_path, model, 4)
    runfile.write_text(runfile.read_text().replace('timeout = "20s"', 'timeout = "5m"'))
    with pytest.raises(RunFileError, match="at most 100s"):
        paper(runfile)


def test_an_endpoint_for_a_strategy_that_asks_nothing_is_refused(
    tmp_path: Path, world: Accounts, model: Model
) -> None:
    runfile = carry(tmp_path, 4, lambda text: f'{slow(text)}\n[paper.model]\nurl = "{model.url}"\n')
    with pytest.raises(PaperError, match="asks no model"):
        world.run(runfile)
