"""Verdict: what the guard's key signs for one call of a Safe; its digest is as on chain (EIP-712).

The fields are those of ``contracts/VerdictModule.sol``, in its order. The nonce follows from the
leg's id alone, so one leg can never have two: whatever is signed for it, at most one call runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action

ETH = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE"
"""Stands for a chain's own coin where a token is named (EIP-7528)."""

NAME, VERSION = "VerdictModule", "1"
_NONCE_DOMAIN = b"agent-fund/verdict-nonce/v1\0"
_INTENT_DOMAIN = b"agent-fund/verdict-intent/v1\0"
_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_TYPES = {
    "intent_id": ("intentId", "bytes32"),
    "mandate_hash": ("mandateHash", "bytes32"),
    "target": ("target", "address"),
    "value": ("value", "uint256"),
    "call_hash": ("callHash", "bytes32"),
    "spender": ("spender", "address"),
    "token_in": ("tokenIn", "address"),
    "max_in": ("maxIn", "uint256"),
    "token_out": ("tokenOut", "address"),
    "min_out": ("minOut", "uint256"),
    "nonce": ("nonce", "uint256"),
    "deadline": ("deadline", "uint256"),
}
TYPE = f"Verdict({','.join(f'{kind} {name}' for name, kind in _TYPES.values())})"
_TUPLE = f"({','.join(kind for _, kind in _TYPES.values())})"
_EXECUTE = f"execute({_TUPLE},bytes,bytes)"


@dataclass(frozen=True)
class Domain:
    """Where a verdict counts: one module on one chain, and nowhere else."""

    chain_id: int
    module: str

    def message(self) -> dict[str, Any]:
        """The EIP-712 domain."""
        return {
            "name": NAME,
            "version": VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.module,
        }

    def separator(self) -> bytes:
        """The 32 bytes of the domain's hash."""
        kind = f"EIP712Domain({','.join(f'{kind} {name}' for name, kind in _DOMAIN)})"
        return keccak(
            encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [keccak(text=part) for part in (kind, NAME, VERSION)]
                + [self.chain_id, self.module],
            )
        )


@dataclass(frozen=True)
class Verdict:
    """One call that the Safe may make, and what must be true of its balances afterwards.

    Attributes:
        intent_id, mandate_hash, call_hash: 32 bytes each.
        value: wei. ``max_in``, ``min_out``: the tokens' own units.
        spender: may take ``token_in`` while the call runs; NOTHING if that is no token.
        deadline: Unix seconds, the last at which it may run.
    """

    intent_id: bytes
    mandate_hash: bytes
    target: str
    value: int
    call_hash: bytes
    spender: str
    token_in: str
    max_in: int
    token_out: str
    min_out: int
    nonce: int
    deadline: int

    @classmethod
    def of(cls, action: Action, leg_id: str, mandate_hash: bytes, deadline: int) -> Verdict:
        """The verdict that covers ``action`` for the leg, and no other call."""
        spends_token = action.token_in not in (NOTHING, ETH)
        token_in, max_in = action.token_in, action.max_in
        if not spends_token:
            token_in, max_in = ETH if action.call.value else NOTHING, action.call.value
        return cls(
            intent_id(leg_id),
            mandate_hash,
            action.call.to,
            action.call.value,
            keccak(action.call.data),
            action.spender if spends_token else NOTHING,
            token_in,
            max_in,
            action.token_out,
            action.min_out,
            nonce_of(leg_id),
            deadline,
        )

    def digest(self, domain: Domain) -> bytes:
        """The 32 bytes that are signed."""
        kinds = ["bytes32", *(kind for _, kind in _TYPES.values())]
        struct = keccak(encode(kinds, [keccak(text=TYPE), *astuple(self)]))
        return keccak(b"\x19\x01" + domain.separator() + struct)

    def typed_data(self, domain: Domain) -> Mapping[str, Any]:
        """The full EIP-712 message that a signer takes."""
        return {
            "types": {
                "EIP712Domain": [{"name": name, "type": kind} for name, kind in _DOMAIN],
                "Verdict": [{"name": name, "type": kind} for name, kind in _TYPES.values()],
            },
            "primaryType": "Verdict",
            "domain": domain.message(),
            "message": {_TYPES[f.name][0]: getattr(self, f.name) for f in fields(self)},
        }

    def execution(self, data: bytes, signature: bytes) -> bytes:
        """The calldata of the module's ``execute``."""
        return call_data(_EXECUTE, astuple(self), data, signature)


def intent_id(leg_id: str) -> bytes:
    """The 32 bytes by which the chain's events name a leg."""
    return keccak(_INTENT_DOMAIN + leg_id.encode())


def nonce_of(leg_id: str) -> int:
    """The leg's nonce, 256 bits: nothing has to be counted or kept, and no two legs share one."""
    return int.from_bytes(keccak(_NONCE_DOMAIN + leg_id.encode()), "big")
