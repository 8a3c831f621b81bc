"""AcrossDeposit: the opening of one admitted transfer through Across, read back from its calldata.

Of a deposit no balance of the Safe shows where it goes. So the calldata is read: two things may be
chosen by whoever prepares it, what arrives (not less than admitted) and until when (not later).
With these two the whole is written again, and must come out the same to the last byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transfer
from agent_fund.execution.across.contracts import OPEN, ORDER_DATA_TUPLE
from agent_fund.execution.across.place import Place
from agent_fund.execution.across.relay import BridgeOrder
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data


@dataclass(frozen=True)
class AcrossDeposit:
    """What was admitted: amounts in the tokens' own units, addresses with checksums.

    Attributes:
        depositor: whose tokens leave, and who gets a refund: the Safe.
        recipient: the fund's own account at the destination.
        deadline: Unix seconds, the last at which a relayer may fill it.
    """

    depositor: str
    recipient: str
    input_token: str
    input_amount: int
    output_token: str
    least_out: int
    origin_chain: int
    destination_chain: int
    deadline: int

    @classmethod
    def of_transfer(
        cls,
        transfer: Transfer,
        min_received: int,
        source: Place,
        target: Place,
        currency: Asset,
        deadline: int,
    ) -> AcrossDeposit:
        """All of ``transfer``, of which ``min_received`` base units or more arrive.

        Raises:
            ExecutionError: if the source's token cannot say the amount exactly.
        """
        return cls(
            source.account.address,
            target.account.address,
            source.token.address,
            source.token.exactly(transfer.amount, currency),
            target.token.address,
            target.token.up(min_received, currency),
            source.chain.chain_id,
            target.chain.chain_id,
            deadline,
        )

    def require(self, data: bytes) -> None:
        """Refuse any other opening.

        Raises:
            ExecutionError: with the fields that it has.
        """
        try:
            ((fill_deadline, _, encoded),) = decode([OPEN.removeprefix("open")[1:-1]], data[4:])
            (fields,) = decode([ORDER_DATA_TUPLE], encoded)
        except (DecodingError, OverflowError):  # the latter for lengths beyond any memory
            raise ExecutionError("deposit", data[:4].hex(), f"write a call of {OPEN}") from None
        output_amount = fields[3]
        if output_amount < self.least_out:
            fix = f"{self.least_out} or more must arrive"
            raise ExecutionError("deposit's output amount", output_amount, fix)
        if fill_deadline > self.deadline:
            fix = f"the transfer ends at {self.deadline}"
            raise ExecutionError("deposit's fill deadline", fill_deadline, fix)
        order = BridgeOrder(
            self.depositor,
            self.recipient,
            self.input_token,
            self.output_token,
            self.input_amount,
            output_amount,
            self.origin_chain,
            self.destination_chain,
            fill_deadline,
        )
        if call_data(OPEN, order.onchain) != data:
            raise ExecutionError("deposit", fields, f"admitted is {self}")
