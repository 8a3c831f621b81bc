"""Batch: signed transactions with consecutive nonces, as bytes that survive a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.fees import Fees
from agent_fund.execution.live.signing import EvmSigner


@dataclass(frozen=True)
class Signed:
    """One signed transaction; at most one of all its versions can be mined.

    Attributes:
        raw: the bytes that go on the wire. ``hash``: theirs, 0x… in lower case.
        approval: as in Call.
        earlier: the hashes of the versions with lower fees.
    """

    nonce: int
    raw: bytes
    hash: str
    approval: bool
    earlier: tuple[str, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """Every version's hash, the latest first."""
        return (self.hash, *self.earlier)

    def read(self) -> tuple[Call, int, Fees]:
        """The call, the gas limit and the fees that the bytes state."""
        fields = TypedTransaction.from_bytes(HexBytes(self.raw)).as_dict()
        to = to_checksum_address(fields["to"])
        call = Call(to, bytes(fields["data"]), int(fields["value"]), self.approval)
        fees = Fees(int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"]))
        return call, int(fields["gas"]), fees


async def sign_call(
    signer: EvmSigner, chain_id: int, nonce: int, call: Call, gas: int, fees: Fees
) -> Signed:
    """``call`` as a signed EIP-1559 transaction with ``gas`` as its limit."""
    transaction = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "to": call.to,
        "value": call.value,
        "data": "0x" + call.data.hex(),
        "gas": gas,
        "maxFeePerGas": fees.maximum,
        "maxPriorityFeePerGas": fees.tip,
        "accessList": [],
    }
    done = await signer.sign_transaction(transaction)
    return Signed(nonce, done.raw, done.hash.lower(), call.approval)


@dataclass(frozen=True)
class Batch:
    """Transactions of one leg, in the order of their nonces.

    Attributes:
        sender: the checksum address that signed. ``deadline``: Unix seconds, as stated to ``sign``.
    """

    chain_id: int
    sender: str
    deadline: int
    transactions: tuple[Signed, ...]

    @property
    def nonces(self) -> range:
        """The nonces that it takes."""
        return range(self.transactions[0].nonce, self.transactions[-1].nonce + 1)

    @property
    def reference(self) -> str:
        """``sender:nonce`` of the call that matters, the last that is no approval.

        It stays as it is whatever fees are bid, and finds the transaction in whatever block.
        """
        essential = [one.nonce for one in self.transactions if not one.approval]
        return f"{self.sender}:{essential[-1] if essential else self.nonces[-1]}"

    def encode(self) -> bytes:
        """Everything, as JSON; no secrets are in it."""
        transactions = [
            {
                "nonce": one.nonce,
                "raw": one.raw.hex(),
                "hash": one.hash,
                "approval": one.approval,
                "earlier": list(one.earlier),
            }
            for one in self.transactions
        ]
        content = {
            "chain_id": self.chain_id,
            "sender": self.sender,
            "deadline": self.deadline,
            "transactions": transactions,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, payload: bytes) -> Batch:
        """The batch that ``encode`` made these bytes of.

        Raises:
            ExecutionError: if they are no such bytes.
        """
        try:
            content = json.loads(payload)
            batch = cls(
                content["chain_id"],
                content["sender"],
                content["deadline"],
                tuple(
                    Signed(
                        one["nonce"],
                        bytes.fromhex(one["raw"]),
                        one["hash"],
                        one["approval"],
                        tuple(one["earlier"]),
                    )
                    for one in content["transactions"]
                ),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ExecutionError(
                "batch", f"{type(error).__name__}: {error}", "give the bytes of Batch.encode"
            ) from None
        if not batch.transactions or batch.encode() != payload:
            raise ExecutionError("batch", len(payload), "give the bytes of Batch.encode unchanged")
        return batch

    def with_versions(self, versions: dict[int, Signed]) -> Batch:
        """The batch with other bytes for the nonces in ``versions``."""
        transactions = tuple(versions.get(one.nonce, one) for one in self.transactions)
        return replace(self, transactions=transactions)
