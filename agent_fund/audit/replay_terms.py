"""What the run file binds a log to: window, cadence, lives of orders, flows, fees, spread.

The genesis record names the run file by digest. Whatever of the log follows from it is checked
against it, so that a record cannot claim terms which the run did not have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import ratio, to_units
from agent_fund.domain.order import Fill, Purpose
from agent_fund.execution.costs import (
    HalfSpread,
    Participation,
    ProportionalFee,
    SquareRootImpact,
    maximum_slippage,
)
from agent_fund.fund.cadence import Cadence
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.wayout import opens_needed

Flow = tuple[int, int, str]


class RunTerms:
    """The terms that ``config``, the run file as the genesis record names it, states.

    Attributes:
        cadence: when the agent is asked.
        flows: (due, amount, name) in the order in which they are tried.
        skips_gaps: whether bars may be missing.
        model: name of the language model; empty for a strategy that asks none.
    """

    def __init__(self, config: Mapping[str, Any], currency: Asset) -> None:
        self._config = config
        self.cadence = Cadence(config["strategy"]["every"])
        flows = [
            (_midnight(f["date"]), to_units(f["amount"], currency.scale, "flow"), str(f["name"]))
            for f in config["flows"]
        ]
        self.flows: list[Flow] = sorted(flows, key=lambda flow: flow[0])
        self.skips_gaps = config["market"]["gaps"] == "skip"
        asked = config["strategy"]["model"]
        self.model = str(asked["name"]) if asked is not None else ""
        self._window = _midnight(config["market"]["start"]), _midnight(config["market"]["end"])
        self._order_bars = config["execution"]["order_bars"]
        self._latency = config["venue"]["latency"]["bars"]
        self._fee = ProportionalFee(ratio(config["venue"]["fee"]["rate"]))
        venue = config["venue"]
        self._spread = ratio(venue["spread"]["share"])
        self._slippage = maximum_slippage(
            HalfSpread(self._spread),
            SquareRootImpact(ratio(venue["impact"]["coefficient"])),
            Participation(ratio(venue["participation"]["share"])),
        )
        self._exit_bars = config["execution"]["exit_bars"]

    def require_genesis(self, record: Mapping[str, Any]) -> None:
        """The genesis record says what the run file says.

        Raises:
            AuditError: naming the field.
        """
        config = self._config
        fund, instruments = config["fund"], config["instruments"]
        stated = {
            "fund": config["name"],
            "currency": {"symbol": fund["currency"], "scale": fund["scale"]},
            "cash": str(to_units(fund["cash"], fund["scale"], "cash")),
            "instruments": [
                {
                    "symbol": i["symbol"],
                    "asset_scale": i["asset_scale"],
                    "price_scale": i["price_scale"],
                    "lot": str(to_units(i["lot"], i["asset_scale"], "lot")),
                    "tick": str(to_units(i["tick"], i["price_scale"], "tick")),
                    "venue": config["venue"]["name"],
                    "kind": "spot",
                }
                for i in instruments
            ],
        }
        for key, value in stated.items():
            if record[key] != value:
                raise AuditError(f"{key} of the fund", record[key], f"the run file states {value}")

    def require_mandate(self, mandate: ResolvedMandate) -> None:
        """The mandate covers this run's way out, and allows for what its venue can cost.

        Raises:
            AuditError: naming what it leaves out.
        """
        needed = opens_needed(self._latency, self._exit_bars)
        if mandate.stress.horizon < needed or mandate.exit_bars != self._exit_bars:
            raise AuditError("horizon", mandate.stress.horizon, f"the way out takes {needed} opens")
        if self._slippage > mandate.costs.slippage or self._fee.rate > mandate.costs.fee:
            raise AuditError("costs", str(mandate.costs), "the run file's venue can be dearer")

    def require_time(self, close_time: int) -> None:
        """A bar lies in the test window."""
        first, end = self._window
        if not first <= close_time < end:
            raise AuditError("close of a bar", close_time, "it lies outside the test window")

    def expires(self, bar: int, purpose: Purpose) -> int:
        """The last bar of an order sent at the close of ``bar``; a slice of a way out lives one."""
        return int(bar + (self._order_bars if purpose is Purpose.AGENT else 1) + self._latency)

    def first_bar(self, bar: int) -> int:
        """The first bar that can fill an order which the venue got in ``bar``."""
        return int(bar + 1 + self._latency)

    def require_fee(self, fill: Fill, before: int) -> None:
        """The fee is the venue's, on an order that had filled a notional of ``before``."""
        fee = self._fee.charge(before, fill.instrument.notional(fill.quantity, fill.price))
        if fill.fee != fee:
            raise AuditError(f"fee of fill {fill.exec_id}", fill.fee, f"the venue charges {fee}")

    def require_price(self, fill: Fill, market: int) -> None:
        """The price lies between the open ``market`` with half the spread, and the worst impact."""
        sign = fill.side.sign
        best = Fraction(market) * (1 + sign * self._spread)
        worst = Fraction(market) * (1 + sign * self._slippage) + sign * fill.instrument.tick
        if (fill.price - best) * sign < 0 or (fill.price - worst) * sign > 0:
            raise AuditError(
                f"price of fill {fill.exec_id}", fill.price, f"the bar opened at {market}"
            )


def _midnight(day: str) -> int:
    moment = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    return int(moment.timestamp()) * 1000
