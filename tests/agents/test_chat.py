"""Requests have two digests that say what they should; ambiguous JSON is refused."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

import pytest
import rfc8785
from agents_builders import chat_request
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.agents.chat import is_file_path, strict_json
from agent_fund.agents.errors import ConfigurationError
from agent_fund.domain.errors import DomainError


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**53 - 1), st.integers(0, 20)
)
def test_digests_are_of_the_raw_bytes_and_of_the_canonical_form(
    text: str, seed: int, tenths: int
) -> None:
    temperature = str(Decimal(tenths) / 10)
    request = chat_request(text, seed=seed, temperature=temperature)
    assert json.loads(request.raw()) == request.body()
    assert request.raw_digest == hashlib.sha256(request.raw()).hexdigest()
    canonical = rfc8785.dumps(json.loads(request.raw()))
    assert request.canonical_digest == hashlib.sha256(canonical).hexdigest()


def test_order_of_the_schema_changes_the_raw_digest_alone() -> None:
    one = chat_request(schema={"type": "object", "required": []})
    two = chat_request(schema={"required": [], "type": "object"})
    assert one.canonical_digest == two.canonical_digest
    assert one.raw_digest != two.raw_digest


def test_a_schema_changed_later_does_not_change_the_request() -> None:
    schema: dict[str, object] = {"type": "object"}
    request = chat_request(schema=schema)
    schema["type"] = "array"
    assert b'"type":"object"' in request.raw()


@pytest.mark.parametrize("temperature", ["-0.1", "0.70000000000000000001"])
def test_a_temperature_that_json_would_not_hold_is_refused(temperature: str) -> None:
    with pytest.raises(ConfigurationError, match="temperature"):
        chat_request(temperature=temperature)


def test_numbers_that_are_not_exact_are_refused() -> None:
    with pytest.raises(DomainError, match=r"0\.7"):
        chat_request(temperature=0.7)
    with pytest.raises(DomainError, match="seed"):
        chat_request(seed=1.0)
    with pytest.raises(ConfigurationError, match="the most in JSON"):
        chat_request(seed=2**53)


def test_a_file_path_is_no_model_name() -> None:
    with pytest.raises(ConfigurationError, match="file path"):
        chat_request(model="/models/tiny.gguf")
    assert is_file_path("C:\\models\\tiny.gguf")
    assert not is_file_path("deepseek-ai/DeepSeek-V3.1")


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 1}', '{"b": {"a": 1, "a": 2}}', "[NaN]", "[1e999]", '"\\ud800"', "[" * 100_000],
)
def test_ambiguous_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        strict_json(text)
