"""The customer's margin account: one wallet, signed positions, funding; no rounding is lost.

``cash`` is the wallet as if positions had been bought outright: deposits, less what was paid, plus
what was received, less commissions, plus funding. Wallet balance and entry price, which exchanges
show, are derived: a realised profit is rounded to the unit and the remainder stays in the cost
of the position, so that wallet + unrealised profit = cash + position × mark exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent_fund.devnet.exchange.clearing import Settled
from agent_fund.devnet.exchange.decimals import UNIT, ZERO, ceiling, floor
from agent_fund.devnet.exchange.orders import Order
from agent_fund.devnet.exchange.refusal import Refusal


@dataclass
class Position:
    """Signed quantity and what it cost (negative for a short)."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True)
class FundingPayment:
    """One payment: positive received, negative paid."""

    payment_id: int
    symbol: str
    amount: Decimal
    quantity: Decimal
    rate: Decimal
    time: int


class MarginAccount:
    """One account in one quote asset, cross margin.

    Attributes:
        wallet: balance without unrealised profit. ``marks``: mark prices by symbol.
        unit: what profits, commissions and funding are rounded to, against the customer.
        leverage: 1/leverage of the notional is the initial margin of what would be open.
        burn: whether the prepaid ``coin`` pays commissions, as long as there are enough ``coins``
            at ``coin_price`` of the quote asset each.
    """

    coin = "BNB"
    coin_price = Decimal(600)

    def __init__(
        self,
        asset: str,
        wallet: Decimal,
        taker: Decimal = Decimal("0.0005"),
        maker: Decimal = Decimal("0.0002"),
        leverage: Decimal = Decimal(20),
        unit: Decimal = UNIT,
    ) -> None:
        self.unit = unit
        self.asset = asset
        self.wallet = wallet
        self.taker = taker
        self.maker = maker
        self.leverage = leverage
        self.burn = False
        self.coins = ZERO
        self.marks: dict[str, Decimal] = {}
        self.positions: dict[str, Position] = {}
        self.payments: list[FundingPayment] = []
        self._reserved: dict[Order, Decimal] = {}

    def position(self, symbol: str) -> Position:
        """The position in ``symbol``, perhaps none."""
        return self.positions.setdefault(symbol, Position())

    def unrealized(self, symbol: str) -> Decimal:
        """What closing at the mark would realise."""
        held = self.position(symbol)
        return held.quantity * self.marks.get(symbol, ZERO) - held.cost

    @property
    def equity(self) -> Decimal:
        """Wallet and unrealised profit."""
        return self.wallet + sum((self.unrealized(name) for name in self.positions), ZERO)

    @property
    def cash(self) -> Decimal:
        """The wallet as if everything held had been bought outright."""
        return self.wallet - sum((held.cost for held in self.positions.values()), ZERO)

    @property
    def worth(self) -> Decimal:
        """The positions at the marks, without their signs."""
        held = self.positions.items()
        return sum((abs(p.quantity) * self.marks.get(name, ZERO) for name, p in held), ZERO)

    @property
    def used(self) -> Decimal:
        """Initial margin of the positions."""
        return self.worth / self.leverage

    @property
    def available(self) -> Decimal:
        """What may still be set aside for orders."""
        return self.equity - self.used - sum(self._reserved.values(), ZERO)

    def transfer(self, amount: Decimal) -> None:
        """Take ``amount`` in from another wallet of the customer, or give it out if negative.

        Raises:
            Refusal: if it is needed as margin, or is a profit that is not realised.
        """
        if amount < 0 and -amount > min(self.wallet, self.available):
            raise Refusal(-5013, "Asset transfer failed: insufficient balance")
        self.wallet += amount

    def reserve(self, order: Order) -> None:
        """Set initial margin aside for what could enlarge the position."""
        held = self.position(order.symbol.name).quantity
        against = max(ZERO, -held if order.buy else held)
        if order.reduce_only and order.quantity > against:
            raise Refusal(-2022, "ReduceOnly Order is rejected.")
        needed = max(ZERO, order.quantity - against) * order.price / self.leverage
        if needed > self.available:
            raise Refusal(-2019, "Margin is insufficient.")
        self._reserved[order] = needed

    def release(self, order: Order) -> None:
        """Nothing is set aside for an ended order."""
        self._reserved.pop(order, None)

    def settle(self, order: Order, price: Decimal, quantity: Decimal, maker: bool) -> Settled:
        """Change the position; the commission is rounded up to the unit."""
        held = self.position(order.symbol.name)
        before = held.quantity
        signed = quantity if order.buy else -quantity
        realized = ZERO
        if held.quantity * signed < 0:
            closed = min(abs(signed), abs(held.quantity))
            sign = 1 if signed > 0 else -1
            proceeds = -sign * closed * price
            share = held.cost * closed / abs(held.quantity)
            exact = closed == abs(held.quantity)
            realized = proceeds - held.cost if exact else floor(proceeds - share, self.unit)
            held.cost -= proceeds - realized
            held.quantity += sign * closed
            signed -= sign * closed
        held.quantity += signed
        held.cost += signed * price
        rate = self.maker if maker else self.taker
        asset, commission = self.asset, ceiling(price * quantity * rate, self.unit)
        in_coin = ceiling(price * quantity * rate / self.coin_price, UNIT)
        if self.burn and self.coins >= in_coin:
            asset, commission = self.coin, in_coin
            self.coins -= in_coin
            self.wallet += realized
        else:
            self.wallet += realized - commission
        if order in self._reserved:
            left = order.left * order.price / self.leverage
            self._reserved[order] = min(self._reserved[order], left)
        return Settled(commission, asset, realized, before)

    def fund(self, symbol: str, rate: Decimal, price: Decimal, time: int) -> FundingPayment | None:
        """Pay or receive ``rate`` of the position's worth at ``price``; None if nothing is held."""
        quantity = self.position(symbol).quantity
        if not quantity:
            return None
        amount = floor(-quantity * price * rate, self.unit)
        payment = FundingPayment(len(self.payments) + 1, symbol, amount, quantity, rate, time)
        self.payments.append(payment)
        self.wallet += amount
        return payment
