"""The parts of Across's contracts that are used here, as signatures; SpokePool of Across 3.0.x.

Source: ERC-7683 for ``open`` and its order; Across v3 for the rest. Fields have the contracts' own
names.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from agent_fund.execution.evm.event import Event

ORDER_DATA = (
    ("address", "inputToken"),
    ("uint256", "inputAmount"),
    ("address", "outputToken"),
    ("uint256", "outputAmount"),
    ("uint256", "destinationChainId"),
    ("bytes32", "recipient"),
    ("address", "exclusiveRelayer"),
    ("uint32", "exclusivityPeriod"),
    ("bytes", "message"),
)
"""AcrossOrderData: what ``orderData`` of the ERC-7683 order holds, (type, name) in order."""

ORDER_DATA_TYPE = keccak(
    text="AcrossOrderData(" + ",".join(f"{kind} {name}" for kind, name in ORDER_DATA) + ")"
)
"""``orderDataType``: the EIP-712 type hash of AcrossOrderData."""

ORDER_DATA_TUPLE = "(" + ",".join(kind for kind, _ in ORDER_DATA) + ")"

RELAY_TUPLE = (
    "(address,address,address,address,address,uint256,uint256,uint256,uint32,uint32,uint32,bytes)"
)
"""V3RelayData: depositor, recipient, exclusiveRelayer, inputToken, outputToken, inputAmount,
outputAmount, originChainId, depositId, fillDeadline, exclusivityDeadline, message."""

OPEN = "open((uint32,bytes32,bytes))"
"""IOriginSettler.open of an OnchainCrossChainOrder: fillDeadline, orderDataType, orderData."""

SPOKE_POOL = "SPOKE_POOL()"
FILL_STATUSES = "fillStatuses(bytes32)"
PAUSED_DEPOSITS = "pausedDeposits()"
ENABLED_ROUTES = "enabledDepositRoutes(address,uint256)"
WRAPPED_NATIVE = "wrappedNativeToken()"

FILLED = 2
"""``fillStatuses`` of a relay that has been filled: Unfilled 0, RequestedSlowFill 1, Filled 2."""

DEPOSITED = Event(
    "V3FundsDeposited",
    "address inputToken, address outputToken, uint256 inputAmount, uint256 outputAmount, "
    "uint256 indexed destinationChainId, uint32 indexed depositId, uint32 quoteTimestamp, "
    "uint32 fillDeadline, uint32 exclusivityDeadline, address indexed depositor, "
    "address recipient, address exclusiveRelayer, bytes message",
)
FILLED_RELAY = Event(
    "FilledV3Relay",
    "address inputToken, address outputToken, uint256 inputAmount, uint256 outputAmount, "
    "uint256 repaymentChainId, uint256 indexed originChainId, uint32 indexed depositId, "
    "uint32 fillDeadline, uint32 exclusivityDeadline, address exclusiveRelayer, "
    "address indexed relayer, address depositor, address recipient, bytes message, "
    "(address,bytes,uint256,uint8) relayExecutionInfo",
)
"""``relayExecutionInfo``: updatedRecipient, updatedMessage, updatedOutputAmount, fillType."""

REFUND_EXECUTED = Event(
    "ExecutedRelayerRefundRoot",
    "uint256 amountToReturn, uint256 indexed chainId, uint256[] refundAmounts, "
    "uint32 indexed rootBundleId, uint32 indexed leafId, address l2TokenAddress, "
    "address[] refundAddresses, address caller",
)
