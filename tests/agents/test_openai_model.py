"""What leaves is exactly the request; every fault of an endpoint is a ModelError; no key leaks."""

from __future__ import annotations

import json
import logging
import threading
import traceback

import pytest
from agents_builders import Endpoint, chat_request, completion

from agent_fund.agents.errors import (
    ConfigurationError,
    Failure,
    ModelError,
    RequestAlteredError,
)
from agent_fund.agents.openai_model import OpenAIModel

KEY = "sk-this-is-the-secret"


def ask(endpoint: Endpoint, timeout: int = 20) -> ModelError:
    with pytest.raises(ModelError) as caught:
        OpenAIModel(endpoint.url, KEY, timeout).complete(chat_request())
    return caught.value


def test_bytes_that_leave_are_the_bytes_of_the_request(endpoint: Endpoint) -> None:
    endpoint.body = completion('{"view": "calm"}')
    request = chat_request("naïve — π")
    response = OpenAIModel(endpoint.url, KEY).complete(request)
    assert endpoint.received == [request.raw()]
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert response.text == '{"view": "calm"}'
    assert response.raw == endpoint.body
    assert (response.prompt_tokens, response.completion_tokens) == (3, 4)


def test_nothing_is_sent_when_a_layer_below_changes_the_bytes(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = OpenAIModel(endpoint.url, KEY)
    build = model._client._build_request

    def meddle(options, **more):  # type: ignore[no-untyped-def]
        options.content = options.content.replace(b"0.7", b"0.8")
        return build(options, **more)

    monkeypatch.setattr(model._client, "_build_request", meddle)
    with pytest.raises(RequestAlteredError, match="nothing was sent"):
        model.complete(chat_request())
    assert endpoint.received == []


@pytest.mark.parametrize("status", [400, 401, 408, 409, 429, 500, 503])
def test_an_http_error_is_reported_and_not_sent_again(endpoint: Endpoint, status: int) -> None:
    endpoint.status, endpoint.body = (
        status,
        b'{"error": {"message": "bad key ' + KEY.encode() + b'"}}',
    )
    error = ask(endpoint)
    assert error.failure is Failure.HTTP
    assert str(status) in str(error)
    assert len(endpoint.received) == 1


def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 307, {"Location": f"{endpoint.url}/elsewhere"}
    assert ask(endpoint).failure is Failure.HTTP
    assert len(endpoint.received) == 1


def test_silence_is_a_timeout_and_not_sent_again(endpoint: Endpoint) -> None:
    endpoint.silent = threading.Event()
    assert ask(endpoint, timeout=1).failure is Failure.TIMEOUT
    assert len(endpoint.received) == 1


def test_a_body_cut_on_the_wire_is_a_transport_failure(endpoint: Endpoint) -> None:
    endpoint.headers = {"Content-Length": str(len(endpoint.body) + 10)}
    assert ask(endpoint).failure is Failure.TRANSPORT


def test_no_server_is_a_transport_failure(endpoint: Endpoint) -> None:
    endpoint.url = "http://127.0.0.1:9/v1"
    assert ask(endpoint).failure is Failure.TRANSPORT


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", Failure.MALFORMED),
        (b"<html>", Failure.MALFORMED),
        (b'{"id": "x"', Failure.MALFORMED),
        (b"\xff\xfe", Failure.MALFORMED),
        (b"[" * 100_000, Failure.MALFORMED),
        (b"{}", Failure.MALFORMED),
        (completion("{}", choices=[]), Failure.MALFORMED),
        (completion(None), Failure.MALFORMED),
        (completion("{}", finish_reason="tool_calls"), Failure.MALFORMED),
        (completion("\ud800"), Failure.MALFORMED),
        (completion("{}").replace(b'"id"', b'"model": "other", "id"'), Failure.MALFORMED),
        (completion('{"view": "ca', finish_reason="length"), Failure.TRUNCATED),
        (completion("", finish_reason="content_filter"), Failure.CONTENT_FILTER),
        (completion(None, refusal="I cannot advise."), Failure.REFUSAL),
    ],
)
def test_a_body_without_a_whole_answer_is_a_model_error(
    endpoint: Endpoint, body: bytes, failure: Failure
) -> None:
    endpoint.body = body
    assert ask(endpoint).failure is failure


def test_the_key_stands_in_no_repr_error_or_log(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.status, endpoint.body = 401, json.dumps({"error": {"message": KEY}}).encode()
    model = OpenAIModel(endpoint.url, KEY)
    with pytest.raises(ModelError) as caught:
        model.complete(chat_request())
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    shown = "".join(traceback.format_exception(caught.value)) + repr(model) + caplog.text
    assert caplog.records
    assert KEY not in shown


def test_the_key_comes_from_the_environment() -> None:
    variables = {"FUND_KEY": KEY}
    model = OpenAIModel.from_environment("http://127.0.0.1:9/v1", "FUND_KEY", environment=variables)
    assert model._client.api_key == KEY
    with pytest.raises(ConfigurationError, match="OTHER_KEY is not set"):
        OpenAIModel.from_environment("http://127.0.0.1:9/v1", "OTHER_KEY", environment=variables)
