"""The language model of a live run: each question is asked once, and its answer kept in the log.

A run that is made again takes the answers that stand in its log, as long as they last; only then is
the endpoint asked. A question whose answer a crash took is asked again: nothing had come of it.
Whatever an endpoint does is an answer or a ``ModelError``, so that the agent abstains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.agents.chat import ChatModel, ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import Failure, ModelError
from agent_fund.agents.openai_model import OpenAIModel
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log
from agent_fund.audit.recorder import Recorder, ResumeError
from agent_fund.backtest.runfile.paper import LiveModelSection
from agent_fund.backtest.runfile.scalars import seconds
from agent_fund.execution.keys.environment import read_variable
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.reference import EnvironmentReference, parse_reference

NO_KEY = "none"  # for an endpoint of this machine that asks for none


class LiveModel:
    """A ``ChatModel`` around an endpoint, over the log of one run.

    ``follow`` the run's recorder before the first question.
    """

    def __init__(self, endpoint: ChatModel, log: Log) -> None:
        self._endpoint = endpoint
        self._log = log
        self._recorder: Recorder | None = None

    def follow(self, recorder: Recorder) -> None:
        """``recorder`` writes the log, and says how far the run has been made again."""
        self._recorder = recorder

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The answer that stands in the log, or the endpoint's.

        Raises:
            ModelError: there is no usable answer, or there was none.
            ResumeError: the log holds no answer where one is due: another run is being resumed.
        """
        known = None if self._recorder is None else self._recorder.standing()
        if known is not None:
            return self._answered(known)
        try:
            return self._endpoint.complete(request)
        except (ModelError, AuditError):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again, as what it is here
            # By its kind alone: a library's error may hold the request with its headers.
            failure = ModelError(Failure.TRANSPORT, type(error).__name__)
        raise failure

    def _answered(self, record: Mapping[str, Any]) -> ChatResponse:
        if record["kind"] != "response":
            raise ResumeError("answer of the model", record["kind"], "its run asked nothing here")
        if record["failure"]:
            kind, _, detail = record["failure"].partition(": ")
            raise ModelError(Failure(kind), detail)
        return parse_completion(self._log.blob(record["body"]))


def endpoint(section: LiveModelSection) -> OpenAIModel:
    """The endpoint that a run file names.

    Raises:
        KeyRefused: if its key is not in the environment, or is written as another reference.
    """
    key = NO_KEY
    if section.key:
        match parse_reference(section.key):
            case EnvironmentReference((name,)):
                key = read_variable(name).reveal().decode()
            case _:
                fix = "name an environment variable: env:NAME"
                raise KeyRefused("key of [paper.model]", section.key, fix)
    return OpenAIModel(section.url, key, seconds(section.timeout))
