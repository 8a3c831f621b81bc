"""The local model answers through the same door, deterministically, and states no path."""

from __future__ import annotations

from importlib import metadata

import pytest
from agents_builders import chat_request

from agent_fund.agents import local_model
from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.openai_model import OpenAIModel


def test_what_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_model, "_DISTRIBUTION", "no-such-distribution")
    with (
        pytest.raises(ConfigurationError, match=r"agent-fund\[local-llm\]"),
        local_model.serve_local_model(),
    ):
        pass


def test_the_local_model_answers_in_the_schema_and_states_no_path() -> None:
    pytest.importorskip("xllamacpp", reason="the extra local-llm is not installed")
    weights = local_model.weights_file()
    schema = {
        "type": "object",
        "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    with local_model.serve_local_model() as (url, name, digest):
        model = OpenAIModel(url, "none")
        response = model.complete(chat_request(model=name, schema=schema))
        assert response.text.count("good") + response.text.count("bad") == 1
        assert response.model == name
        assert str(weights.parent).encode() not in response.raw
        assert len(digest) == 64
        model.close()
    assert metadata.version("xllamacpp") in local_model.server_name()
