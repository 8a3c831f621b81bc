"""Each guardrail in a sentence and in a formula, when it is judged, and what it assumes.

A ready-made guardrail says what its judge in ``guard/guardrails/`` computes; one in the mandate
language is rendered from its own tree. What is proved is the condition of ``guard.machine``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from string import Template

from agent_fund.guard.costs import Costs
from agent_fund.guard.explain.wording import ALWAYS, PRE_TRADE, PROVED, WORDINGS
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.formula import formula, latex, number
from agent_fund.guard.language.sentence import sentence

SIGNS = (
    "V and H are NAV and high-water mark at a decision, W⁻ and W⁺ the proved bounds of loss and "
    "gain over the way out, C all costs until flat, F a fixed floor; long, short, gross and net "
    "are sides of the positions at decision prices, and ₀ marks what was before the trade."
)

_IN_TEXT = ("floor_formula", "size_formula", "volume_formula")


@dataclass(frozen=True)
class Explained:
    """What one guardrail asks for.

    Attributes:
        sentence: one English sentence.
        unicode, latex: the same as a formula; LaTeX without dollar signs.
        when: when it is judged.
        assumes: codes of the assumptions on which its verdict rests; see ``assumptions``.
    """

    sentence: str
    unicode: str
    latex: str
    when: str
    assumes: tuple[str, ...]


def explain(guardrail: Guardrail) -> Explained:
    """What a ready-made guardrail asks for."""
    kind = WORDINGS[guardrail.kind]
    plain = _words(guardrail)
    tex = {name: _tex(text, whole=name in _IN_TEXT) for name, text in plain.items()}
    return Explained(
        Template(kind.sentence).substitute(plain) + ".",
        Template(kind.unicode).substitute(plain),
        Template(kind.latex).substitute(tex),
        ALWAYS if guardrail.always and kind.when == PRE_TRADE else kind.when,
        kind.assumes,
    )


def explain_clause(clause: Clause) -> Explained:
    """What a guardrail in the mandate language asks for."""
    said = sentence(clause.relation)
    if clause.stressed:
        said += ", losses of venues and trading costs aside"
    parts = [ALWAYS if clause.always else PRE_TRADE] if clause.exact else []
    parts += [PROVED] if clause.stressed else []
    # A demand is proved of the book when a trade is made; no way out is part of it.
    assumes = ("A1", "A4", "A6", "A7") if clause.stressed else ("A4", "A6")
    return Explained(
        f"{said[:1].upper()}{said[1:]}.",
        formula(clause.relation),
        latex(clause.relation),
        "; ".join(parts),
        assumes,
    )


def assumptions(costs: Costs, horizon: int | None) -> tuple[tuple[str, str], ...]:
    """A1 to A7 of a mandate, each as a statement.

    Args:
        horizon: opens; None while it is not resolved.
    """
    opens = "the horizon" if horizon is None else f"{horizon} opens"
    return (
        ("A1", f"moves stay in the stress set for {opens}, counted from the decision's prices"),
        ("A2", "a way out completes within that horizon"),
        (
            "A3",
            f"fees stay within {percent(costs.fee)} and slippage within {percent(costs.slippage)} "
            "of a trade's value",
        ),
        ("A4", "every order in flight is in the book"),
        (
            "A5",
            "a way out closes all positions in proportion"
            + (f", or its legs part by {percent(costs.legging)} at most" if costs.legging else ""),
        ),
        ("A6", "the prices at which NAV is marked are right"),
        ("A7", "venues, chains and issuers stay solvent, but for those whose loss is in the set"),
    )


def guarantee(guardrails: Mapping[str, Guardrail]) -> str:
    """The sentence that is proved, of a mandate's guardrails by kind; it is conditional.

    Args:
        guardrails: with a ``max_drawdown``.
    """
    held = [f"within {percent(guardrails['max_drawdown'].limit)} of its high-water mark"]
    if (floor := guardrails.get("fixed_floor")) is not None:
        held.append(f"at {_words(floor)['floor']} or above")
    return (
        f"The fund's NAV stays {' and '.join(held)}, for any trade that is proposed and any "
        "fills, in every market whose moves stay inside the declared stress set. Of any other "
        "market it says nothing: if one of the assumptions fails, losses can go beyond the limit."
    )


def percent(value: Fraction) -> str:
    """A share in percent, all of its digits: ``7.5%``, ``100%``; a fraction if they never end."""
    hundredths = number(value * 100)
    return str(value) if "/" in hundredths else f"{hundredths}%"


def _words(guardrail: Guardrail) -> dict[str, str]:
    """What the templates of a kind may name."""
    terms, limit = guardrail.terms, percent(guardrail.limit)
    amount = "unit" in terms
    names = terms.get("names", "").split()
    bars = guardrail.bars if "bars" in terms else 0
    shares = {n: percent(guardrail.share(n)) for n in ("at_least", "at_most") if n in terms}
    units = [part.replace("=", " ") for part in names]
    return {
        "limit": limit,
        "by": terms.get("by", "asset"),
        "assets": _listed(terms.get("assets", "").split()),
        "assets_list": ", ".join(terms.get("assets", "").split()),
        "names": _listed(names),
        "names_list": ", ".join(names),
        "bars": f"{bars} bar{'' if bars == 1 else 's'}",
        "count_limit": str(guardrail.limit),
        "counted": _counted(guardrail),
        "floor": guardrail.stated if amount else f"{limit} of the starting capital",
        "floor_formula": guardrail.stated if amount else f"{limit} · starting capital",
        "size": guardrail.stated if amount else f"{limit} of NAV",
        "size_formula": guardrail.stated if amount else f"{limit} · NAV",
        "volume": _listed(
            [f"{unit.partition(' ')[2]} of {unit.partition(' ')[0]}" for unit in units]
        )
        if names
        else f"{limit} of what one bar takes",
        "volume_formula": ", ".join(units) if names else f"{limit} · capacity of a bar",
        "at_least": shares.get("at_least", ""),
        "at_most": shares.get("at_most", ""),
    }


def _counted(guardrail: Guardrail) -> str:
    """``1 message``, ``3 orders``; empty for a limit that is no count."""
    unit = guardrail.terms.get("unit", "")
    said = f"{guardrail.limit} {unit}"
    return said.removesuffix("s") if guardrail.limit == 1 else said


def _tex(text: str, *, whole: bool) -> str:
    """A value of a template, in LaTeX; ``whole``: it stands among formulas, and may be words."""
    for character in "%_#&":
        text = text.replace(character, f"\\{character}")
    if not whole:
        return text
    factor, dot, word = text.partition(" · ")
    return rf"{factor} \cdot \text{{{word}}}" if dot else rf"\text{{{text}}}"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
