"""A strategy for tests: what it proposes at which of its turns is written down beforehand."""

import sqlite3
from fractions import Fraction

from agent_fund.agents.errors import Abstain
from agent_fund.agents.sizing import limit_price
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Leg, Proposal, Side

SLIP = Fraction(1, 100)


class Scripted:
    """At turn ``n`` the legs of ``turns["n"]``, each as ``buy SYMBOL QUANTITY``; or it fails."""

    def __init__(self, turns):
        self.turns, self.turn = turns, 0

    def decide(self, snapshot, book):
        self.turn += 1
        said = self.turns.get(str(self.turn), [])
        if said == ["abstain"]:
            raise Abstain("it has no answer")
        if said == ["fail"]:
            raise sqlite3.OperationalError(f"of its own, at {id(object())}")
        if said == ["exit"]:
            raise SystemExit
        if said == ["nonsense"]:
            return said
        legs = []
        for words in said:
            side, symbol, quantity = words.split()
            line = snapshot.instruments[symbol]
            limit = limit_price(line, snapshot.last_close(symbol), Side(side), SLIP)
            legs.append(Leg(line, Side(side), line.quantity(quantity), limit))
        return Proposal(tuple(legs)) if legs else HOLD
