"""Goals: what a route is to achieve; quantities of an underlying, whichever line trades it.

The same asset may trade as several lines: spot of one underlying at several venues and chains.
They are siblings. A goal names the underlying, or one line of it, and states its quantity in
units of 10**-scale of the underlying, so that lines of other scales and contract sizes mean the
same. A limit is a price for one whole unit of the underlying with the venue's own costs inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import require_int, require_name
from agent_fund.domain.order import Side
from agent_fund.domain.transfer import Transfer


@dataclass(frozen=True)
class Sale:
    """A held line that may be sold to pay for a purchase.

    Attributes:
        limit: currency for one unit of its underlying, at least.
        quantity: base units of the line that are wanted sold, all of them, whatever the purchase
            needs; None for as much as it needs, or none of it where cash is cheaper.
    """

    symbol: str
    limit: Fraction
    quantity: int | None = None

    def __post_init__(self) -> None:
        _require_limit(self.limit, f"limit of the sale of {self.symbol}")
        if self.quantity is not None:
            require_int(self.quantity, f"quantity of the sale of {self.symbol}", minimum=1)


@dataclass(frozen=True)
class Buy:
    """Buy ``quantity`` of ``underlying``, all of it.

    Attributes:
        limit: currency for one unit of the underlying, at most.
        symbol: the only line that will do; empty for any.
        pay_with: what may be sold first where cash is short.
    """

    underlying: str
    quantity: int
    scale: int
    limit: Fraction
    symbol: str = ""
    pay_with: Sale | None = None

    side = Side.BUY

    def __post_init__(self) -> None:
        _require_trade(self.underlying, self.quantity, self.scale, self.limit)

    @property
    def sells_first(self) -> bool:
        """Whether a sale is wanted too, so that no route is one which leaves it out."""
        return self.pay_with is not None and self.pay_with.quantity is not None


@dataclass(frozen=True)
class Sell:
    """Sell ``quantity`` of ``underlying``, all of it.

    Attributes:
        limit: currency for one unit of the underlying, at least.
        symbol: the only line that will do; empty for any.
        to: the place at which the proceeds are wanted; empty for wherever they come in.
    """

    underlying: str
    quantity: int
    scale: int
    limit: Fraction
    symbol: str = ""
    to: str = ""

    side = Side.SELL

    def __post_init__(self) -> None:
        _require_trade(self.underlying, self.quantity, self.scale, self.limit)


@dataclass(frozen=True)
class Move:
    """Move ``amount`` base units of the currency from one place of the fund to another."""

    amount: int
    source: str
    target: str

    def __post_init__(self) -> None:
        Transfer(self.amount, self.source, self.target)


Goal = Buy | Sell | Move


def in_line(instrument: Instrument, quantity: int, price: int) -> tuple[int, int, Fraction]:
    """Quantity, scale and limit of a goal that means ``quantity`` base units of one line.

    Args:
        price: the limit, in price units.

    Raises:
        DomainError: for a contract size that no decimal of the underlying states.
    """
    instrument.require_quantity(quantity, f"quantity of {instrument.symbol}")
    whole = quantity * instrument.contract
    if whole.denominator != 1:
        fix = "route lines whose contract is a whole number of the underlying"
        raise DomainError(f"contract of {instrument.symbol}", str(instrument.contract), fix)
    limit = Fraction(price, int(10**instrument.price_scale))
    return int(whole), instrument.base.scale, limit


def siblings(book: Book, underlying: str, symbol: str = "") -> tuple[Instrument, ...]:
    """The spot lines of ``underlying`` that the fund may hold, in the book's order.

    Args:
        symbol: the only one that will do; empty for all.
    """
    return tuple(
        line
        for line in book.instruments.values()
        if line.underlying == underlying and line.kind is Kind.SPOT and symbol in ("", line.symbol)
    )


def units(instrument: Instrument, quantity: int, scale: int) -> int | None:
    """``quantity`` of the underlying as base units of one line; None if no whole lots make it."""
    exact = Fraction(quantity * int(10**instrument.base.scale), int(10**scale))
    found = exact / instrument.contract
    whole = found.denominator == 1 and found.numerator % instrument.lot == 0
    return found.numerator if whole else None


def worth(instrument: Instrument, quantity: int) -> Fraction:
    """``quantity`` base units of a line as whole units of the underlying."""
    return quantity * instrument.contract / int(10**instrument.base.scale)


def common_lot(lines: tuple[Instrument, ...], scale: int) -> int:
    """The smallest quantity, in 10**-scale of the underlying, that is whole lots of every line."""
    lot = Fraction(1)
    for line in lines:
        step = worth(line, line.lot) * int(10**scale)
        # The least common multiple of two ratios.
        lot = Fraction(
            lcm(lot.numerator * step.denominator, step.numerator * lot.denominator),
            lot.denominator * step.denominator,
        )
    return lot.numerator


def _require_trade(underlying: str, quantity: int, scale: int, limit: Fraction) -> None:
    require_name(underlying, "underlying of a goal")
    require_int(quantity, f"quantity of {underlying}", minimum=1)
    require_int(scale, f"scale of {underlying}", minimum=0)
    _require_limit(limit, f"limit of {underlying}")


def _require_limit(limit: Fraction, subject: str) -> None:
    if not isinstance(limit, Fraction) or limit <= 0:
        raise DomainError(subject, limit, "write a positive Fraction of the currency")
