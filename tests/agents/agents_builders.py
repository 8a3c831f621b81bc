"""Small builders for agent tests: bodies, requests, and what a loopback endpoint answers."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

from agent_fund.agents.chat import ChatRequest, Message

SCHEMA = {"type": "object", "properties": {"view": {"type": "string"}}}


def completion(text: str | None, **changes: object) -> bytes:
    """The body of a chat completion; ``changes`` replace fields of the choice or the message."""
    message = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
    choice = {"index": 0, "finish_reason": changes.pop("finish_reason", "stop"), "message": message}
    body = {
        "id": "chatcmpl-1",
        "model": "tiny",
        "object": "chat.completion",
        "system_fingerprint": "fp",
        "choices": [choice],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
        **changes,
    }
    return json.dumps(body).encode()


def chat_request(text: str = "How is the market?", **changes: object) -> ChatRequest:
    values: dict[str, object] = {
        "model": "tiny",
        "messages": (Message("system", "You manage a fund."), Message("user", text)),
        "schema_name": "View",
        "schema": SCHEMA,
        "temperature": "0.7",
        "seed": 7,
        "max_tokens": 50,
    }
    return ChatRequest(**{**values, **changes})  # type: ignore[arg-type]


@dataclass
class Endpoint:
    """What the loopback server answers next, and what it was sent."""

    url: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    silent: threading.Event | None = None
    received: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
