"""A chat completion as exact bytes: what is asked, what is answered, and the digests of both.

A request has two digests. ``raw_digest`` is SHA-256 of the bytes that leave; it matches receipts
that a provider signs over the request. ``canonical_digest`` is SHA-256 of the RFC 8785 form of the
same JSON, which does not depend on who serialised it. Property order matters to constrained
decoding, so two requests with one canonical digest may still be two requests: compare both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal, Protocol

import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from agent_fund.agents.errors import ConfigurationError, Failure, ModelError
from agent_fund.domain.money import decimal, require_int

Role = Literal["system", "user", "assistant"]

# RFC 8785 holds no larger one.
_LARGEST_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """A request for one JSON answer from one model.

    Attributes:
        model: a name that the endpoint knows; never a file path.
        schema_name, schema: JSON Schema that the answer must match.
        temperature: decimal string, e.g. ``"0.7"``; sent as a JSON number.
        seed: sampling seed; an endpoint may not honour it.
        max_tokens: longest answer.
    """

    model: str
    messages: tuple[Message, ...]
    schema_name: str
    schema: Mapping[str, object]
    temperature: str
    seed: int
    max_tokens: int

    def __post_init__(self) -> None:
        temperature = decimal(self.temperature, "temperature")
        if temperature < 0 or Decimal(str(float(temperature))) != temperature:
            fix = "write a plain decimal from 0 up, such as 0.7"
            raise ConfigurationError("temperature", f"{self.temperature!r} is refused; {fix}")
        for name, value, least in (("seed", self.seed, 0), ("max_tokens", self.max_tokens, 1)):
            if require_int(value, name, minimum=least) > _LARGEST_INTEGER:
                raise ConfigurationError(name, f"{value} exceeds 2**53 - 1, the most in JSON")
        if is_file_path(self.model):
            raise ConfigurationError("model", f"{self.model!r} is a file path; write a plain name")
        # A copy of its own: a schema changed later would no longer be the one that was digested.
        object.__setattr__(self, "schema", json.loads(json.dumps(self.schema)))

    def body(self) -> dict[str, object]:
        """The JSON object to post to ``/chat/completions``, in the order in which it is sent."""
        return {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": self.schema_name, "strict": True, "schema": self.schema},
            },
            "temperature": float(self.temperature),
            "seed": self.seed,
            "max_tokens": self.max_tokens,
        }

    def raw(self) -> bytes:
        """The exact bytes that are sent."""
        return self._raw

    @cached_property
    def _raw(self) -> bytes:
        return encode(self.body())

    @cached_property
    def raw_digest(self) -> str:
        """SHA-256 of ``raw()``, in hexadecimal."""
        return hashlib.sha256(self._raw).hexdigest()

    @cached_property
    def canonical_digest(self) -> str:
        """SHA-256 of the RFC 8785 form of the body, in hexadecimal."""
        return canonical_digest(self.body())


@dataclass(frozen=True)
class ChatResponse:
    """A whole answer: the model stopped by itself and did not refuse.

    Attributes:
        text: what the model wrote.
        model: the name under which the endpoint says it answered.
        prompt_tokens, completion_tokens: as the endpoint counted; None if it did not say.
        raw: the body as received; every other attribute is read from it.
    """

    text: str
    model: str
    response_id: str
    system_fingerprint: str | None
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    raw: bytes


class ChatModel(Protocol):
    """Anything that answers chat requests: an endpoint, a cassette, a recorder around either."""

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer to ``request``.

        Raises:
            ModelError: there is no usable answer.
        """
        ...


def parse_completion(raw: bytes) -> ChatResponse:
    """The answer in the body of a chat completion.

    Fields that an endpoint adds of its own are kept in ``raw`` and otherwise not read.

    Raises:
        ModelError: the body is not a chat completion with one choice, or the answer is refused,
            filtered or cut short.
    """
    try:
        found = _Completion.model_validate(strict_json(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        detail = f"not a chat completion: {place}: {first['msg']}"
        raise ModelError(Failure.MALFORMED, detail) from None
    except ValueError as error:
        raise ModelError(Failure.MALFORMED, f"the body is not JSON: {error}") from None
    if len(found.choices) != 1:
        detail = f"{len(found.choices)} choices came, one was asked for"
        raise ModelError(Failure.MALFORMED, detail)
    choice = found.choices[0]
    if choice.message.refusal:
        raise ModelError(Failure.REFUSAL, choice.message.refusal)
    if choice.finish_reason == "length":
        raise ModelError(Failure.TRUNCATED, "the answer was cut at max_tokens; allow more")
    if choice.finish_reason == "content_filter":
        raise ModelError(Failure.CONTENT_FILTER, "the endpoint filtered the answer")
    if choice.finish_reason != "stop" or choice.message.content is None:
        detail = f"finish_reason {choice.finish_reason!r} where 'stop' and a text are needed"
        raise ModelError(Failure.MALFORMED, detail)
    usage = found.usage or _Usage()
    return ChatResponse(
        text=choice.message.content,
        model=found.model,
        response_id=found.id,
        system_fingerprint=found.system_fingerprint,
        finish_reason=choice.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        raw=raw,
    )


def encode(value: object) -> bytes:
    """``value`` as compact UTF-8 JSON in the order given; the serialisation of every request."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def canonical_digest(value: object) -> str:
    """SHA-256 of the RFC 8785 (JSON Canonicalization Scheme) form of ``value``, in hexadecimal."""
    # Through JSON once, which turns mappings and tuples into what the encoder knows.
    return hashlib.sha256(rfc8785.dumps(json.loads(encode(value)))).hexdigest()


def strict_json(text: str | bytes) -> object:
    """The value of one JSON text; what is ambiguous or cannot be written back is refused.

    Raises:
        ValueError: not UTF-8 JSON, a key twice, NaN or an infinity, a lone surrogate, or nesting
            too deep to read.
    """
    try:
        value = json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
        encode(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def is_file_path(name: str) -> bool:
    """Whether ``name`` is an absolute path of a machine. ``owner/model`` is a name, not a path."""
    return bool(re.match(r"/|\\|~|[A-Za-z]:[\\/]|file:", name))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


class _Received(BaseModel):
    # Providers add fields of their own at will; they stay in the raw bytes.
    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, frozen=True)


class _Answer(_Received):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Received):
    finish_reason: str
    message: _Answer


class _Usage(_Received):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(_Received):
    id: str
    model: str
    choices: list[_Choice]
    system_fingerprint: str | None = None
    usage: _Usage | None = None
