"""A model whose every call is committed first: the commitment is durable before a byte leaves.

The fields of a decision are salted one by one and hashed to one root. In a replay the secret
behind the salts is public, and the genesis record says so: anybody recomputes the commitment.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.agents.chat import ChatModel, ChatRequest, ChatResponse
from agent_fund.agents.errors import ConfigurationError, ModelError
from agent_fund.audit.canonical import JSON, encode
from agent_fund.audit.commitment import commit, salt_for
from agent_fund.audit.errors import AuditError
from agent_fund.audit.recorder import Recorder


@dataclass(frozen=True)
class Provenance:
    """What a decision's commitment says of the world around it.

    Attributes:
        fields: fund id, mandate, code, lock file, strategy, model revision, endpoint: constants
            of the run, by name.
        secret: at least 32 bytes; public in a replay.
    """

    fields: Mapping[str, JSON]
    secret: bytes


class Commitments:
    """Makes one intent a decision: for a model's request, or for a strategy that is code."""

    def __init__(self, recorder: Recorder, provenance: Provenance) -> None:
        self._recorder = recorder
        self._provenance = provenance
        self._bar = 0
        self._time = 0
        self._count = 0
        self.intent: int | None = None

    def begin(self, bar: int, time: int) -> None:
        """A decision is due at the close of ``bar``; no intent has been made for it yet."""
        self._bar, self._time, self.intent = bar, time, None

    def intend(self, snapshot_digest: str, fields: Mapping[str, JSON]) -> int:
        """Commit to ``fields`` and what stands around them; returns the intent's index."""
        name = f"{self._bar}/{self._count}"
        self._count += 1
        known: dict[str, JSON] = {
            **self._provenance.fields,
            **fields,
            "as_of": self._time,
            "snapshot": snapshot_digest,
        }
        salts = {field: salt_for(self._provenance.secret, name, field) for field in known}
        self.intent = self._recorder.append(
            {
                "kind": "intent",
                "bar": self._bar,
                "time": self._time,
                "id": name,
                "commitment": commit(known, salts).hex(),
                "fields": self._recorder.blob(encode(known)),
            }
        )
        return self.intent


class RecordFailed(BaseException):
    """What was said while a strategy decides could not be written down, or is not what it was."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class CommittedModel:
    """A ``ChatModel`` that writes intent, call, and response or abort around another one."""

    def __init__(self, model: ChatModel, commitments: Commitments, recorder: Recorder) -> None:
        self._model = model
        self._commitments = commitments
        self._recorder = recorder
        self.snapshot_digest = ""

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The model's answer, asked for only once the commitment to the request is durable.

        Raises:
            ConfigurationError: for a second question in one turn; its decision is one intent.
            ModelError: as the model raised it; recorded.
            RecordFailed: the log could not be written, or holds another run.
        """
        try:
            return self._asked(request)
        except (AuditError, sqlite3.Error) as error:
            raise RecordFailed(error) from error

    def _asked(self, request: ChatRequest) -> ChatResponse:
        if self._commitments.intent is not None:
            raise ConfigurationError("strategy", "it asks its model twice in one turn; ask once")
        intent = self._commitments.intend(self.snapshot_digest, request_fields(request))
        self._recorder.append(
            {
                "kind": "call",
                "intent": intent,
                "raw": request.raw_digest,
                "canonical": request.canonical_digest,
            }
        )
        self._recorder.barrier()
        try:
            response = self._model.complete(request)
        except AuditError:
            raise
        except Exception as error:
            # What is no ModelError is told by its kind: a second run need not say the same words.
            known = isinstance(error, ModelError)
            self._recorder.append(
                {
                    "kind": "response",
                    "intent": intent,
                    "failure": str(error)[:500] if known else type(error).__name__,
                    "body": "",
                    "digest": "",
                }
            )
            raise
        self._recorder.append(
            {
                "kind": "response",
                "intent": intent,
                "failure": "",
                "body": self._recorder.blob(response.raw),
                "digest": hashlib.sha256(response.raw).hexdigest(),
            }
        )
        return response


def request_fields(request: ChatRequest) -> dict[str, JSON]:
    """The fields of a commitment that the request itself gives."""
    return {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "schema": _schema_digest(request),
        "request": request.raw_digest,
        "model": request.model,
        "temperature": request.temperature,
        "seed": request.seed,
        "max_tokens": request.max_tokens,
    }


def _schema_digest(request: ChatRequest) -> str:
    """A schema may hold floats, which no record may: its digest stands for it."""
    text = json.dumps(request.schema, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
