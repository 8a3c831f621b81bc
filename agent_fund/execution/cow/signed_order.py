"""SignedOrder: what is signed for a swap at CoW, its uid, and what the API is given of it.

Source: GPv2Order of CoW's contracts; EIP-712. An order is whole or not at all, pays no fee beside
its limit, and pays out to its owner; its uid is digest, owner and validTo, 56 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.cow.app_data import app_data_hash

_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_ORDER = (
    ("sellToken", "address"),
    ("buyToken", "address"),
    ("receiver", "address"),
    ("sellAmount", "uint256"),
    ("buyAmount", "uint256"),
    ("validTo", "uint32"),
    ("appData", "bytes32"),
    ("feeAmount", "uint256"),
    ("kind", "string"),
    ("partiallyFillable", "bool"),
    ("sellTokenBalance", "string"),
    ("buyTokenBalance", "string"),
)
_CANCELLATIONS = (("orderUids", "bytes[]"),)


@dataclass(frozen=True)
class SignedOrder:
    """An order before its signature; amounts in the tokens' own units, addresses as checksums.

    Attributes:
        kind: ``sell``: exactly ``sell_amount`` for at least ``buy_amount``; ``buy``: exactly
            ``buy_amount`` for at most ``sell_amount``.
        valid_to: Unix seconds; a block with a later timestamp cannot settle it.
        document: the app data.
    """

    owner: str
    sell_token: str
    buy_token: str
    sell_amount: int
    buy_amount: int
    valid_to: int
    kind: str
    document: str

    def typed_data(self, chain_id: int, settlement: str) -> dict[str, Any]:
        """EIP-712 data for ``EvmSigner.sign_typed_data``."""
        message = {
            "sellToken": self.sell_token,
            "buyToken": self.buy_token,
            "receiver": self.owner,
            "sellAmount": self.sell_amount,
            "buyAmount": self.buy_amount,
            "validTo": self.valid_to,
            "appData": app_data_hash(self.document),
            "feeAmount": 0,
            "kind": self.kind,
            "partiallyFillable": False,
            "sellTokenBalance": "erc20",
            "buyTokenBalance": "erc20",
        }
        return _typed(chain_id, settlement, "Order", _ORDER, message)

    def uid(self, chain_id: int, settlement: str) -> bytes:
        """digest || owner || validTo."""
        data = encode_typed_data(full_message=self.typed_data(chain_id, settlement))
        digest = keccak(b"\x19" + data.version + data.header + data.body)
        return digest + bytes.fromhex(self.owner[2:]) + self.valid_to.to_bytes(4, "big")

    def creation(self, signature: bytes) -> dict[str, Any]:
        """The body of ``POST /api/v1/orders`` (OrderCreation)."""
        return {
            "sellToken": self.sell_token,
            "buyToken": self.buy_token,
            "receiver": self.owner,
            "sellAmount": str(self.sell_amount),
            "buyAmount": str(self.buy_amount),
            "validTo": self.valid_to,
            "feeAmount": "0",
            "kind": self.kind,
            "partiallyFillable": False,
            "sellTokenBalance": "erc20",
            "buyTokenBalance": "erc20",
            "signingScheme": "eip712",
            "signature": "0x" + signature.hex(),
            "from": self.owner,
            "appData": self.document,
            "appDataHash": "0x" + app_data_hash(self.document).hex(),
        }

    @classmethod
    def read(cls, creation: Mapping[str, Any]) -> SignedOrder:
        """The order in the body that ``creation`` made."""
        return cls(
            owner=creation["from"],
            sell_token=creation["sellToken"],
            buy_token=creation["buyToken"],
            sell_amount=int(creation["sellAmount"]),
            buy_amount=int(creation["buyAmount"]),
            valid_to=int(creation["validTo"]),
            kind=creation["kind"],
            document=creation["appData"],
        )


def cancellation(chain_id: int, settlement: str, uids: list[bytes]) -> dict[str, Any]:
    """EIP-712 data of a request to the API to forget orders; no contract knows it."""
    message = {"orderUids": uids}
    return _typed(chain_id, settlement, "OrderCancellations", _CANCELLATIONS, message)


def _typed(
    chain_id: int,
    settlement: str,
    primary: str,
    fields: tuple[tuple[str, str], ...],
    message: dict[str, Any],
) -> dict[str, Any]:
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in _DOMAIN],
            primary: [{"name": name, "type": kind} for name, kind in fields],
        },
        "primaryType": primary,
        "domain": {
            "name": "Gnosis Protocol",
            "version": "v2",
            "chainId": chain_id,
            "verifyingContract": settlement,
        },
        "message": message,
    }
