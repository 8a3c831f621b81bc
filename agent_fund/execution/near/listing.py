"""Listing: which NEP-141 token stands for which asset, as of a day; dated data, never a constant.

Amounts pass between the fund's base units and a token's exactly, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import ceil_div
from agent_fund.execution.errors import ExecutionError


@dataclass(frozen=True)
class Token:
    """One token of the verifier, e.g. ``nep141:usdc.near`` with 6 decimals."""

    token_id: str
    decimals: int

    @property
    def one(self) -> int:
        """Units of the token in one whole token."""
        return int(10**self.decimals)

    def units(self, asset: Asset, amount: int) -> int:
        """``amount`` base units of ``asset`` as units of the token.

        Raises:
            ExecutionError: if the token cannot express it.
        """
        units, rest = divmod(amount * self.one, _one(asset))
        if rest:
            raise ExecutionError(
                f"amount of {asset.symbol}",
                amount,
                f"{self.token_id} has {self.decimals} decimals; trade in lots that it can express",
            )
        return units

    def most(self, asset: Asset, amount: int) -> int:
        """The largest number of units of the token that is worth at most ``amount``."""
        return amount * self.one // _one(asset)

    def least(self, asset: Asset, amount: int) -> int:
        """The smallest number of units of the token that is worth at least ``amount``."""
        return ceil_div(amount * self.one, _one(asset))

    def amount(self, asset: Asset, units: int) -> int | None:
        """``units`` of the token in base units of ``asset``; None if that is no whole number."""
        amount, rest = divmod(units * _one(asset), self.one)
        return None if rest else amount

    def amount_down(self, asset: Asset, units: int) -> int:
        """``units`` in base units of ``asset``; a remainder stays unbooked."""
        return units * _one(asset) // self.one


@dataclass(frozen=True)
class Listing:
    """Tokens by asset symbol.

    Attributes:
        as_of: the day on which somebody has looked the ids up, e.g. ``2026-11-09``.
    """

    as_of: str
    tokens: Mapping[str, Token]

    def token(self, asset: Asset) -> Token:
        """The token that stands for ``asset``.

        Raises:
            ExecutionError: if none is listed.
        """
        token = self.tokens.get(asset.symbol)
        if token is None:
            raise ExecutionError(
                "asset on NEAR", asset.symbol, f"the listing of {self.as_of} has no token for it"
            )
        return token


def _one(asset: Asset) -> int:
    return int(10**asset.scale)
