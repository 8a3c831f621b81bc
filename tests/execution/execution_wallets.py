"""A second, plain bookkeeping as exchanges show it: wallets, entry prices, realised and open PnL.

In Fractions, by its own rules, it must come to the equity that the ledger's cash and marks make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Fill
from agent_fund.domain.settlement import RATE_SCALE


@dataclass
class Line:
    """A position at its average entry price; ``unit`` dollars a base unit and price unit."""

    unit: Fraction
    quantity: int = 0
    entry: Fraction = Fraction(0)

    def pnl(self, price: int, quantity: int | None = None) -> Fraction:
        """What closing ``quantity`` (signed; all, if not given) at ``price`` makes."""
        return (price - self.entry) * (self.quantity if quantity is None else quantity) * self.unit

    def trade(self, change: int, price: int) -> Fraction:
        """Change the position at ``price``; the profit that this realises."""
        realised = Fraction(0)
        if self.quantity * change < 0:
            closed = min(abs(change), abs(self.quantity)) * (1 if self.quantity > 0 else -1)
            realised = self.pnl(price, closed)
            self.quantity -= closed
            change += closed
        if change:
            before = self.quantity * self.entry
            self.quantity += change
            self.entry = (before + change * price) / self.quantity
        return realised


@dataclass
class Wallet:
    """One margin account in dollars: what was paid in, paid out and realised, and its lines."""

    balance: Fraction = Fraction(0)
    lines: dict[str, Line] = field(default_factory=dict)

    def equity(self, marks: dict[str, int]) -> Fraction:
        return self.balance + sum(line.pnl(marks[s]) for s, line in self.lines.items())

    def take(self, fill: Fill) -> None:
        line = self.lines[fill.instrument.symbol]
        self.balance += line.trade(fill.side.sign * fill.quantity, fill.price)
        self.balance -= Fraction(fill.fee, 10**6)

    def fund(self, symbol: str, mark: int, rate: int) -> Fraction:
        """Receive or pay the funding, in whole millionths of a dollar, rounded down."""
        line = self.lines[symbol]
        exact = -line.quantity * mark * line.unit * Fraction(rate, 10**RATE_SCALE)
        amount = Fraction(exact * 10**6 // 1, 10**6)
        self.balance += amount
        return amount

    def maintenance(self, marks: dict[str, int]) -> Fraction:
        """By hand, for the tiers of execution_world: 5% up to 400 dollars, 12.5% above."""
        total = Fraction(0)
        for symbol, line in self.lines.items():
            notional = abs(line.quantity) * marks[symbol] * line.unit
            by_tier = max(notional * Fraction(5, 100), notional * Fraction(125, 1000) - 30)
            total += Fraction(-(-by_tier * 10**6 // 1), 10**6)
        return total

    def wipe(self, marks: dict[str, int]) -> Fraction:
        """Close everything at ``marks`` for 2% each; the loss that the venue bears."""
        for symbol, line in self.lines.items():
            notional = abs(line.quantity) * marks[symbol] * line.unit
            self.balance += line.trade(-line.quantity, marks[symbol])
            self.balance -= Fraction(-(-notional * 2 * 10**4 // 1), 10**6)
        missing = max(Fraction(0), -self.balance)
        self.balance += missing
        return missing


def dollars_a_unit(instrument: Instrument) -> Fraction:
    """From first principles: contract size x 10**-scale x 10**-price_scale."""
    return instrument.contract / 10**instrument.base.scale / 10**instrument.price_scale
