"""A model that fails makes the strategy abstain; a prompt that is wrong stops the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from agents_builders import Endpoint, completion
from agents_market import book_of, history_of, tracker
from pydantic import Field

from agent_fund.agents.cassette import CassetteHeader, CassettePlayer, CassetteRecorder
from agent_fund.agents.chat import ChatModel, ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import Abstain, CassetteError, ConfigurationError
from agent_fund.agents.language_model import Answer, LanguageModelStrategy, strict_schema
from agent_fund.agents.openai_model import OpenAIModel
from agent_fund.domain.book import Book
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.snapshot import Snapshot

GOLD = tracker("GOLD")
SNAPSHOT = history_of({GOLD: [100, 110]}).snapshot()
BOOK = book_of(10**12, {GOLD: 0})
PROMPT = """{% block system %}
You trade gold.
{% endblock %}
{% block user %}
Gold closed at {{ close }}.
{% endblock %}
"""


class Reason(Answer):
    text: str = "unstated"


class View(Answer):
    why: Reason
    quantity: Annotated[int, Field(ge=1, le=9)]


class Gold(LanguageModelStrategy[View]):
    answer_model = View

    def context(self, snapshot: Snapshot, book: Book) -> dict[str, object]:
        return {"close": snapshot.price("GOLD")}

    def proposal(self, answer: View, snapshot: Snapshot, book: Book) -> Proposal:
        leg = Leg(GOLD, Side.BUY, answer.quantity, snapshot.last_close("GOLD"))
        return Proposal((leg,), reason=answer.why.text)


class Says:
    """A model with one answer."""

    def __init__(self, text: str) -> None:
        self.text = text

    def complete(self, request: ChatRequest) -> ChatResponse:
        return parse_completion(completion(self.text))


def gold(model: ChatModel, tmp_path: Path, prompt: str = PROMPT) -> Gold:
    path = tmp_path / "gold.md.j2"
    path.write_text(prompt, encoding="utf-8")
    return Gold(model, "tiny", path, temperature="0.5", seed=3)


def test_a_valid_answer_becomes_the_proposal(tmp_path: Path) -> None:
    strategy = gold(Says('{"why": {"text": "cheap"}, "quantity": 4}'), tmp_path)
    assert strategy.decide(SNAPSHOT, BOOK) == Proposal(
        (Leg(GOLD, Side.BUY, 4, 110),), reason="cheap"
    )
    body = strategy.request(SNAPSHOT, BOOK).body()
    assert body["messages"] == [
        {"role": "system", "content": "You trade gold."},
        {"role": "user", "content": "Gold closed at 1.10."},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "buy gold!",
        "",
        "{}",
        '{"why": {"text": "x"}, "quantity": 0}',
        '{"why": {"text": "x"}, "quantity": 4.0}',
        '{"why": {"text": "x"}, "quantity": "4"}',
        '{"why": {"text": "x"}, "quantity": true}',
        '{"why": {"text": "x"}, "quantity": NaN}',
        '{"why": {"text": "x", "more": 1}, "quantity": 4}',
        '{"why": {"text": "x"}, "quantity": 4, "quantity": 9}',
        '{"why": {"text": "\\ud800"}, "quantity": 4}',
        '```json\n{"why": {"text": "x"}, "quantity": 4}\n```',
        "[" * 100_000,
    ],
)
def test_an_answer_that_does_not_validate_is_an_abstention(tmp_path: Path, text: str) -> None:
    with pytest.raises(Abstain) as caught:
        gold(Says(text), tmp_path).decide(SNAPSHOT, BOOK)
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 1000


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", "http: the endpoint answered HTTP 500"),
        (200, b"not json", "malformed: the body is not JSON"),
        (200, completion("{", finish_reason="length"), "truncated: "),
        (200, completion(None, refusal="no"), "refusal: no"),
    ],
)
def test_a_model_that_fails_is_an_abstention(
    tmp_path: Path, endpoint: Endpoint, status: int, body: bytes, reason: str
) -> None:
    endpoint.status, endpoint.body = status, body
    with pytest.raises(Abstain) as caught:
        gold(OpenAIModel(endpoint.url, "key"), tmp_path).decide(SNAPSHOT, BOOK)
    assert caught.value.reason.startswith(reason)


def test_a_departure_from_the_cassette_is_no_abstention(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    header = CassetteHeader(model="tiny", weights_sha256=None, server="s", recorded="2026-01-31")
    recorder = CassetteRecorder(tape, Says("nonsense"), header)
    with pytest.raises(Abstain):
        gold(recorder, tmp_path).decide(SNAPSHOT, BOOK)
    recorder.finish()
    strategy = gold(CassettePlayer(tape), tmp_path)
    with pytest.raises(Abstain):
        strategy.decide(SNAPSHOT, BOOK)
    with pytest.raises(CassetteError, match="one more"):
        strategy.decide(SNAPSHOT, BOOK)
    with pytest.raises(CassetteError, match=r"Gold closed at 1\.00"):
        gold(CassettePlayer(tape), tmp_path).decide(history_of({GOLD: [100]}).snapshot(), BOOK)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("{% block user %}{{ clsoe }}{% endblock %}", "clsoe"),
        ("{% block user %}{{ close.__class__.__mro__ }}{% endblock %}", "__class__"),
        ("{% block user %}{{ close }}", "endblock"),
        ("Gold closed at {{ close }}.", "block user"),
        ("{% block user %}{% endblock %}{% block asistant %}{% endblock %}", "asistant"),
    ],
)
def test_a_prompt_that_is_wrong_stops_the_run(tmp_path: Path, prompt: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        gold(Says("{}"), tmp_path, prompt).decide(SNAPSHOT, BOOK)


def test_a_missing_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        Gold(Says("{}"), "tiny", tmp_path / "nowhere")


def test_the_schema_requires_every_field_and_allows_no_other() -> None:
    assert strict_schema(View) == {
        "$defs": {
            "Reason": {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            }
        },
        "type": "object",
        "properties": {
            "why": {"$ref": "#/$defs/Reason"},
            "quantity": {"type": "integer", "minimum": 1, "maximum": 9},
        },
        "required": ["why", "quantity"],
        "additionalProperties": False,
    }
