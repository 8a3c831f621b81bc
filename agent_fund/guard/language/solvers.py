"""Z3 and cvc5, asked the same SMT-LIB text through their own parsers; neither is believed alone.

A model is exact: rationals, which are put into the script's own relations before ``sat`` is
reported. ``unsat`` rests on the solver; it informs a person, and never admits a trade.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import Any, Literal

from agent_fund.guard.language.expression import Leaf
from agent_fund.guard.language.smtlib import Script

Verdict = Literal["sat", "unsat", "unknown"]
Solver = Literal["z3", "cvc5"]
SOLVERS: tuple[Solver, ...] = ("z3", "cvc5")


class SolverMissingError(ImportError):
    """A solver that is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Answer:
    """What a solver said.

    Attributes:
        model: if ``sat``, the value of every leaf of the script; money in base units, moves as
            shares.
        reason: why it is ``unknown``.
    """

    solver: Solver
    verdict: Verdict
    model: Mapping[Leaf, Fraction] = field(default_factory=dict)
    reason: str = ""


def ask(
    script: Script,
    solver: Solver,
    *,
    milliseconds: int | None = None,
    resources: int | None = None,
) -> Answer:
    """What ``solver`` says of ``script``.

    Args:
        milliseconds: of wall time, after which the answer is unknown.
        resources: the same in the solver's own units, so that a question has one answer everywhere.

    Raises:
        SolverMissingError: if it is not installed.
    """
    asked = _z3 if solver == "z3" else _cvc5
    verdict, values, reason = asked(script, milliseconds, resources)
    if verdict != "sat":
        return Answer(solver, verdict, reason=reason)
    model = {leaf: values.get(name, Fraction(0)) for name, leaf in script.names.items()}
    if not script.satisfied(model.__getitem__):
        return Answer(solver, "unknown", reason="its model does not satisfy the script")
    return Answer(solver, "sat", model)


_Said = tuple[Verdict, dict[str, Fraction], str]


def _z3(script: Script, milliseconds: int | None, resources: int | None) -> _Said:
    z3 = _module("z3")
    solver = z3.SolverFor("QF_LRA")
    if milliseconds is not None:
        solver.set("timeout", milliseconds)
    if resources is not None:
        solver.set("rlimit", resources)
    solver.from_string(script.text)
    said = solver.check()
    if said == z3.sat:
        model = solver.model()
        # The model holds the script's definitions too, unevaluated.
        found = {_bare(d.name()): d for d in model.decls()}
        values = {name: _fraction(model[found[name]]) for name in script.names if name in found}
        return "sat", values, ""
    return ("unsat", {}, "") if said == z3.unsat else ("unknown", {}, solver.reason_unknown())


def _fraction(value: Any) -> Fraction:
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def _cvc5(script: Script, milliseconds: int | None, resources: int | None) -> _Said:
    cvc5 = _module("cvc5")
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("produce-models", "true")
    if milliseconds is not None:
        solver.setOption("tlimit-per", str(milliseconds))
    if resources is not None:
        solver.setOption("rlimit-per", str(resources))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script.text, "script")
    symbols = parser.getSymbolManager()
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols).strip() or said
    if said == "sat":
        terms = symbols.getDeclaredTerms()
        return "sat", {_bare(t.getSymbol()): solver.getValue(t).getRealValue() for t in terms}, ""
    return ("unsat", {}, "") if said == "unsat" else ("unknown", {}, said)


def _bare(name: str) -> str:
    """A declared constant's name as the script wrote it, whether or not the solver unquotes it."""
    return f"|{name.strip('|')}|"


def _module(name: Solver) -> ModuleType:
    try:
        if name == "z3":
            import z3

            return z3  # type: ignore[no-any-return]
        import cvc5

        return cvc5  # type: ignore[no-any-return]
    except ImportError as error:
        fix = f"{name} is not installed; install it with: pip install 'agent-fund[smt]'"
        raise SolverMissingError(fix) from error
