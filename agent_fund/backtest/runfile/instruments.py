"""The lines to trade: their data sets, and of a perpetual what its venue asks and pays."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from agent_fund.backtest.runfile.scalars import ChainName, IssuerName, Number, Ratio, Step
from agent_fund.backtest.runfile.section import Section
from agent_fund.backtest.runfile.venues import LatencySection


class TierSection(Section):
    """One of ``[[instruments.margin.tiers]]``: from this notional on, this maintenance rate."""

    floor: Number
    rate: Ratio


class MarginSection(Section):
    """``[instruments.margin]``: what the venue asks of a perpetual; see ``domain.margin``."""

    initial: Ratio
    tiers: tuple[TierSection, ...] = Field(min_length=1)
    liquidation_fee: Ratio
    isolated: StrictBool = False

    @model_validator(mode="after")
    def _rising(self) -> MarginSection:
        if self.tiers[0].floor != 0:
            raise ValueError(f"tiers: the first floor is {self.tiers[0].floor}: write 0")
        for lower, upper in pairwise(self.tiers):
            if upper.floor <= lower.floor:
                raise ValueError(f"tiers: floor {upper.floor} comes after {lower.floor}: sort them")
            if upper.rate < lower.rate:
                raise ValueError(f"tiers: the rate falls at floor {upper.floor}: it never does")
        if not self.tiers[0].rate <= self.initial <= 1:
            seen = f"initial: {float(self.initial):.2%}"
            raise ValueError(f"{seen}: write a share from the first tier's rate to 100%")
        return self


class FundingSection(Section):
    """``[instruments.funding]``: its data set, and the venue's rule.

    Attributes:
        cap: the largest rate that one payment can have, either way.
        every: time between payments, e.g. ``"8h"``.
    """

    dataset: str
    cap: Ratio
    every: Step

    @model_validator(mode="after")
    def _capped(self) -> FundingSection:
        if self.cap < 0:
            raise ValueError("cap: it holds either way: write it from 0 on")
        return self


class InstrumentSection(Section):
    """``[[instruments]]``: one line to trade, and its data sets.

    Attributes:
        venue: where it trades; may be left out if there is one venue.
        underlying: what it is an exposure to; its own symbol if left out.
        contract: units of the underlying in one unit of quantity.
        issuer: of spot, who must stand for it to be worth anything, e.g. of a stablecoin.
        chain: that of its venue, which states it.
        mark, funding, margin: of a perpetual, which needs them all; ``index`` where there is one.
        latency: bars before an order can fill beyond the next open; the venue's if left out.
        calibrate_start: first day of its own calibration, where the mandate's is too early for it.
        source: ``"arch"`` (dataset ``sp500`` or ``nasdaq``), ``"parquet"`` (with path and step),
            or ``"catalog"`` (it must be there already).
        asset_scale: decimals of a quantity; the lot is a multiple of 10**-asset_scale.
    """

    symbol: str
    kind: Literal["spot", "perpetual"] = "spot"
    venue: str | None = None
    underlying: str | None = None
    contract: Ratio = Fraction(1)
    issuer: IssuerName | None = None
    chain: ChainName | None = None
    mark: str | None = None
    index: str | None = None
    funding: FundingSection | None = None
    margin: MarginSection | None = None
    latency: LatencySection | None = None
    calibrate_start: dt.date | None = None
    source: Literal["arch", "parquet", "catalog"]
    dataset: str
    path: str | None = None
    step: Step | None = None
    licence: str = "not stated"
    rounding: StrictBool = False
    asset_scale: StrictInt = Field(ge=0, le=18)
    price_scale: StrictInt = Field(ge=0, le=18)
    lot: Number
    tick: Number
