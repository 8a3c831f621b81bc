"""Terms of what is worth a function of something else's price: options, futures, pool shares.

Exact and as data: strikes are Fractions of the quote asset, times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_int, require_name


@dataclass(frozen=True)
class OptionTerms:
    """A European option, settled in cash in the quote asset, priced per unit of its underlying.

    Attributes:
        on: symbol of the instrument whose price it pays on: spot, or the future of its expiry.
        strike: quote asset for one unit of the underlying.
        expires: Unix time in seconds.
        call: a call, or else a put.
    """

    on: str
    strike: Fraction
    expires: int
    call: bool

    def __post_init__(self) -> None:
        require_name(self.on, "underlying instrument of an option")
        if not isinstance(self.strike, Fraction) or self.strike <= 0:
            raise DomainError("strike", self.strike, "write a positive Fraction of the quote asset")
        require_int(self.expires, "expiry of an option, in Unix seconds", minimum=1)
        if type(self.call) is not bool:
            raise DomainError("call", self.call, "write True for a call, False for a put")


@dataclass(frozen=True)
class FutureTerms:
    """A linear future with margin that settles in cash, at the price of its coin, at ``expires``.

    It has a price of its own; its basis to the coin is a tie of the stress set.

    Attributes:
        expires: Unix time in seconds.
    """

    expires: int

    def __post_init__(self) -> None:
        require_int(self.expires, "expiry of a future, in Unix seconds", minimum=1)


@dataclass(frozen=True)
class PoolTerms:
    """A share of a pool that keeps the product of its two reserves: x*y = k (Uniswap v2).

    Where arbitrage keeps the pool at the market, the share is worth a constant times the square
    root of the asset's price in the other one; fees add to it.

    Attributes:
        on: symbol of the instrument that prices the volatile asset.
        against: the asset on the pool's other side: the one in which NAV is stated.
    """

    on: str
    against: str

    def __post_init__(self) -> None:
        require_name(self.on, "instrument of a pool's asset")
        require_name(self.against, "asset on a pool's other side")


Terms = OptionTerms | FutureTerms | PoolTerms
