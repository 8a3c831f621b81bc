"""Trading costs as explicit exact models: fee, spread, impact, participation, latency.

Every model states its one parameter; there are no defaults, so a free trade is written
``ProportionalFee(Fraction(0))``. Shares are Fractions of the open price; all rounding is against
the fund, so a bound computed from a model holds for every fill the model prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ceil_div, require_int

_ROOT_STEPS = 2**32
"""Square roots are rounded up to a multiple of 2**-32, far below any tick."""


@dataclass(frozen=True)
class ProportionalFee:
    """``rate`` of the notional, rounded up to the quote's base unit; 0 <= rate < 1.

    An order pays on its notional so far, so many partial fills cost what one fill costs and
    ``maximum`` of an order's whole notional bounds the sum of its fees.
    """

    rate: Fraction

    def __post_init__(self) -> None:
        _require_share(self.rate, "fee rate")
        if self.rate == 1:
            raise DomainError("fee rate", self.rate, "write a share below 1")

    def maximum(self, notional: int) -> int:
        """The most that trading ``notional`` (base units of the quote) can cost in fees."""
        return ceil_div(notional * self.rate.numerator, self.rate.denominator)

    def charge(self, before: int, notional: int) -> int:
        """The fee of a fill worth ``notional`` of an order that had filled ``before``."""
        return self.maximum(before + notional) - self.maximum(before)


@dataclass(frozen=True)
class HalfSpread:
    """Half the distance between bid and ask as a share of the price; 0 <= share <= 1."""

    share: Fraction

    def __post_init__(self) -> None:
        _require_share(self.share, "half spread")


@dataclass(frozen=True)
class SquareRootImpact:
    """Price impact ``coefficient * sqrt(quantity / volume)``, as a share of the price.

    The square-root law of Bouchaud, Bonart, Donier, Gould, *Trades, Quotes and Prices* (2018),
    ch. 12; ``coefficient`` is their Y times the volatility over the volume's interval. Almgren,
    Thum, Hauptmann, Li, *Direct Estimation of Equity Market Impact* (2005) measure the exponent
    3/5, which for quantities below the volume is the smaller impact at an equal coefficient.
    """

    coefficient: Fraction

    def __post_init__(self) -> None:
        if not isinstance(self.coefficient, Fraction) or self.coefficient < 0:
            raise DomainError("impact coefficient", self.coefficient, "write a Fraction >= 0")

    def share(self, quantity: int, volume: int) -> Fraction:
        """The impact of ``quantity`` in ``volume`` (both base units), rounded up.

        It does not decrease in ``quantity`` and does not increase in ``volume``.

        Raises:
            DomainError: for a negative quantity or a volume below 1.
        """
        require_int(quantity, "quantity with impact", minimum=0)
        require_int(volume, "volume with impact", minimum=1)
        square = ceil_div(quantity * _ROOT_STEPS**2, volume)
        root = isqrt(square - 1) + 1 if square else 0
        return self.coefficient * Fraction(root, _ROOT_STEPS)


@dataclass(frozen=True)
class Participation:
    """The fund trades at most ``share`` of a bar's volume in an instrument; 0 < share <= 1."""

    share: Fraction

    def __post_init__(self) -> None:
        _require_share(self.share, "participation")
        if self.share == 0:
            raise DomainError("participation", self.share, "at 0 nothing could ever be sold")

    def cap(self, volume: int, lot: int) -> int:
        """The most that fills in a bar of ``volume`` base units, in whole lots."""
        return volume * self.share.numerator // self.share.denominator // lot * lot


@dataclass(frozen=True)
class Latency:
    """``bars`` more bars pass before an order can fill; 0 is the open after it was sent."""

    bars: int

    def __post_init__(self) -> None:
        require_int(self.bars, "latency in bars", minimum=0)


def maximum_slippage(
    spread: HalfSpread, impact: SquareRootImpact, participation: Participation
) -> Fraction:
    """The largest share of the open that a fill can lie on the wrong side of it, before the tick.

    Half spread plus the impact of all that participation allows. A fill price is rounded to the
    tick after it: a cost bound adds one tick for each unit bought or sold.
    """
    cap = participation.share
    return spread.share + impact.share(cap.numerator, cap.denominator)


def _require_share(value: object, subject: str) -> None:
    if not isinstance(value, Fraction) or not 0 <= value <= 1:
        raise DomainError(subject, value, "write a Fraction from 0 to 1")
