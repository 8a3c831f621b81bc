"""A cassette replays what was recorded, or refuses and shows where it departs."""

from __future__ import annotations

from pathlib import Path

import pytest
from agents_builders import chat_request, completion

from agent_fund.agents.cassette import CassetteHeader, CassettePlayer, CassetteRecorder
from agent_fund.agents.chat import ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import CassetteError, Failure, ModelError

HEADER = CassetteHeader(
    model="tiny", weights_sha256="00" * 32, server="server 1.0", recorded="2026-01-31"
)
REQUESTS = [chat_request(f"line one\nweek {week}\nline three") for week in range(3)]


class Live:
    """Answers with what it is given, in order."""

    def __init__(self, *bodies: bytes | ModelError) -> None:
        self.bodies = list(bodies)

    def complete(self, request: ChatRequest) -> ChatResponse:
        body = self.bodies.pop(0)
        if isinstance(body, ModelError):
            raise body
        return parse_completion(body)


def record(path: Path) -> None:
    live = Live(
        completion('{"view": "é"}'), ModelError(Failure.TIMEOUT, "no answer"), completion("{}")
    )
    recorder = CassetteRecorder(path, live, HEADER)
    for request in REQUESTS:
        try:
            recorder.complete(request)
        except ModelError:
            continue
    recorder.finish()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.jsonl"
    record(path)
    return path


def test_replay_gives_the_recorded_answers_and_failures(tape: Path) -> None:
    player = CassettePlayer(tape)
    assert (player.header, len(player)) == (HEADER, 3)
    assert player.complete(REQUESTS[0]) == parse_completion(completion('{"view": "é"}'))
    with pytest.raises(ModelError, match="timeout: no answer"):
        player.complete(REQUESTS[1])
    assert player.complete(REQUESTS[2]).text == "{}"
    player.finish()


def test_recording_the_same_again_gives_the_same_bytes(tape: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.jsonl"
    record(again)
    assert again.read_bytes() == tape.read_bytes()
    assert CassettePlayer(again).digest == CassettePlayer(tape).digest


def test_a_request_that_differs_is_refused_and_the_difference_shown(tape: Path) -> None:
    with pytest.raises(CassetteError) as caught:
        CassettePlayer(tape).complete(chat_request("line one\nweek 9\nline three"))
    assert "request 1 of 3" in str(caught.value)
    assert "message 1" in str(caught.value)
    assert "-week 0\n+week 9" in str(caught.value)


@pytest.mark.parametrize("change", [{"seed": 8}, {"temperature": "0.8"}, {"max_tokens": 51}])
def test_a_parameter_that_differs_is_named(tape: Path, change: dict[str, object]) -> None:
    with pytest.raises(CassetteError, match=next(iter(change))):
        CassettePlayer(tape).complete(chat_request("line one\nweek 0\nline three", **change))


def test_a_schema_in_another_order_is_another_request(tape: Path) -> None:
    schema = dict(reversed(REQUESTS[0].schema.items()))
    with pytest.raises(CassetteError, match="response_format"):
        CassettePlayer(tape).complete(chat_request("line one\nweek 0\nline three", schema=schema))


def test_requests_in_another_order_are_refused(tape: Path) -> None:
    with pytest.raises(CassetteError, match="request 1 of 3"):
        CassettePlayer(tape).complete(REQUESTS[1])


def test_a_missing_answer_is_refused(tape: Path) -> None:
    lines = tape.read_bytes().splitlines(keepends=True)
    tape.write_bytes(b"".join(lines[:2]))
    player = CassettePlayer(tape)
    player.complete(REQUESTS[0])
    with pytest.raises(CassetteError, match="one more is asked for"):
        player.complete(REQUESTS[1])


def test_an_answer_left_over_is_refused(tape: Path) -> None:
    player = CassettePlayer(tape)
    player.complete(REQUESTS[0])
    with pytest.raises(CassetteError, match="2 of 3 recorded answers were never asked for"):
        player.finish()


def test_a_rewound_copy_plays_on_its_own(tape: Path) -> None:
    player = CassettePlayer(tape)
    player.complete(REQUESTS[0])
    twin = player.rewind_copy()
    twin.complete(REQUESTS[0])
    with pytest.raises(ModelError):
        player.complete(REQUESTS[1])
    with pytest.raises(ModelError):
        twin.complete(REQUESTS[1])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b'"format":"agent-fund/cassette/v1"', b'"format":"v2"', 1),
        (b'"server"', b'"sever"', 1),
        (b"week 0", b"week 1", 2),
        (b'"seed":7', b'"seed":8', 2),
        (b'{"request"', b'{"request', 2),
        (b'"finish_reason', b'"finish', 2),
        (b'"finish_reason\\": \\"stop', b'"finish_reason\\": \\"length', 2),
        (b'"failure":"timeout"', b'"failure":"tired"', 3),
        (b'"detail":"no answer"', b'"detail":"no answer","more":1', 3),
        (b"week 2", b"week 3", 4),
    ],
)
def test_a_corrupt_line_is_named(tape: Path, old: bytes, new: bytes, line: int) -> None:
    whole = tape.read_bytes()
    where = whole.splitlines()[line - 1]
    lines = whole.splitlines()
    lines[line - 1] = where.replace(old, new, 1)
    damaged = b"\n".join(lines) + b"\n"
    assert damaged != whole
    tape.write_bytes(damaged)
    with pytest.raises(CassetteError, match=f"tape.jsonl, line {line}: "):
        CassettePlayer(tape)


def test_a_cut_file_is_refused(tape: Path) -> None:
    whole = tape.read_bytes()
    ends = {index + 1 for index, byte in enumerate(whole) if byte == ord("\n")}
    for length in range(0, len(whole), 7):
        if length not in ends:
            tape.write_bytes(whole[:length])
            with pytest.raises(CassetteError, match=r"tape.jsonl, line \d"):
                CassettePlayer(tape)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match=r"nowhere\.jsonl does not exist"):
        CassettePlayer(tmp_path / "nowhere.jsonl")


def test_a_recording_that_dies_leaves_no_cassette(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    recorder = CassetteRecorder(path, Live(completion("{}")), HEADER)
    recorder.complete(REQUESTS[0])
    assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["tape.jsonl.partial"]
    recorder.finish()
    assert [file.name for file in tmp_path.iterdir()] == ["tape.jsonl"]


def test_a_cassette_is_never_overwritten(tape: Path) -> None:
    with pytest.raises(CassetteError, match="exists"):
        CassetteRecorder(tape, Live(), HEADER)


def test_a_path_of_this_machine_is_never_recorded(tmp_path: Path) -> None:
    live = Live(completion("{}", model="/home/someone/tiny.gguf"))
    recorder = CassetteRecorder(tmp_path / "tape.jsonl", live, HEADER)
    with pytest.raises(CassetteError, match="alias"):
        recorder.complete(REQUESTS[0])
    recorder.finish()
    assert b"someone" not in (tmp_path / "tape.jsonl").read_bytes()


def test_a_response_that_is_not_what_its_bytes_say_is_not_recorded(tmp_path: Path) -> None:
    class Liar:
        def complete(self, request: ChatRequest) -> ChatResponse:
            told = parse_completion(completion("{}"))
            return ChatResponse(**{**vars(told), "text": "something else"})

    recorder = CassetteRecorder(tmp_path / "tape.jsonl", Liar(), HEADER)
    with pytest.raises(CassetteError, match="its own bytes"):
        recorder.complete(REQUESTS[0])
    recorder.finish()
