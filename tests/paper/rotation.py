"""A strategy for tests: everything into one line, and from a certain turn on into another."""

from fractions import Fraction

from agent_fund.agents.sizing import limit_price, whole_lots
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Leg, Proposal, Side

SLIP = Fraction(1, 100)


class Rotation:
    """Buys ``first`` at its first turn; from turn ``turn`` on sells it for ``second``."""

    def __init__(self, first, second, turn=4, share=90):
        self.first, self.second, self.turn, self.share = first, second, turn, share
        self.turns = 0

    def decide(self, snapshot, book):
        self.turns += 1
        if book.open_orders or book.transit or self.turns > 10:
            return HOLD
        one, other = snapshot.instruments[self.first], snapshot.instruments[self.second]
        held = book.position(one.symbol)
        if not held and not book.position(other.symbol) and self.turns < self.turn:
            cash = book.places[one.account] * self.share // 100
            limit = limit_price(one, snapshot.last_close(one.symbol), Side.BUY, SLIP)
            return Proposal((Leg(one, Side.BUY, whole_lots(one, cash, limit), limit),))
        if held and not book.position(other.symbol) and self.turns >= self.turn:
            sell = limit_price(one, snapshot.last_close(one.symbol), Side.SELL, SLIP)
            buy = limit_price(other, snapshot.last_close(other.symbol), Side.BUY, SLIP)
            bought = held * self.share // 100 // other.lot * other.lot
            legs = (Leg(one, Side.SELL, held, sell), Leg(other, Side.BUY, bought, buy))
            return Proposal(legs, ordered=True)
        return HOLD
