"""Relay: the full content of one deposit; only a fill with this very content is its fill.

A SpokePool of the destination accepts a fill with any content whatever, another output amount or
recipient among them: it keeps the status under the hash of what it was given. So a fill is ours
only if that hash, over all fields, is the hash of our deposit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agent_fund.execution.across.contracts import (
    ORDER_DATA_TUPLE,
    ORDER_DATA_TYPE,
    RELAY_TUPLE,
)
from agent_fund.execution.evm.call import NOTHING


@dataclass(frozen=True)
class Relay:
    """V3RelayData and the chain that it is to be filled on; amounts in the tokens' own units.

    Addresses are EIP-55 checksums throughout, so that equal relays compare equal.
    """

    depositor: str
    recipient: str
    exclusive_relayer: str
    input_token: str
    output_token: str
    input_amount: int
    output_amount: int
    origin_chain: int
    deposit_id: int
    fill_deadline: int
    exclusivity_deadline: int
    message: bytes
    destination_chain: int

    @property
    def data(self) -> tuple[Any, ...]:
        """V3RelayData as the contracts take it."""
        return (
            self.depositor,
            self.recipient,
            self.exclusive_relayer,
            self.input_token,
            self.output_token,
            self.input_amount,
            self.output_amount,
            self.origin_chain,
            self.deposit_id,
            self.fill_deadline,
            self.exclusivity_deadline,
            self.message,
        )

    @property
    def hash(self) -> bytes:
        """The relay hash: keccak of V3RelayData and the destination's chain id."""
        return keccak(encode([RELAY_TUPLE, "uint256"], [self.data, self.destination_chain]))

    @classmethod
    def deposited(cls, event: Mapping[str, Any], origin_chain: int) -> Relay:
        """From the arguments of a V3FundsDeposited event of the chain ``origin_chain``."""
        return cls._of(event, origin_chain, event["destinationChainId"])

    @classmethod
    def filled(cls, event: Mapping[str, Any], destination_chain: int) -> Relay:
        """From the arguments of a FilledV3Relay event of the chain ``destination_chain``."""
        return cls._of(event, event["originChainId"], destination_chain)

    @classmethod
    def _of(cls, event: Mapping[str, Any], origin: int, destination: int) -> Relay:
        return cls(
            depositor=event["depositor"],
            recipient=event["recipient"],
            exclusive_relayer=event["exclusiveRelayer"],
            input_token=event["inputToken"],
            output_token=event["outputToken"],
            input_amount=event["inputAmount"],
            output_amount=event["outputAmount"],
            origin_chain=origin,
            deposit_id=event["depositId"],
            fill_deadline=event["fillDeadline"],
            exclusivity_deadline=event["exclusivityDeadline"],
            message=bytes(event["message"]),
            destination_chain=destination,
        )


@dataclass(frozen=True)
class BridgeOrder:
    """What the fund orders: everything of a Relay but the deposit's number, which the chain gives.

    Any relayer may fill it at any time until ``fill_deadline`` (Unix seconds); no message.
    """

    depositor: str
    recipient: str
    input_token: str
    output_token: str
    input_amount: int
    output_amount: int
    origin_chain: int
    destination_chain: int
    fill_deadline: int

    @property
    def onchain(self) -> tuple[int, bytes, bytes]:
        """ERC-7683's OnchainCrossChainOrder: fillDeadline, orderDataType, orderData."""
        recipient = bytes.fromhex(self.recipient[2:]).rjust(32, b"\0")
        data = (
            self.input_token,
            self.input_amount,
            self.output_token,
            self.output_amount,
            self.destination_chain,
            recipient,
            NOTHING,
            0,
            b"",
        )
        encoded = encode([ORDER_DATA_TUPLE], [data])
        return (self.fill_deadline, ORDER_DATA_TYPE, encoded)

    def relay(self, deposit_id: int) -> Relay:
        """The relay of this order once its deposit has a number."""
        return Relay(
            depositor=self.depositor,
            recipient=self.recipient,
            exclusive_relayer=NOTHING,
            input_token=self.input_token,
            output_token=self.output_token,
            input_amount=self.input_amount,
            output_amount=self.output_amount,
            origin_chain=self.origin_chain,
            deposit_id=deposit_id,
            fill_deadline=self.fill_deadline,
            exclusivity_deadline=0,
            message=b"",
            destination_chain=self.destination_chain,
        )

    def notes(self) -> dict[str, str]:
        """Plain strings from which ``read`` makes the same order again."""
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def read(cls, notes: Mapping[str, str]) -> BridgeOrder:
        """The order that ``notes`` states."""
        return cls(
            depositor=notes["depositor"],
            recipient=notes["recipient"],
            input_token=notes["input_token"],
            output_token=notes["output_token"],
            input_amount=int(notes["input_amount"]),
            output_amount=int(notes["output_amount"]),
            origin_chain=int(notes["origin_chain"]),
            destination_chain=int(notes["destination_chain"]),
            fill_deadline=int(notes["fill_deadline"]),
        )
