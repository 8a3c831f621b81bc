"""Contract calls as bytes, and answers as values, by the Solidity ABI (function signatures)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak

_ERROR = bytes.fromhex("08c379a0")  # Error(string), what require() reverts with
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256), what assert and overflow revert with


@lru_cache(maxsize=256)
def _parsed(signature: str) -> tuple[bytes, tuple[str, ...]]:
    arguments = signature[signature.index("(") :]
    if arguments == "()":  # the grammar knows no empty tuple
        return keccak(text=signature)[:4], ()
    types = parse(arguments)
    if not isinstance(types, TupleType):
        raise TypeError(f"{signature!r} is no function signature; write name(type,…)")
    return keccak(text=signature)[:4], tuple(part.to_type_str() for part in types.components)


def call_data(signature: str, *values: Any) -> bytes:
    """Selector and encoded ``values``; ``signature`` like ``approve(address,uint256)``."""
    selector, types = _parsed(signature)
    return selector + encode(types, values)


def topic(event: str) -> str:
    """The first topic (0x…) of an event like ``Transfer(address,address,uint256)``."""
    return "0x" + keccak(text=event).hex()


def revert_reason(data: bytes) -> str:
    """What a revert's data says, for people; the data itself in hexadecimal if it says nothing."""
    try:
        if data[:4] == _ERROR:
            return str(decode(["string"], data[4:])[0])
        if data[:4] == _PANIC:
            return f"panic {decode(['uint256'], data[4:])[0]:#x}"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass  # the last for lengths beyond any memory; a contract may answer anything
    return f"reverted with 0x{data.hex()}" if data else "reverted without a reason"
