"""App data: the document whose hash every order signs, and with it the verdict that allowed it.

CoW's ``appData`` is 32 bytes in the signed order: the keccak256 of a JSON document that is given to
the API with it. The document names the guard's verdict, so whoever has it can show, from the order
on chain alone, which verdict an order was made under. Source: CoW Protocol, "App data".
"""

from __future__ import annotations

import json

from eth_utils.crypto import keccak

from agent_fund.execution.errors import ExecutionError

VERSION = "1.3.0"
"""Of CoW's app-data schema."""


def app_data(verdict: bytes) -> str:
    """The document for an order made under ``verdict``, the leaf hash of the guard's record.

    Raises:
        ExecutionError: if ``verdict`` is not 32 bytes.
    """
    if len(verdict) != 32:
        raise ExecutionError("verdict", f"{len(verdict)} bytes", "give the 32 bytes of a leaf hash")
    content = {
        "appCode": "agent-fund",
        "metadata": {"verdict": "0x" + verdict.hex()},
        "version": VERSION,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def app_data_hash(document: str) -> bytes:
    """What an order signs of ``document``."""
    return keccak(text=document)
