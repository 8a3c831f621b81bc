"""Cash events of margined positions: funding paid or received, and liquidation by the venue.

Both follow from the position, the mark price and the venue's terms by the exact rules here, so
that a venue's report, a simulation and an audit make the same integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div

RATE_SCALE = 12
"""Funding rates are integers of 10**-RATE_SCALE of the notional."""


@dataclass(frozen=True)
class Funding:
    """One funding payment.

    Attributes:
        quantity: position at the funding time, signed base units.
        mark: mark price then, in price units.
        rate: of the notional, in 10**-RATE_SCALE; positive: longs pay shorts.
        bar: the bar at whose open it is paid, before that open's fills.
    """

    instrument: Instrument
    quantity: int
    mark: int
    rate: int
    bar: int

    @property
    def amount(self) -> int:
        """What the fund receives, in base units of the quote; negative: it pays.

        Rounded down, against the fund.
        """
        owed = self.instrument.notional(self.quantity, self.mark) * self.rate
        return -ceil_div(owed, 10**RATE_SCALE)


@dataclass(frozen=True)
class Liquidation:
    """A position closed by its venue because its margin account fell below maintenance.

    Attributes:
        quantity: what was held, signed base units; all of it is closed.
        mark: the mark price at which it is closed, in price units.
        fee: base units of the quote that the liquidation takes.
        cover: what the venue's insurance fund pays so that the account ends at zero, not below.
        bar, when: the bar, and ``"open"`` or ``"close"`` of it.
    """

    instrument: Instrument
    quantity: int
    mark: int
    fee: int
    cover: int
    bar: int
    when: str
