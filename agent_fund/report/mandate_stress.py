"""A stress set as rows of words: every bound of a resolved one, or the rule that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.guard.explain.explained import percent
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.language.formula import number
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.factor import BETA_UNIT
from agent_fund.guard.stress.losses import Loss
from agent_fund.guard.stress.stress_set import EXPECTED, Stress
from agent_fund.guard.stress.stress_set import percent as moved

Rows = tuple[tuple[str, str], ...]


def set_rows(stress: Stress) -> Rows:
    """A resolved stress set: from where it is, and every bound of it."""
    rows = [("made from", stress.origin or "not said"), _horizon(stress.horizon)]
    rows += [
        (symbol, _interval(*box))
        for symbol, box in zip(stress.instruments, stress.box, strict=False)
    ]
    boxes = stress.box[len(stress.instruments) :]
    for factor, box in zip(stress.factors, boxes, strict=True):
        rows.append((f"factor {factor.name}", f"{_interval(*box)}; {_basket(factor.weights)}"))
        rows += [
            (
                f"{symbol} against {factor.name}",
                f"within {percent(Fraction(factor.residuals[symbol], SCALE))} of "
                f"{Fraction(beta, BETA_UNIT)} times its move",
            )
            for symbol, beta in factor.betas.items()
        ]
    rows += [(f"{t.first} less {t.second}", _interval(t.low, t.high)) for t in stress.ties]
    rows += [
        (f"of which funding, {symbol}", f"{moved(-paid)} to {moved(received)}")
        for symbol, (paid, received) in stress.carry.items()
    ]
    rows += [_budget(b.of, Fraction(b.most, SCALE)) for b in stress.budgets]
    rows += _shared(stress)
    rows += [
        (f"{Loss.parse(loss).words} fails", "all that stands there, or is issued by it, is lost")
        for loss in stress.lost
    ]
    for symbol, (low, high) in stress.pricing.volatility.items():
        rows.append((f"volatility of {symbol}", f"{percent(low)} to {percent(high)} a year"))
    return tuple(rows)


def rule_rows(rule: Calibration) -> Rows:
    """How a stress set will be made when a run begins."""
    rows = []
    if rule.multiple is not None:
        made = f"{_times(rule.multiple)} the worst move of the horizon in the calibration window"
        rows.append(("every instrument", made))
    rows.append(_horizon(rule.horizon))
    rows += [
        (f"factor {name}", f"{_basket(weights)}; each instrument stays near it, as it has")
        for name, weights in rule.factors.items()
    ]
    multiple = rule.basis_multiple or rule.multiple
    rows += [
        (
            f"{symbol} less {other}",
            f"{_times(multiple or Fraction(0))} the worst basis; its box is that of {other} and "
            "the basis together",
        )
        for symbol, other in rule.basis.items()
    ]
    rows += [
        (symbol, f"{_interval(*box)}, as declared") for symbol, box in rule.declared.boxes.items()
    ]
    if rule.declared.why:
        rows.append(("declared because", rule.declared.why))
    rows += [_budget(b.of, b.most) for b in rule.budgets]
    rows += _shared(rule)
    rows += [
        (f"{loss} fails", "all that stands there, or is issued by it, is lost")
        for loss in rule.lose
    ]
    return tuple(rows)


def _shared(stress: Stress | Calibration) -> list[tuple[str, str]]:
    rows = [
        (
            c.name,
            " + ".join(f"{weight} · move({s})" for s, weight in c.weights.items())
            + f" ≤ {percent(Fraction(c.most, SCALE))}",
        )
        for c in stress.combinations
    ]
    if stress.expected != EXPECTED:
        rows.append(("expected outside a box", f"{percent(stress.expected)} of windows"))
    return rows


def _horizon(opens: int | None) -> tuple[str, str]:
    said = "the whole way out, as the run's venues imply"
    return "horizon", said if opens is None else f"{opens} opens after the decision"


def _interval(low: int, high: int) -> str:
    return f"{moved(low)} to {moved(high)}"


def _basket(weights: Mapping[str, Fraction]) -> str:
    return "a basket of " + ", ".join(f"{weight} {s}" for s, weight in weights.items())


def _budget(of: tuple[str, ...], most: Fraction | None) -> tuple[str, str]:
    if most is None:
        return f"{', '.join(of)} together", "no more of their boxes than they were seen to use"
    return f"{', '.join(of)} together", f"{percent(most)} of one box at most"


def _times(multiple: Fraction) -> str:
    return f"{number(multiple)} times"
