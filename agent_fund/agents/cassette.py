"""A cassette replays recorded model answers strictly: the same requests, in order, all of them.

The file is JSON Lines. The first line is a ``CassetteHeader``; each further line one exchange::

    {"request": {...}, "canonical": "<sha256>", "raw": "<sha256>", "response": "<body>"}
    {"request": {...}, "canonical": "<sha256>", "raw": "<sha256>", "error": {"failure", "detail"}}

``request`` is the whole body in the order in which it was sent, ``raw`` and ``canonical`` are its
two digests, ``response`` is the body as it was received. A replayed response goes through the same
parser as a live one, so there is no second statement of it that could differ.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent_fund.agents.chat import (
    ChatModel,
    ChatRequest,
    ChatResponse,
    canonical_digest,
    encode,
    is_file_path,
    parse_completion,
    strict_json,
)
from agent_fund.agents.errors import CassetteError, Failure, ModelError

_DIFF_LINES = 12


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CassetteHeader(_Line):
    """How a cassette was made.

    Attributes:
        model: the name in every request.
        weights_sha256: digest of the weights file, or None for a hosted model.
        server: package and version that served it, e.g. ``"xllamacpp 2026.10"``, or the endpoint.
        recorded: date of the recording, ``YYYY-MM-DD``.
    """

    format: Literal["agent-fund/cassette/v1"] = "agent-fund/cassette/v1"
    model: str
    weights_sha256: str | None
    server: str
    recorded: str


class _RecordedError(_Line):
    failure: Failure
    detail: str


class _Exchange(_Line):
    request: dict[str, object]
    canonical: str
    raw: str
    response: str | None = None
    error: _RecordedError | None = None


@dataclass(frozen=True)
class _Recorded:
    body: dict[str, object]
    canonical: str
    raw: str
    outcome: ChatResponse | _RecordedError


class CassettePlayer:
    """A ``ChatModel`` that answers from a cassette, once through, in order.

    Attributes:
        header: how the cassette was made.
        digest: SHA-256 of the file, in hexadecimal.

    Raises:
        CassetteError: the file is missing or corrupt; names file and line.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise CassetteError(f"cassette {path} does not exist; record it first") from None
        self.digest = hashlib.sha256(data).hexdigest()
        self.header, self._recorded = _parse(path, data)
        self._next = 0

    def __len__(self) -> int:
        return len(self._recorded)

    def rewind_copy(self) -> CassettePlayer:
        """A second player of the same cassette, at its beginning; shares what was read."""
        other = object.__new__(CassettePlayer)
        other.__dict__.update(self.__dict__)
        other._next = 0
        return other

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer recorded for ``request``, which must be the next one recorded.

        Raises:
            CassetteError: another request was recorded here, or none.
            ModelError: the recording holds this failure.
        """
        where = f"{self._name}: request {self._next + 1} of {len(self)}"
        if self._next >= len(self):
            raise CassetteError(
                f"{self._name}: {len(self)} answers were recorded and one more is asked for; "
                "the run is longer than the recording: record it again"
            )
        recorded = self._recorded[self._next]
        if (request.raw_digest, request.canonical_digest) != (recorded.raw, recorded.canonical):
            difference = _first_difference(recorded.body, request.body())
            raise CassetteError(f"{where} is not the one that was recorded; {difference}")
        self._next += 1
        if isinstance(recorded.outcome, _RecordedError):
            raise ModelError(recorded.outcome.failure, recorded.outcome.detail)
        return recorded.outcome

    def finish(self) -> None:
        """State that the run is over.

        Raises:
            CassetteError: answers are left over.
        """
        left = len(self) - self._next
        if left:
            raise CassetteError(
                f"{self._name}: {left} of {len(self)} recorded answers were never asked for; "
                "the run is shorter than the recording"
            )


class CassetteRecorder:
    """A ``ChatModel`` that asks another one and keeps every exchange, failures included.

    Writes beside ``path`` and renames in ``finish``; a run that dies leaves no cassette behind,
    only a file that ends in ``.partial``.

    Raises:
        CassetteError: ``path`` exists already.
    """

    def __init__(self, path: Path, model: ChatModel, header: CassetteHeader) -> None:
        if path.exists():
            raise CassetteError(f"cassette {path} exists; delete it to record it again")
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._model = model
        self._file = self._partial.open("wb")
        self._write(header.model_dump())

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The other model's answer, recorded.

        Raises:
            ModelError: as the other model raised it; recorded too.
            CassetteError: the answer names a machine's path, or is not what its bytes say.
        """
        exchange: dict[str, object] = {
            "request": request.body(),
            "canonical": request.canonical_digest,
            "raw": request.raw_digest,
        }
        try:
            response = self._model.complete(request)
        except ModelError as error:
            kept = {"failure": error.failure.value, "detail": error.detail}
            self._write({**exchange, "error": kept})
            raise
        if is_file_path(response.model):
            raise CassetteError(
                f"the server calls its model {response.model!r}, a path of this machine; "
                "give the server an alias for the model and record again"
            )
        if parse_completion(response.raw) != response:
            raise CassetteError("the response is not what its own bytes say; it cannot be replayed")
        self._write({**exchange, "response": response.raw.decode("utf-8")})
        return response

    def finish(self) -> None:
        """Make the cassette durable under its own name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, line: Mapping[str, object]) -> None:
        self._file.write(encode(line) + b"\n")
        self._file.flush()


def _parse(path: Path, data: bytes) -> tuple[CassetteHeader, tuple[_Recorded, ...]]:
    lines = data.split(b"\n")
    if lines.pop():
        raise CassetteError(f"{path}, line {len(lines) + 1}: it does not end; the file is cut")
    number = 0
    try:
        number = 1
        header = CassetteHeader.model_validate(strict_json(lines[0] if lines else b""))
        recorded = []
        for number, line in enumerate(lines[1:], start=2):  # noqa: B007 - named in the error
            recorded.append(_recorded(line))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the line"
        raise CassetteError(f"{path}, line {number}: {place}: {first['msg']}") from None
    except ValueError as error:
        raise CassetteError(f"{path}, line {number}: {error}") from None
    return header, tuple(recorded)


def _recorded(line: bytes) -> _Recorded:
    exchange = _Exchange.model_validate(strict_json(line))
    raw = hashlib.sha256(encode(exchange.request)).hexdigest()
    if (raw, canonical_digest(exchange.request)) != (exchange.raw, exchange.canonical):
        raise ValueError("the request is not the one that its digests state")
    if (exchange.response is None) == (exchange.error is None):
        raise ValueError("an exchange has either a response or an error")
    if exchange.error is not None:
        return _Recorded(exchange.request, exchange.canonical, raw, exchange.error)
    try:
        response = parse_completion((exchange.response or "").encode())
    except ModelError as error:
        raise ValueError(f"the response cannot be read: {error}") from None
    return _Recorded(exchange.request, exchange.canonical, raw, response)


def _first_difference(recorded: dict[str, object], asked: dict[str, object]) -> str:
    before, after = _messages(recorded), _messages(asked)
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else ""
        new = after[index] if index < len(after) else ""
        if old != new:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), "recorded", "asked", lineterm="", n=1
            )
            shown = "\n".join(list(lines)[:_DIFF_LINES])
            return f"first difference in message {index}:\n{shown}"
    for key in [*recorded, *(key for key in asked if key not in recorded)]:
        old, new = encode(recorded.get(key)).decode(), encode(asked.get(key)).decode()
        if old != new:
            return f"first difference in {key!r}: recorded {old}, asked {new}"
    return f"the keys stand in another order: recorded {list(recorded)}, asked {list(asked)}"


def _messages(body: dict[str, object]) -> list[str]:
    found = body.get("messages")
    if not isinstance(found, list):
        return []
    return [
        f"{message.get('role')}:\n{message.get('content')}"
        for message in found
        if isinstance(message, dict)
    ]
