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
from agent_fund.fund.instruments import instrument_json, instrument_of
from agent_fund.guard.guardrails.liquidity import way_out
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.wayout import opens_needed

Flow = tuple[int, int, str]


class RunTerms:
    """The terms that ``config``, the run file as the genesis record names it, states.

    Attributes:
        cadence: when the agent is asked.
        flows: (due, amount, name) in the order in which they are tried.
        skips_gaps: whether bars may be missing.
        model: name of the language model; empty for a strategy that asks none.
        home: the place of flows. ``transfer_bars``: bars that a transfer is under way.
        live: whether real venues filled the orders, at their own prices and fees and in their own
            time; the monitor then judges them against the mandate's costs, as it does in any run.
    """

    def __init__(self, config: Mapping[str, Any], currency: Asset, *, live: bool = False) -> None:
        self.live = live
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
        self._exit_bars = config["execution"]["exit_bars"]
        self._venues = {venue["name"]: _Venue(venue) for venue in config["venues"]}
        first = config["venues"][0]["name"]
        self._instruments = {
            i["symbol"]: instrument_of(i, currency, first) for i in config["instruments"]
        }
        self._latency = {
            i["symbol"]: (i["latency"] or _latency(config, i["venue"] or first))["bars"]
            for i in config["instruments"]
        }
        self.home = next(iter(self._instruments.values())).account
        transfers = config["transfers"]
        self.transfer_bars = 1 if transfers is None else transfers["bars"]
        self._currency = currency

    def require_genesis(self, record: Mapping[str, Any]) -> None:
        """The genesis record says what the run file says.

        Raises:
            AuditError: naming the field.
        """
        config = self._config
        fund, venues, scale = config["fund"], config["venues"], self._currency.scale
        cash = to_units(fund["cash"], scale, "cash")
        if len(venues) == 1:
            capital = {venues[0]["name"]: cash}
        else:
            capital = {v["name"]: to_units(v["cash"], scale, "cash") for v in venues}
        stated = {
            "fund": config["name"],
            "currency": {"symbol": fund["currency"], "scale": fund["scale"]},
            "cash": str(cash),
            "capital": {name: str(part) for name, part in capital.items() if part},
            "instruments": [instrument_json(i) for i in self._instruments.values()],
        }
        for key, value in stated.items():
            if record[key] != value:
                raise AuditError(f"{key} of the fund", record[key], f"the run file states {value}")

    def require_mandate(self, mandate: ResolvedMandate) -> None:
        """The mandate covers this run's way out, and allows for what its venue can cost.

        Raises:
            AuditError: naming what it leaves out.
        """
        if not mandate.costs.legging and len(set(self._latency.values())) > 1:
            fix = "the run file's latencies differ, so legs of a way out do not close at one time"
            raise AuditError("legging allowance", str(mandate.costs.legging), fix)
        liquidity, bars = mandate.guardrail("liquidity"), self._exit_bars
        for venue in self._venues.values():
            _, bars = way_out(liquidity, venue.participation, bars)
            if venue.slippage > mandate.costs.slippage or venue.fee.rate > mandate.costs.fee:
                raise AuditError("costs", str(mandate.costs), "the run file's venue can be dearer")
        needed = opens_needed(max(self._latency.values()), bars)
        if mandate.stress.horizon < needed or mandate.exit_bars != bars:
            raise AuditError("horizon", mandate.stress.horizon, f"the way out takes {needed} opens")

    def require_time(self, close_time: int) -> None:
        """A bar lies in the test window; a live run's window is whenever it ran."""
        if self.live:
            return
        first, end = self._window
        if not first <= close_time < end:
            raise AuditError("close of a bar", close_time, "it lies outside the test window")

    def expires(self, symbol: str, bar: int, purpose: Purpose) -> int:
        """The last bar of an order sent at the close of ``bar``; a slice of a way out lives one."""
        life = self._order_bars if purpose is Purpose.AGENT else 1
        return int(bar + life + self._latency[symbol])

    def first_bar(self, symbol: str, bar: int) -> int:
        """The first bar that can fill an order which the venue got in ``bar``."""
        if self.live:
            return bar + 1
        return int(bar + 1 + self._latency[symbol])

    def require_fee(self, fill: Fill, before: int) -> None:
        """The fee is the venue's, on an order that had filled a notional of ``before``."""
        if self.live:
            return
        notional = fill.instrument.notional(fill.quantity, fill.price)
        fee = self._venue(fill).fee.charge(before, notional)
        if fill.fee != fee:
            raise AuditError(f"fee of fill {fill.exec_id}", fill.fee, f"the venue charges {fee}")

    def require_price(self, fill: Fill, market: int) -> None:
        """The price lies between the open ``market`` with half the spread, and the worst impact."""
        if self.live:
            return
        sign, venue = fill.side.sign, self._venue(fill)
        best = Fraction(market) * (1 + sign * venue.spread)
        worst = Fraction(market) * (1 + sign * venue.slippage) + sign * fill.instrument.tick
        if (fill.price - best) * sign < 0 or (fill.price - worst) * sign > 0:
            raise AuditError(
                f"price of fill {fill.exec_id}", fill.price, f"the bar opened at {market}"
            )

    def _venue(self, fill: Fill) -> _Venue:
        return self._venues[fill.instrument.venue.name]


class _Venue:
    """The costs of one venue."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.fee = ProportionalFee(ratio(config["fee"]["rate"]))
        self.spread = ratio(config["spread"]["share"])
        self.participation = ratio(config["participation"]["share"])
        self.slippage = maximum_slippage(
            HalfSpread(self.spread),
            SquareRootImpact(ratio(config["impact"]["coefficient"])),
            Participation(self.participation),
        )


def _latency(config: Mapping[str, Any], venue: str) -> Mapping[str, Any]:
    latency: Mapping[str, Any] = next(v["latency"] for v in config["venues"] if v["name"] == venue)
    return latency


def _midnight(day: str) -> int:
    moment = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    return int(moment.timestamp()) * 1000
