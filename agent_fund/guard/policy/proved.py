"""What a resolved stress set says of the bounds that the guard proves of a book.

A bound of the loss is at least what the book loses in any one scenario of the set. The scenarios
that matter are found as they are asked for: a book that a solver names is put to the finder, and
the scenario in which it loses most joins the facts, until the solver names a book whose bounds are
no smaller than what it loses and gains. The loss of a venue, and what orders still open may do,
come on top and are left out, so these bounds are never larger than the guard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.guard.costs import Costs
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.language.expression import AtMost, Expression, Leaf, plus, times
from agent_fund.guard.policy.unknowns import COSTS, GAIN, LOSS, gross, held
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.stress_set import Stress

_GRAIN = 10**9
_NEAR = 1 + Fraction(1, 10**4)


@dataclass
class Proved:
    """Facts of loss, gain and costs over a resolved set; they grow with the books looked at.

    Attributes:
        symbols: the instruments that the set moves by a driver of their own.
    """

    stress: Stress
    costs: Costs
    symbols: tuple[str, ...]
    _finder: Finder = field(init=False, repr=False)
    _found: list[AtMost] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._finder = Finder(self.stress.kernel)
        # Closing what is held costs this share at the decision's prices; the guard counts more.
        share = self.costs.slippage + self.costs.fee * (1 + self.costs.slippage)
        self._found.append(AtMost(times(share, gross(self.symbols)), COSTS))

    @property
    def facts(self) -> tuple[AtMost, ...]:
        """What is known so far."""
        return tuple(self._found)

    def look(self, book: Mapping[Leaf, Fraction]) -> bool:
        """Whether the bounds that ``book`` is given are no smaller than its loss and its gain.

        If they are, the scenarios that show it are facts from now on.
        """
        values = {s: book.get(held(s), Fraction(0)) for s in self.symbols}
        largest = max((abs(v) for v in values.values()), default=Fraction(0))
        enough = True
        if not largest:
            return enough
        for sign, bound in ((-1, LOSS), (1, GAIN)):
            linear = [0] * len(self.stress.kernel.box)
            for symbol, value in values.items():
                linear[self.stress.driver(symbol)] = sign * round(value / largest * _GRAIN)
            moves = self._finder.bound(Form(0, tuple(linear))).scenario
            terms = {s: sign * moves[self.stress.driver(s)] / SCALE for s in self.symbols}
            reached = sum((t * values[s] for s, t in terms.items()), Fraction(0))
            if reached > book.get(bound, Fraction(0)) * _NEAR:
                enough = False
                self._found.append(AtMost(_sum(terms), bound))
        return enough


def _sum(terms: Mapping[str, Fraction]) -> Expression:
    return plus(*(times(t, held(s)) for s, t in terms.items()))
