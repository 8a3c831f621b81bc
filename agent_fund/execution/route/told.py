"""What became of a stage, by what the fund was told of that stage's own orders and transfer.

What a place has more or less says nothing of a stage: funding, fees, the guard's own orders, money
in and out and an operator's corrections move it too. Which legs are a stage's own stands in the
intents that were written before they left; what filled and what arrived, on the tape.
"""

from __future__ import annotations

from agent_fund.domain.order import Purpose, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.leg_store import LegStore, StoredLeg
from agent_fund.execution.live.live_carriage import NAME as CARRIAGE
from agent_fund.execution.live.tape import Tape
from agent_fund.execution.route.run import Filled, Outcome, StageReport
from agent_fund.execution.route.stages import Bridge, Stage, Swap, Trade

_NOT_BEGUN = "nothing of it was begun: the guard did not admit it, or there was too little"


class Told:
    """What the fund was told of the legs of stages; a stage is known by the bar that began it."""

    def __init__(self, legs: LegStore, tape: Tape) -> None:
        self._legs = legs
        self._tape = tape

    def report(self, number: int, stage: Stage, bar: int) -> StageReport:
        """How stage ``number``, begun at the close of ``bar`` and over by now, ended.

        Raises:
            ExecutionError: for a transfer of whose end the fund was not told.
        """
        if isinstance(stage, Bridge):
            return self._bridged(number, stage, bar)
        return self._traded(number, stage, bar)

    def transfer(self, bridge: Bridge, bar: int) -> StoredLeg | None:
        """The transfer of ``bridge``; None if it was not begun."""
        wanted = {
            "kind": "transfer",
            "bar": bar,
            "source": bridge.source,
            "target": bridge.target,
        }
        found = self._legs.asked_for(wanted)
        return found[-1] if found else None

    def way_out(self, bar: int) -> bool:
        """Whether the guard has sent orders of its own after the close of ``bar``."""
        return any(
            leg.request["bar"] > bar and leg.request["purpose"] != Purpose.AGENT.value
            for leg in self._legs.asked_for({"kind": "order"})
        )

    def _bridged(self, number: int, bridge: Bridge, bar: int) -> StageReport:
        leg = self.transfer(bridge, bar)
        if leg is None:
            return StageReport(number, Outcome.FAILED, reason=_NOT_BEGUN)
        for answer in self._tape.answers(CARRIAGE):
            for name, received, home in answer.body:
                if name != leg.leg_id:
                    continue
                if not home:
                    return StageReport(number, Outcome.DONE, received=int(received))
                reason = leg.detail or "it came back"
                return StageReport(number, Outcome.REFUNDED, received=int(received), reason=reason)
        raise ExecutionError("transfer", leg.leg_id, "it is no longer under way, and did not end")

    def _traded(self, number: int, trade: Trade, bar: int) -> StageReport:
        begun = self._legs.asked_for({"kind": "order", "bar": bar, "purpose": Purpose.AGENT.value})
        filled = {}
        for swap in trade.swaps:
            found = self._filled(swap, begun)
            if found.quantity:
                filled[swap.instrument.symbol] = found
        if not filled:
            reason = "nothing of it filled" if begun else _NOT_BEGUN
            return StageReport(number, Outcome.FAILED, reason=reason)
        whole = all(
            filled.get(swap.instrument.symbol, Filled(0, 0)).quantity == swap.quantity
            for swap in trade.swaps
        )
        return StageReport(number, Outcome.DONE if whole else Outcome.PARTLY, filled)

    def _filled(self, swap: Swap, begun: list[StoredLeg]) -> Filled:
        """What filled of the swap's order among those ``begun``."""
        line, quantity, money = swap.instrument, 0, 0
        own = {
            leg.leg_id
            for leg in begun
            if (leg.request["instrument"], leg.request["side"]) == (line.symbol, swap.side.value)
        }
        for answer in self._tape.answers(line.venue.name) if own else ():
            for what, order_id, *fill in answer.body:
                if what != "fill" or order_id not in own:
                    continue
                _, units, price, fee, _ = fill
                notional = line.notional(int(units), int(price))
                quantity += int(units)
                money += notional + int(fee) if swap.side is Side.BUY else notional - int(fee)
        return Filled(quantity, money)
