"""An OpenAI-compatible endpoint that sends exactly the bytes of the request, once.

No retries, no redirects: a request that may have been answered is never silently sent again.
The key is sent to the endpoint and stands in no repr, message or log of this module.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

import httpx2
import openai

from agent_fund.agents.chat import ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import ConfigurationError, Failure, ModelError, RequestAlteredError


class OpenAIModel:
    """Chat completions with ``response_format`` ``json_schema``; one request at a time.

    Args:
        base_url: e.g. ``https://api.openai.com/v1``.
        api_key: see ``from_environment``.
        timeout: seconds without a byte after which the endpoint counts as silent.
    """

    def __init__(self, base_url: str, api_key: str, timeout: int = 60) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._expected = ""
        # The hook sees each request as the transport will send it, after every other layer.
        http = httpx2.Client(
            timeout=timeout, follow_redirects=False, event_hooks={"request": [self._require_exact]}
        )
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=0,
            http_client=http,
            # The body as received is what a provider's receipt covers, so ask for no compression.
            default_headers={"Accept-Encoding": "identity"},
        )

    @classmethod
    def from_environment(
        cls,
        base_url: str,
        variable: str,
        timeout: int = 60,
        environment: Mapping[str, str] = os.environ,
    ) -> OpenAIModel:
        """An endpoint whose key is in the environment variable named ``variable``.

        Raises:
            ConfigurationError: the variable is not set, or empty.
        """
        key = environment.get(variable, "")
        if not key:
            raise ConfigurationError(
                "API key", f"the environment variable {variable} is not set; export it, then rerun"
            )
        return cls(base_url, key, timeout)

    def __repr__(self) -> str:
        return f"OpenAIModel(base_url={self.base_url!r}, timeout={self.timeout})"

    def complete(self, request: ChatRequest) -> ChatResponse:
        """The endpoint's answer to ``request``.

        Raises:
            ModelError: no usable answer: time-out, transport, HTTP status, malformed body,
                refusal, filter, truncation.
            RequestAlteredError: a layer below changed the bytes; nothing was sent.
        """
        return parse_completion(self._post(request))

    def close(self) -> None:
        """Give up the connections."""
        self._client.close()

    def _post(self, request: ChatRequest) -> bytes:
        self._expected = request.raw_digest
        # Failures are raised outside the handlers: the library's errors hold the request with its
        # headers, and an error that is chained to one would carry the key along.
        try:
            response = self._client.post(
                "/chat/completions", cast_to=httpx2.Response, content=request.raw()
            )
        except openai.APITimeoutError:
            failure = ModelError(Failure.TIMEOUT, f"no answer within {self.timeout} s")
        except openai.APIStatusError as error:
            failure = ModelError(Failure.HTTP, f"the endpoint answered HTTP {error.status_code}")
        except openai.APIConnectionError as error:
            cause = type(error.__cause__).__name__ if error.__cause__ else "unknown"
            failure = ModelError(Failure.TRANSPORT, f"the connection failed ({cause})")
        else:
            return response.content
        finally:
            self._expected = ""
        raise failure

    def _require_exact(self, request: httpx2.Request) -> None:
        leaving = hashlib.sha256(request.read()).hexdigest()
        if leaving != self._expected:
            raise RequestAlteredError(
                f"the bytes about to leave have SHA-256 {leaving}, the request has "
                f"{self._expected or 'not been made'}; nothing was sent"
            )
