"""What can go wrong while an agent decides, kept apart by what the fund must do about it.

========================  ==========================================  =====================
error                     meaning                                     the fund
========================  ==========================================  =====================
``Abstain``               the agent has no answer this time           holds, and records why
``ModelError``            no usable answer came from the endpoint     becomes ``Abstain``
``AnswerError``           an answer came and is not a valid one       becomes ``Abstain``
``CassetteError``         a replay is not the run that was recorded   stops the run
``RequestAlteredError``   other bytes than the recorded ones leave    stops the run
``ConfigurationError``    the strategy, prompt or its parameters      stops the run
========================  ==========================================  =====================
"""

from __future__ import annotations

import enum

_SHOWN = 400


class Abstain(Exception):  # noqa: N818 - an outcome of ``decide``, not a defect
    """Raised by ``decide`` when the agent has no answer; the fund then holds.

    Attributes:
        reason: why, in words; recorded in the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Failure(enum.Enum):
    """Why an endpoint gave no usable answer."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"
    HTTP = "http"
    MALFORMED = "malformed"
    REFUSAL = "refusal"
    TRUNCATED = "truncated"
    CONTENT_FILTER = "content_filter"


class ModelError(Exception):
    """An endpoint gave no usable answer.

    Attributes:
        failure: which kind.
        detail: what was seen. Never a header, a key, or an error page's body (some echo the key).
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(f"{failure.value}: {detail}")
        self.failure = failure
        self.detail = detail


class AnswerError(Exception):
    """A model answered, and the answer does not validate.

    Attributes:
        problem: what is wrong with it.
        text: the answer as received.
    """

    def __init__(self, problem: str, text: str) -> None:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
        super().__init__(f"{problem}; the model answered {shown!r}")
        self.problem = problem
        self.text = text


class CassetteError(Exception):
    """A cassette is corrupt, or the run that replays it is not the run that was recorded.

    Never an abstention: a replay that went on would show a history that did not happen.
    """


class RequestAlteredError(Exception):
    """The bytes about to be sent are not the bytes that the request states; nothing was sent."""


class ConfigurationError(ValueError):
    """A strategy, its prompt, or its parameters cannot be used as written.

    Attributes:
        subject: what was configured.
        problem: the value seen and what to write instead.
    """

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(f"{subject}: {problem}")
        self.subject = subject
        self.problem = problem
