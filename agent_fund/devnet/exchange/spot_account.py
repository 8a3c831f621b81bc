"""The customer's spot account: free and locked balances, and Binance's three ways to charge.

A commission is taken out of what a trade brings: base asset for a buy, quote asset for a sell. With
``burn`` on (Binance's "use BNB for fees") it is taken from the prepaid coin instead, as long as
there is enough of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from agent_fund.devnet.exchange.clearing import Settled
from agent_fund.devnet.exchange.decimals import UNIT, ZERO, ceiling
from agent_fund.devnet.exchange.orders import Order
from agent_fund.devnet.exchange.refusal import Refusal


class SpotAccount:
    """Balances by asset.

    Attributes:
        taker, maker: commission rates. ``burn``: whether the prepaid ``coin`` pays.
        coin_price: quote asset for one coin, at which commissions are converted.
    """

    def __init__(
        self,
        balances: Mapping[str, Decimal],
        taker: Decimal = Decimal("0.001"),
        maker: Decimal = Decimal("0.001"),
        coin: str = "BNB",
        coin_price: Decimal = Decimal(600),
        burn: bool = True,
    ) -> None:
        self.free = dict(balances)
        self.locked: dict[str, Decimal] = {}
        self.taker = taker
        self.maker = maker
        self.coin = coin
        self.coin_price = coin_price
        self.burn = burn

    @property
    def assets(self) -> list[str]:
        """Every asset that it has or had."""
        return sorted(self.free.keys() | self.locked.keys())

    def total(self, asset: str) -> Decimal:
        """Free and locked together."""
        return self.free.get(asset, ZERO) + self.locked.get(asset, ZERO)

    def reserve(self, order: Order) -> None:
        """Lock the quote asset at the limit price for a buy, the base asset for a sell."""
        asset, amount = _needed(order)
        if self.free.get(asset, ZERO) < amount:
            raise Refusal(-2010, "Account has insufficient balance for requested action.")
        self._lock(asset, amount)

    def release(self, order: Order) -> None:
        """Unlock what was locked for the part that did not fill."""
        asset, amount = _needed(order)
        self._lock(asset, -amount)

    def settle(self, order: Order, price: Decimal, quantity: Decimal, maker: bool) -> Settled:
        """Exchange what was locked, and charge the commission, rounded up to the 8th decimal."""
        base, quote = order.symbol.base, order.symbol.quote
        cost = price * quantity
        if order.buy:
            self._lock(quote, -order.price * quantity)
            self._add(quote, -cost)
            self._add(base, quantity)
        else:
            self._lock(base, -quantity)
            self._add(base, -quantity)
            self._add(quote, cost)
        rate = self.maker if maker else self.taker
        in_coin = ceiling(cost * rate / self.coin_price, UNIT)
        if self.burn and self.free.get(self.coin, ZERO) >= in_coin:
            asset, charged = self.coin, in_coin
        else:
            asset = base if order.buy else quote
            charged = ceiling((quantity if order.buy else cost) * rate, UNIT)
        self._add(asset, -charged)
        return Settled(charged, asset, ZERO)

    def transfer(self, asset: str, amount: Decimal) -> None:
        """Take ``amount`` in from another wallet of the customer, or give it out if negative.

        Raises:
            Refusal: if less than that is free.
        """
        if self.free.get(asset, ZERO) + amount < 0:
            raise Refusal(-5013, "Asset transfer failed: insufficient balance")
        self._add(asset, amount)

    def _add(self, asset: str, amount: Decimal) -> None:
        self.free[asset] = self.free.get(asset, ZERO) + amount

    def _lock(self, asset: str, amount: Decimal) -> None:
        self._add(asset, -amount)
        self.locked[asset] = self.locked.get(asset, ZERO) + amount


def _needed(order: Order) -> tuple[str, Decimal]:
    if order.buy:
        return order.symbol.quote, order.price * order.left
    return order.symbol.base, order.left
