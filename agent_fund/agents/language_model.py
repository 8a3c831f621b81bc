"""A strategy whose view comes from a language model: a prompt file in, a typed answer out.

Write a prompt, an ``Answer`` and two methods::

    class View(Answer):
        why: Annotated[str, Field(max_length=120)]
        percent: Annotated[int, Field(ge=0, le=100)]

    class Gold(LanguageModelStrategy[View]):
        answer_model = View

        def context(self, snapshot, book):       # what the prompt may name
            return {"close": snapshot.price("GOLD")}

        def proposal(self, answer, snapshot, book):  # what the answer means
            ...

The prompt is a Jinja file with one block for each message, named ``system`` and ``user``. A name
that ``context`` does not give stops the run; a model that fails makes the strategy abstain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, ValidationError

from agent_fund.agents.chat import ChatModel, ChatRequest, Message, Role, strict_json
from agent_fund.agents.errors import Abstain, AnswerError, ConfigurationError, ModelError
from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.market.snapshot import Snapshot

_ROLES: tuple[Role, ...] = ("system", "user")
# Prompts are plain text for a model, not HTML, so nothing is escaped.
_JINJA = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)


class Answer(BaseModel):
    """What a model may answer: every field is required, no other is allowed, no type is bent.

    Constrained decoding writes the fields in the order of their definition: put the reasoning
    first, so that the decision comes after it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


AnswerT = TypeVar("AnswerT", bound=Answer)


class LanguageModelStrategy(ABC, Generic[AnswerT]):
    """Renders the prompt, asks the model, validates the answer, and turns it into a proposal.

    Args:
        model: where requests go: an endpoint, a cassette, or a recorder around either.
        model_name: the name that the endpoint knows the model by.
        prompt: Jinja file with a block ``user`` and, if wanted, a block ``system``.
        temperature: decimal string.
        seed: sampling seed of every request.
        max_tokens: longest answer.

    Raises:
        ConfigurationError: the prompt file is missing or cannot be parsed.
    """

    answer_model: type[AnswerT]

    def __init__(
        self,
        model: ChatModel,
        model_name: str,
        prompt: Path,
        *,
        temperature: str = "0",
        seed: int = 0,
        max_tokens: int = 200,
    ) -> None:
        self._model = model
        self._model_name = model_name
        self._prompt = Path(prompt)
        self._temperature = temperature
        self._seed = seed
        self._max_tokens = max_tokens
        self._schema = strict_schema(self.answer_model)
        self._template = _load(self._prompt)

    @abstractmethod
    def context(self, snapshot: Snapshot, book: Book) -> Mapping[str, object]:
        """Everything that the prompt may name. Give text and integers, already rounded."""

    @abstractmethod
    def proposal(self, answer: AnswerT, snapshot: Snapshot, book: Book) -> Proposal:
        """What a valid answer means in trades."""

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """The model's proposal.

        Raises:
            Abstain: the model failed, its answer does not validate, or ``context`` has no answer.
            ConfigurationError: the prompt names something that ``context`` does not give.
        """
        request = self.request(snapshot, book)
        try:
            answer = self.read(self._model.complete(request).text)
        except (ModelError, AnswerError) as error:
            raise Abstain(str(error)) from error
        return self.proposal(answer, snapshot, book)

    def request(self, snapshot: Snapshot, book: Book) -> ChatRequest:
        """The request that ``decide`` makes, without making it."""
        values = self._template.new_context(dict(self.context(snapshot, book)))
        try:
            messages = tuple(
                Message(role, "".join(self._template.blocks[role](values)).strip())
                for role in _ROLES
                if role in self._template.blocks
            )
        except jinja2.TemplateError as error:
            raise ConfigurationError(f"prompt {self._prompt}", f"{error}") from error
        return ChatRequest(
            model=self._model_name,
            messages=messages,
            schema_name=self.answer_model.__name__,
            schema=self._schema,
            temperature=self._temperature,
            seed=self._seed,
            max_tokens=self._max_tokens,
        )

    def read(self, text: str) -> AnswerT:
        """The answer that ``text`` states.

        Raises:
            AnswerError: not JSON, a key twice, or not as ``answer_model`` says.
        """
        try:
            strict_json(text)
            return self.answer_model.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise AnswerError(f"{place}: {first['msg']}", text) from None
        except ValueError as error:
            raise AnswerError(f"not JSON: {error}", text) from None


def strict_schema(answer: type[Answer]) -> dict[str, object]:
    """The JSON Schema of ``answer`` with every property required and no other allowed.

    This is the subset that OpenAI calls structured outputs with ``strict``.
    """
    schema = _strict(answer.model_json_schema())
    if not isinstance(schema, dict):
        raise ConfigurationError(answer.__name__, "its JSON Schema is not an object")
    return schema


def _strict(node: object) -> object:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, object] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            found[key] = {name: _strict(inner) for name, inner in value.items()}
        elif key not in ("title", "default"):
            found[key] = _strict(value)
    if "properties" in found:
        found["required"] = list(node["properties"])
        found["additionalProperties"] = False
    return found


def _load(path: Path) -> jinja2.Template:
    try:
        template = _JINJA.from_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError("prompt", f"{path} does not exist") from None
    except jinja2.TemplateSyntaxError as error:
        raise ConfigurationError(f"prompt {path}, line {error.lineno}", f"{error}") from error
    unknown = sorted(set(template.blocks) - set(_ROLES))
    if "user" not in template.blocks or unknown:
        problem = f"write {{% block user %}}, and {{% block system %}} if wanted; found {unknown}"
        raise ConfigurationError(f"prompt {path}", problem)
    return template
