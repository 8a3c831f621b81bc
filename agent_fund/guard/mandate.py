"""A mandate as written: guardrails, the stress set they are proved against, and costs.

A mandate file is a short Python file in ``guardrails/`` that sets ``mandate = Mandate(...)``. At
the start of a run it is resolved, with prices from before the test window, to canonical JSON with
a hash; that JSON is what the log holds and what auditors check. Nobody else runs the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_name
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import KINDS, Guardrail
from agent_fund.guard.language.clause import Clause, written
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.term import Claim
from agent_fund.guard.pricing.assumptions import Pricing
from agent_fund.guard.repair.distance import BY_SCALE, Repair
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.budget import BudgetRule, Combination
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.declared import declared_boxes
from agent_fund.guard.stress.stress_set import EXPECTED, NO_PRICING, Stress

Rule = TypeVar("Rule", bound=Callable[[Scope, Trade], Claim])


def calibrated(
    multiple: Exact,
    *,
    factors: Mapping[str, Mapping[str, Exact]] | None = None,
    horizon: int | str = "auto",
    basis: Mapping[str, str] | None = None,
    basis_multiple: Exact | None = None,
    lose: str | Sequence[str] = (),
    boxes: Mapping[str, tuple[Exact, Exact]] | None = None,
    why: str = "",
    budgets: Sequence[BudgetRule] = (),
    combinations: Sequence[Combination] = (),
    expected: Exact = EXPECTED,
    pricing: Pricing = NO_PRICING,
) -> Calibration:
    """A stress set of ``multiple`` times the worst move before the test window.

    Args:
        multiple: e.g. ``"2"``; declared beforehand, never fitted to the test window.
        factors: baskets by name, each a mapping of symbol to share; shares sum to 1.
        horizon: bar opens covered; ``"auto"`` takes the way out that the venue implies.
        basis: ``{"BTC-PERP": "BTC"}``: the first follows the second, within a calibrated basis; its
            box is that of the second and the basis together.
        basis_multiple: of the worst move of a basis, if another than ``multiple``.
        lose: of which any one may fail within the horizon: ``"venue:NAME"`` or the bare name,
            ``"chain:eip155:1"``, ``"issuer:NAME"``; ``"any"``: any one of the run, ``"any venue"``,
            ``"any chain"``, ``"any issuer"``.
        boxes: declared for these instruments instead: ``{"USDC": ("-10%", "2%")}``.
        why: the reason for these boxes; it stands in the record.
        budgets: of the boxes used at once; see ``declared.budget``.
        combinations: bounds on sums of moves; see ``declared.combination``.
        expected: share of windows expected outside a box, which reports put to Kupiec's test.
        pricing: volatilities and fees assumed of options and pool shares.
    """
    baskets = {
        name: {s: ratio(w, f"weight of {s} in {name}") for s, w in weights.items()}
        for name, weights in (factors or {}).items()
    }
    return Calibration(
        _multiple(multiple, "stress multiple"),
        baskets,
        _horizon(horizon),
        dict(basis or {}),
        None if basis_multiple is None else _multiple(basis_multiple, "basis multiple"),
        (lose,) if isinstance(lose, str) else tuple(lose),
        declared_boxes(boxes or {}, why),
        tuple(budgets),
        tuple(combinations),
        _expected(expected),
        pricing,
    )


def declared(
    boxes: Mapping[str, tuple[Exact, Exact]],
    *,
    why: str,
    horizon: int | str = "auto",
    lose: str | Sequence[str] = (),
    budgets: Sequence[BudgetRule] = (),
    combinations: Sequence[Combination] = (),
    expected: Exact = EXPECTED,
    pricing: Pricing = NO_PRICING,
) -> Calibration:
    """A stress set of declared boxes alone, one for every instrument of the run.

    Args:
        boxes: lowest and highest move of each instrument's price over the horizon, e.g.
            ``{"ETH": ("-50%", "50%"), "USDC": ("-10%", "2%")}``.
        why: where they come from; it stands in the record. Others are as for ``calibrated``.
    """
    if not boxes:
        raise DomainError("declared boxes", boxes, "give one for every instrument of the run")
    return Calibration(
        None,
        horizon=_horizon(horizon),
        lose=(lose,) if isinstance(lose, str) else tuple(lose),
        declared=declared_boxes(boxes, why),
        budgets=tuple(budgets),
        combinations=tuple(combinations),
        expected=_expected(expected),
        pricing=pricing,
    )


def _horizon(opens: int | str) -> int | None:
    if opens == "auto":
        return None
    if type(opens) is not int or opens < 3:
        raise DomainError("horizon", opens, 'write "auto" or a number of opens, at least 3')
    return opens


def _expected(value: Exact) -> Fraction:
    found = ratio(value, "expected")
    if not 0 < found < 1:
        raise DomainError("expected", str(value), "write a share between 0% and 100%")
    return found


def _multiple(value: Exact, subject: str) -> Fraction:
    found = ratio(value, subject)
    if found <= 0:
        raise DomainError(subject, str(value), "write a positive number")
    return found


def costs(*, fee: Exact, slippage: Exact, legging: Exact = "0%") -> Costs:
    """The highest fee and slippage that the mandate allows for, as shares of the notional.

    Args:
        legging: what a leg may lose while the others of its way out are not yet filled: where
            instruments have different latencies or venues, legs do not close at one time.
    """
    return Costs(
        ratio(fee, "highest fee"),
        ratio(slippage, "highest slippage"),
        ratio(legging, "legging allowance"),
    )


@dataclass
class Mandate:
    """A mandate as written, not yet resolved.

        mandate = Mandate("eth-neutral", stress=calibrated("2.5"), costs=costs(...))
        mandate.add(max_drawdown("10%"))

        @mandate.guardrail(rule="4.2", why="the long side is hedged")
        def hedged(s, t):
            after = s.book.after(t)
            return "70%" * after.long("ETH") <= after.short("ETH")

    Attributes:
        name: short name without spaces.
        guardrails: exactly one max_drawdown; other kinds at most once each, and a concentration
            once by asset, by venue and by chain.
        reduce_to: share of the largest book that certifies to which a reduction goes.
        band: half-width of the price band that one certificate of a held book covers.
        repair: what is tried when a trade does not certify: ``"scale"``, the same share of every
            leg, or ``"nearest"``, a share for each; ``repair.distance.nearest`` weighs the legs.
        clauses: guardrails of its own, in the mandate language; see ``guardrail``.
    """

    name: str
    stress: Calibration
    costs: Costs
    guardrails: Sequence[Guardrail] = ()
    reduce_to: Exact = "80%"
    band: Exact = "1%"
    repair: str | Repair = BY_SCALE
    clauses: Sequence[Clause] = field(default=(), init=False)

    def __post_init__(self) -> None:
        require_name(self.name, "mandate name")
        given, self.guardrails = self.guardrails, []
        for guardrail in given:
            self.add(guardrail)
        _share("reduce_to", ratio(self.reduce_to, "reduce_to"), Fraction(1))
        _share("band", ratio(self.band, "band"), Fraction(1, 2))
        self._repair()

    def add(self, guardrail: Guardrail) -> None:
        """Add one ready-made guardrail.

        Raises:
            DomainError: if there is one of its kind already.
        """
        keys = [g.key for g in self.guardrails]
        if guardrail.key in keys:
            raise DomainError("guardrails", [*keys, guardrail.key], "give each kind once")
        self.guardrails = [*self.guardrails, guardrail]

    def guardrail(
        self, *, rule: str = "", why: str = "", always: bool = False
    ) -> Callable[[Rule], Rule]:
        """Decorates a function ``(s, t)`` that states a guardrail of the mandate's own.

        Raises:
            DomainError: for what the language refuses, and for a name that is taken.
        """

        def add(function: Rule) -> Rule:
            clause = written(function, rule=rule, why=why, always=always)
            names = [known.name for known in self.clauses]
            if clause.name in names or clause.name in KINDS:
                raise DomainError("guardrail", clause.name, "that name is taken; give it another")
            self.clauses = [*self.clauses, clause]
            return function

        return add

    def resolve(self, stress: Stress, exit_bars: int) -> ResolvedMandate:
        """The mandate over a resolved stress set and venue.

        Raises:
            DomainError: if it does not have exactly one max_drawdown.
        """
        keys = [g.key for g in self.guardrails]
        if "max_drawdown" not in keys:
            raise DomainError("guardrails", keys, "give exactly one max_drawdown")
        repair = self._repair()
        for symbol in repair.weights:
            stress.driver(symbol)  # refuses a name that it does not know
        return ResolvedMandate(
            self.name,
            tuple(self.guardrails),
            stress,
            self.costs,
            ratio(self.reduce_to),
            ratio(self.band),
            exit_bars,
            tuple(self.clauses),
            repair,
        )

    def _repair(self) -> Repair:
        return self.repair if isinstance(self.repair, Repair) else Repair(self.repair)


def _share(name: str, value: Fraction, most: Fraction) -> None:
    if not 0 <= value <= most:
        raise DomainError(name, str(value), f"write a share from 0% to {most * 100}%")
