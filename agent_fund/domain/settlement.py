"""Cash events of margined positions: funding paid or received, and liquidation by the venue.

Both follow from the position, the mark price and the venue's terms by the exact rules here, so
that a venue's report, a simulation and an audit make the same integers. A real venue's own figures
stand in place of the rules': ``told`` and ``exec_id`` say so.
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
        told: what a real venue says it was, in base units; None where the rule decides.
    """

    instrument: Instrument
    quantity: int
    mark: int
    rate: int
    bar: int
    told: int | None = None

    @classmethod
    def as_told(
        cls, instrument: Instrument, quantity: int, mark: int, bar: int, amount: int
    ) -> Funding:
        """A payment of a real venue, at the rate that it comes to on ``quantity`` at ``mark``.

        The rate is rounded away from zero, and 0 if nothing is held any more.
        """
        notional = instrument.notional(quantity, mark)
        rate = 0
        if notional:
            size = ceil_div(abs(amount) * 10**RATE_SCALE, abs(notional))
            rate = size if (amount < 0) == (notional > 0) else -size
        return cls(instrument, quantity, mark, rate, bar, amount)

    @property
    def amount(self) -> int:
        """What the fund receives, in base units of the quote; negative: it pays.

        By the rule it is rounded down, against the fund.
        """
        if self.told is not None:
            return self.told
        owed = self.instrument.notional(self.quantity, self.mark) * self.rate
        return -ceil_div(owed, 10**RATE_SCALE)


@dataclass(frozen=True)
class Liquidation:
    """A position closed by its venue because its margin account fell below maintenance.

    Attributes:
        quantity: what was held, signed base units; all of it is closed, or by a real venue's trade
            perhaps a part.
        mark: the price at which it is closed, in price units: the mark, or that of the trade.
        fee: base units of the quote that the liquidation takes.
        cover: what the venue's insurance fund pays so that the account ends at zero, not below.
        bar, when: the bar, and ``"open"`` or ``"close"`` of it; ``"before"`` the fills of its open,
            of which real venues tell.
        exec_id: of the trade that a real venue told; empty where the rule decides.
    """

    instrument: Instrument
    quantity: int
    mark: int
    fee: int
    cover: int
    bar: int
    when: str
    exec_id: str = ""
