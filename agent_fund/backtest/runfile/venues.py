"""The simulated venues, their cost models, and how long orders and transfers live."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictInt

from agent_fund.backtest.runfile.scalars import ChainName, Number, Ratio
from agent_fund.backtest.runfile.section import Section


class FeeSection(Section):
    """``[venues.fee]``."""

    model: Literal["proportional"]
    rate: Ratio


class SpreadSection(Section):
    """``[venues.spread]``."""

    model: Literal["half_spread"]
    share: Ratio


class ImpactSection(Section):
    """``[venues.impact]``: coefficient * sqrt(quantity / volume), as a share of the price."""

    model: Literal["square_root"]
    coefficient: Ratio


class ParticipationSection(Section):
    """``[venues.participation]``: the share of a bar's volume that one bar can take."""

    model: Literal["volume_share"]
    share: Ratio


class LatencySection(Section):
    """``latency``: bars before an order can fill, beyond the next open."""

    model: Literal["bars"]
    bars: StrictInt = Field(ge=0, le=10)


class VenueSection(Section):
    """``[[venues]]``: a simulated venue; every model is stated, none has a default.

    Attributes:
        cash: what of the fund's cash stands here at the start; all of it if there is one venue.
        chain: the blockchain it runs on, as CAIP-2 writes it (``eip155:1``); none for an exchange.
    """

    name: str
    chain: ChainName | None = None
    cash: Number | None = None
    fee: FeeSection
    spread: SpreadSection
    impact: ImpactSection
    participation: ParticipationSection
    latency: LatencySection


class ExecutionSection(Section):
    """``[execution]``: bars for which an agent's order lives; bars to close any position in."""

    order_bars: StrictInt = Field(ge=1, le=100)
    exit_bars: StrictInt = Field(ge=1, le=100)


class TransferSection(Section):
    """``[transfers]``: how many bars money is under way between two venues."""

    bars: StrictInt = Field(ge=1, le=1000)
