"""How far each leg reaches on chain, from what the desk has really sent; the guard's key asks here.

What is not found is not covered, and then nothing is signed.
"""

from __future__ import annotations

from agent_fund.domain.instrument import Asset
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.across.place import Place
from agent_fund.execution.custody.across_deposit import AcrossDeposit
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.token import Token
from agent_fund.paper.connections import Connections, UniswapSpec
from agent_fund.paper.live_run import LiveRun
from agent_fund.paper.uniswap import amm_of


class Covers:
    """The covers of one run; ``live`` is told once the run is put together.

    Args:
        places: where Across takes and brings the currency, by venue.
    """

    def __init__(self, connections: Connections, currency: Asset) -> None:
        self._connections = connections
        self._currency = currency
        self.live: LiveRun | None = None
        self.places: dict[str, Place] = {}

    def __call__(self, venue: str, leg_id: str) -> Cover | None:
        """The cover of an order at ``venue`` or a transfer out of it under way; None else."""
        spec = self._connections.venues.get(venue)
        if self.live is None or not isinstance(spec, UniswapSpec) or spec.safe is None:
            return None
        order = self._order(self.live, spec, spec.safe.address, venue, leg_id)
        return order or self._transfer(self.live, venue, leg_id)

    def verdict_of(self, order_id: str) -> bytes:
        """The leaf hash of the guard's record that admitted the order.

        Raises:
            ExecutionError: if there is none.
        """
        if self.live is None:
            raise ExecutionError("order", order_id, "no order is admitted before the run begins")
        return self.live.fund.verdict_of(order_id)

    def _order(
        self, live: LiveRun, spec: UniswapSpec, safe: str, venue: str, leg_id: str
    ) -> Cover | None:
        at = live.venues.get(venue)
        found = None if at is None else at.admitted(leg_id)
        if found is None:
            return None
        order, deadline = found
        base = spec.tokens.get(order.instrument.base.symbol)
        quote = spec.tokens.get(order.instrument.quote.symbol)
        if base is None or quote is None:
            return None
        return Cover.of_order(
            order,
            Token(base.address, base.decimals),
            Token(quote.address, quote.decimals),
            amm_of(spec),
            safe,
            deadline,
        )

    def _transfer(self, live: LiveRun, venue: str, leg_id: str) -> Cover | None:
        found = live.carriage.admitted(leg_id)
        if found is None:
            return None
        transit, deadline = found
        transfer = transit.transfer
        if transfer.source != venue:
            return None
        carrier = live.carriage.carrier(transfer.source, transfer.target)
        source, target = self.places.get(transfer.source), self.places.get(transfer.target)
        if not isinstance(carrier, AcrossCarrier) or source is None or target is None:
            return None
        least = transfer.amount - transfer.cost
        deposit = AcrossDeposit.of_transfer(
            transfer, least, source, target, self._currency, deadline
        )
        amount = source.token.exactly(transfer.amount, self._currency)
        return Cover.of_deposit(source.depositor, source.token.address, amount, deposit, deadline)
