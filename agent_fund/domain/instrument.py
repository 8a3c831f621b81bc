"""What can be held and where: Asset, Chain, Venue, Instrument; all scales and steps are exact.

Quantities are integers in the base asset's units, prices integers of 10**-price_scale of the
quote asset. The quote asset's scale holds both, so a notional is an exact integer too.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms, Terms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.margin import Margin
from agent_fund.domain.money import Exact, from_units, require_int, require_name, to_units

MAX_SCALE = 36


@dataclass(frozen=True)
class Asset:
    """Something that can be owned; ``scale`` decimals, so one base unit is 10**-scale.

    Attributes:
        issuer: who must stand for it to be worth anything; empty for nobody, or nobody stated.
    """

    symbol: str
    scale: int
    issuer: str = ""

    def __post_init__(self) -> None:
        require_name(self.symbol, "asset symbol")
        if self.issuer:
            require_name(self.issuer, f"issuer of {self.symbol}")
        require_int(self.scale, f"scale of {self.symbol}", minimum=0)
        if self.scale > MAX_SCALE:
            raise DomainError(f"scale of {self.symbol}", self.scale, f"write at most {MAX_SCALE}")

    def __hash__(self) -> int:
        return hash(self.symbol)  # of a text, which keeps it: balances are looked up by asset

    def amount(self, units: int) -> Decimal:
        """``units`` base units as a Decimal of the asset."""
        return from_units(units, self.scale)

    def units(self, amount: Exact, subject: str | None = None) -> int:
        """``amount`` of the asset as base units, exactly or refused."""
        return to_units(amount, self.scale, subject or f"amount of {self.symbol}")


@dataclass(frozen=True)
class Chain:
    """A blockchain by its CAIP-2 identifier, e.g. ``eip155:1``."""

    caip2: str

    def __post_init__(self) -> None:
        namespace, colon, reference = self.caip2.partition(":")
        if not (namespace and colon and reference):
            raise DomainError("chain", self.caip2, "write a CAIP-2 identifier such as eip155:1")


@dataclass(frozen=True)
class Venue:
    """A place that trades and holds assets; ``chain`` is None for an exchange off chain."""

    name: str
    chain: Chain | None = None

    def __post_init__(self) -> None:
        require_name(self.name, "venue name")
        if "/" in self.name:
            raise DomainError("venue name", self.name, "a slash names isolated margin accounts")


class Kind(enum.Enum):
    """What holding the instrument means: which terms it has and what moves its value."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    OPTION = "option"
    LP_SHARE = "lp_share"


_TERMS: dict[Kind, type[Terms]] = {
    Kind.FUTURE: FutureTerms,
    Kind.OPTION: OptionTerms,
    Kind.LP_SHARE: PoolTerms,
}


@dataclass(frozen=True)
class Instrument:
    """One tradable line at one venue.

    Attributes:
        symbol: the name that run files, proposals and records use.
        base, quote: the asset held and the asset it is priced in.
        price_scale: decimals of a price.
        lot: smallest step of a quantity, in base units of ``base``.
        tick: smallest step of a price, in units of 10**-price_scale.
        underlying: what it is an exposure to, e.g. BTC for spot and perpetual alike; the base
            asset's symbol if empty.
        contract: units of the underlying in one unit of ``base``: a contract's size.
        margin: margin terms; perpetuals and futures have them, spot and pool shares have none, an
            option has them where it may be sold short.
        terms: what a future, an option or a pool share pays; None for spot and perpetuals.
    """

    symbol: str
    base: Asset
    quote: Asset
    venue: Venue
    price_scale: int
    lot: int = 1
    tick: int = 1
    kind: Kind = Kind.SPOT
    underlying: str = ""
    contract: Fraction = Fraction(1)
    margin: Margin | None = None
    terms: Terms | None = None

    def __post_init__(self) -> None:
        require_name(self.symbol, "instrument symbol")
        if not self.underlying:
            object.__setattr__(self, "underlying", self.base.symbol)
        require_name(self.underlying, f"underlying of {self.symbol}")
        margined = self.kind in (Kind.PERPETUAL, Kind.FUTURE)
        if self.kind is not Kind.OPTION and margined != (self.margin is not None):
            raise DomainError(
                f"margin of {self.symbol}",
                self.margin,
                "perpetuals and futures have margin terms, spot and pool shares none",
            )
        self._require_terms()
        require_int(self.price_scale, f"price scale of {self.symbol}", minimum=0)
        require_int(self.lot, f"lot of {self.symbol}", minimum=1)
        require_int(self.tick, f"tick of {self.symbol}", minimum=1)
        if self.quote.scale < self.base.scale + self.price_scale:
            raise DomainError(
                f"scale of {self.quote.symbol}",
                self.quote.scale,
                f"{self.symbol} needs at least {self.base.scale + self.price_scale}, "
                "the base asset's scale plus the price scale, so that a notional is exact",
            )
        if not isinstance(self.contract, Fraction) or self.contract <= 0:
            raise DomainError(f"contract of {self.symbol}", self.contract, "write a positive size")
        if (self._unit * self.contract).denominator != 1:
            raise DomainError(
                f"scale of {self.quote.symbol}",
                self.quote.scale,
                f"contracts of {self.contract} need more decimals, so that a notional is exact",
            )

    def _require_terms(self) -> None:
        wanted = _TERMS.get(self.kind, type(None))
        if type(self.terms) is not wanted:
            fix = "none" if wanted is type(None) else wanted.__name__
            raise DomainError(
                f"terms of {self.symbol}", self.terms, f"kind {self.kind.value} takes {fix}"
            )
        if isinstance(self.terms, PoolTerms) and self.terms.against != self.quote.symbol:
            raise DomainError(
                f"pool of {self.symbol}",
                self.terms.against,
                f"one side of a pool is {self.quote.symbol}, in which NAV is stated; with two "
                "volatile sides its value is a product of two prices: hold both as spot instead",
            )
        if self.moves_with == self.symbol and isinstance(self.terms, OptionTerms | PoolTerms):
            raise DomainError(f"terms of {self.symbol}", self.symbol, "name another instrument")

    @cached_property
    def moves_with(self) -> str:
        """The symbol of the instrument whose price moves it: its own, if it has one of its own."""
        return self.terms.on if isinstance(self.terms, OptionTerms | PoolTerms) else self.symbol

    @cached_property
    def expires(self) -> int | None:
        """When it settles and is gone, in Unix seconds; None for never."""
        return self.terms.expires if isinstance(self.terms, OptionTerms | FutureTerms) else None

    @property
    def _unit(self) -> int:
        return int(10 ** (self.quote.scale - self.base.scale - self.price_scale))

    @cached_property
    def multiplier(self) -> int:
        """Quote base units worth one base unit at a price of one price unit."""
        return int(self._unit * self.contract)

    @cached_property
    def account(self) -> str:
        """The place whose cash pays for it: its venue, or its own isolated margin account."""
        if self.margin is not None and self.margin.isolated:
            return f"{self.venue.name}/{self.symbol}"
        return self.venue.name

    def notional(self, quantity: int, price: int) -> int:
        """``quantity`` × ``price`` in base units of the quote asset, exactly; keeps the sign."""
        return quantity * price * self.multiplier

    def price(self, value: Exact) -> int:
        """``value`` (quote asset for one base asset) as price units, on the tick, or refused."""
        units = to_units(value, self.price_scale, f"price of {self.symbol}")
        return self.require_price(units, f"price of {self.symbol}")

    def quantity(self, value: Exact) -> int:
        """``value`` (of the base asset) as base units, in whole lots and not negative."""
        units = to_units(value, self.base.scale, f"quantity of {self.symbol}")
        return self.require_quantity(units, f"quantity of {self.symbol}")

    def require_price(self, units: int, subject: str) -> int:
        """``units`` if it is a positive price on the tick."""
        require_int(units, subject, minimum=1)
        if units % self.tick:
            raise DomainError(subject, units, f"prices of {self.symbol} step by {self.tick}")
        return units

    def require_quantity(self, units: int, subject: str) -> int:
        """``units`` if it is a non-negative whole number of lots."""
        require_int(units, subject, minimum=0)
        if units % self.lot:
            raise DomainError(subject, units, f"quantities of {self.symbol} step by {self.lot}")
        return units

    def price_decimal(self, units: int) -> Decimal:
        """A price in units as the Decimal that people read."""
        return from_units(units, self.price_scale)
