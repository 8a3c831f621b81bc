"""``agent-fund mandate check``: questions about a mandate, or two, put to Z3 and to cvc5."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from agent_fund.agents.errors import ConfigurationError
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.mandate_file import Found, read_mandate
from agent_fund.cli.terminal import console, grid, one_line, write_json
from agent_fund.guard.finding import share
from agent_fund.guard.language.expression import Cash, Known, Leaf, Position
from agent_fund.guard.language.solvers import SolverMissingError
from agent_fund.guard.policy.analysis import FINDINGS, Analysis, Judged, analyse
from agent_fund.guard.policy.difference import Beyond, difference
from agent_fund.guard.policy.subject import Subject, subject
from agent_fund.report.mandate_words import MandateWords, mandate_words

_STYLES = {"binds": "green", "proved": "cyan", "not compared": "dim"}
_SHOWN = 8


def check_mandate(path: Path, against: Path | None, *, as_json: bool) -> int:
    """Ask about the mandate at ``path``, or what differs between it and ``against``."""
    found = read_mandate(path)
    other = None if against is None else read_mandate(against)
    try:
        if other is None:
            return _check(found, as_json=as_json)
        return _compare(found, other, as_json=as_json)
    except SolverMissingError as error:
        raise ConfigurationError("solver", str(error)) from error


def _check(found: Found, *, as_json: bool) -> int:
    asked = subject(found.mandate, found.instruments)
    analysis = analyse(asked)
    code = ExitCode.POLICY_FINDINGS if analysis.findings else ExitCode.OK
    if as_json:
        write_json({**_analysis_json(asked, analysis), "exit": int(code)})
    else:
        _show_analysis(console(), asked, analysis)
    return code


def _compare(found: Found, other: Found, *, as_json: bool) -> int:
    first, second = (subject(f.mandate, f.instruments) for f in (found, other))
    both = difference(first, second)
    stated = _stated(mandate_words(found.mandate), mandate_words(other.mandate))
    same = not stated and all(b.settled and not b.found for b in both)
    code = ExitCode.OK if same else ExitCode.POLICY_FINDINGS
    if as_json:
        beyond = [_beyond_json(b) for b in both]
        changed = [{"what": w, "first": a, "second": b} for w, a, b in stated]
        value = {"first": first.name, "second": second.name, "same": same}
        write_json({**value, "beyond": beyond, "stated": changed, "exit": int(code)})
    else:
        _show_difference(console(), both, stated, same=same)
    return code


def _stated(first: MandateWords, second: MandateWords) -> list[tuple[str, str, str]]:
    """What is written differently of stress set, costs and conduct, and of what is ``always``."""
    found: list[tuple[str, str, str]] = []
    for one, other in ((first.stress, second.stress), (first.terms, second.terms)):
        mine, theirs = dict(one), dict(other)
        found += [
            (what, mine.get(what, "nothing"), theirs.get(what, "nothing"))
            for what in dict.fromkeys((*mine, *theirs))
            if mine.get(what) != theirs.get(what)
        ]
    always = {i.name: i.always for i in second.items}
    for item in first.items:
        if always.get(item.name, item.always) != item.always:
            said = ("when the market breaks it: a sale", "when the market breaks it: no increase")
            mine_said, theirs_said = said if item.always else said[::-1]
            found.append((item.name, mine_said, theirs_said))
    return found


def _show_analysis(screen: Console, asked: Subject, analysis: Analysis) -> None:
    _show_verdict(screen, asked, analysis)
    table = grid("guardrail", "stands", "why")
    for judged in analysis.judged:
        style = _STYLES.get(judged.standing, "bold yellow")
        why = Text(_reason(judged))
        if judged.book:
            why.append(f" {_book(judged.book)}", "dim")
        table.add_row(one_line(judged.guardrail), Text(judged.standing, style), why)
    screen.print(table)
    screen.print(Text(_about(asked), "dim"))


def _show_verdict(screen: Console, asked: Subject, analysis: Analysis) -> None:
    found = sum(j.standing in FINDINGS for j in analysis.judged)
    name = one_line(asked.name)
    if analysis.consistent is False:
        together = ", ".join(map(one_line, analysis.conflict)) or "accounts alone"
        told = f" {name} admits nothing but holding: {together}."
        screen.print(Text.assemble(("Dead:", "bold red"), told))
    elif analysis.consistent is None:
        told = f" whether {name} admits anything was not settled."
        screen.print(Text.assemble(("Unknown:", "bold yellow"), told))
    else:
        head = ("Findings:", "bold yellow") if found else ("Consistent:", "bold green")
        idle = f"{found} of its guardrails deserve{'s' if found == 1 else ''} a look."
        told = f" {name} admits positions, and {idle if found else 'every guardrail counts.'}"
        screen.print(Text.assemble(head, told))
        screen.print(Padding(Text(f"it admits {_book(analysis.book)}", "dim"), (0, 0, 0, 2)))


def _reason(judged: Judged) -> str:
    by = f", implied by {', '.join(map(one_line, judged.by))}" if judged.by else ""
    return f"{one_line(judged.reason)}{by}"


def _show_difference(
    screen: Console,
    both: Sequence[Beyond],
    stated: Sequence[tuple[str, str, str]],
    *,
    same: bool,
) -> None:
    if same:
        names = " and ".join(one_line(b.admits) for b in both)
        screen.print(Text.assemble(("No difference:", "bold green"), f" {names} admit the same."))
        return
    screen.print(Text.assemble(("They differ:", "bold yellow"), f" {_names(both)}."))
    for beyond in both:
        screen.print()
        head = f"What {one_line(beyond.admits)} admits and {one_line(beyond.refuses)} does not"
        screen.print(Text(head, "bold"))
        _show_beyond(screen, beyond)
    if stated:
        screen.print()
        table = grid("stated differently", one_line(both[0].admits), one_line(both[1].admits))
        for row in stated:
            table.add_row(*map(one_line, row))
        screen.print(table)


def _show_beyond(screen: Console, beyond: Beyond) -> None:
    rows = [(r.guardrail, "refuses", _book(r.book)) for r in beyond.found]
    rows += [(r.guardrail, "unknown", r.reason) for r in beyond.refusals if r.verdict == "unknown"]
    rows += [(name, "not compared", reason) for name, reason in beyond.not_compared.items()]
    if not rows:
        screen.print("  nothing")
        return
    table = grid("", "", "")
    table.show_header, table.box = False, None
    for name, what, text in rows:
        style = {"refuses": "yellow"}.get(what, "dim")
        table.add_row(one_line(name), Text(what, style), one_line(text))
    screen.print(Padding(table, (0, 0, 0, 2)))


def _names(both: Sequence[Beyond]) -> str:
    said = [f"{one_line(b.admits)} admits more than {one_line(b.refuses)}" for b in both if b.found]
    return ", and ".join(said) or "in what they state, or in what could not be compared"


def _about(asked: Subject) -> str:
    """What was open in the questions, and what was fixed."""
    number = len(asked.instruments)
    whose = (
        f"the {number} instrument{'' if number == 1 else 's'} of the run"
        if asked.known
        else f"{number} instruments, those that the mandate names and others, long or short"
    )
    return (
        f"Asked of Z3 and cvc5 over {whose}. Open: positions, orders and their limits, cash, "
        "prices, NAV above zero, and what the guard proves of a book. Fixed: orders fill whole, "
        "none is open besides, and a limit that the market broke counts as broken. It says "
        "something of the mandate; it admits no trade."
    )


def _analysis_json(asked: Subject, analysis: Analysis) -> dict[str, Any]:
    return {
        "mandate": asked.name,
        "instruments": sorted(asked.instruments),
        "known": asked.known,
        "consistent": analysis.consistent,
        "conflict": list(analysis.conflict),
        "book": _book_json(analysis.book),
        "guardrails": [
            {
                "name": j.guardrail,
                "stands": j.standing,
                "reason": j.reason,
                "by": list(j.by),
                "book": _book_json(j.book),
            }
            for j in analysis.judged
        ],
    }


def _beyond_json(beyond: Beyond) -> dict[str, Any]:
    return {
        "admits": beyond.admits,
        "refuses": beyond.refuses,
        "guardrails": [
            {
                "name": r.guardrail,
                "verdict": r.verdict,
                "book": _book_json(r.book),
                "reason": r.reason,
            }
            for r in beyond.refusals
        ],
        "not_compared": dict(beyond.not_compared),
    }


def _book_json(book: Mapping[Leaf, Fraction]) -> dict[str, str]:
    """Every unknown that is not zero, exactly; in whole units of the currency, or a number."""
    return {_name(leaf): str(value) for leaf, value in sorted(book.items(), key=repr) if value}


def _book(book: Mapping[Leaf, Fraction]) -> str:
    """The book in words, as shares of its NAV; a few parts of it, the largest first."""
    nav = book.get(Known("nav"), Fraction(1))
    known = {Known("nav"), Known("mark"), Position("starting capital"), Known("cash"), Cash()}
    held = {leaf.symbol for leaf in book if isinstance(leaf, Position)}
    parts = []
    for leaf, value in sorted(book.items(), key=_rank):
        name = _name(leaf)
        # Without orders a book is the same before and after, and is told once.
        if leaf in known or not value or (name.endswith(" before") and _still(leaf, book)):
            continue
        counted = isinstance(leaf, Position) and leaf.symbol.startswith(("messages", "orders"))
        # Limits of counts are whole, so what breaks one or keeps it does so rounded up too.
        parts.append(f"{name} {math.ceil(value) if counted else share(value / nav)}")
    rest = f", and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return f"{', '.join(parts[:_SHOWN])}{rest}" if parts and held else "cash alone"


def _rank(part: tuple[Leaf, Fraction]) -> tuple[int, Fraction, str]:
    """Positions first, then orders, cash, and what the market takes; the largest first."""
    leaf, value = part
    words = _name(leaf).split()
    kind = 0 if isinstance(leaf, Position) and len(words) == 1 else 1
    if words[0] in ("cash", "volume", "capacity"):
        kind = 2 if words[0] == "cash" else 3
    return kind, -abs(value), repr(leaf)


def _still(leaf: Leaf, book: Mapping[Leaf, Fraction]) -> bool:
    """Whether what was there before is there after."""
    if isinstance(leaf, Position):
        return book.get(Position(leaf.symbol.removesuffix(" before"))) == book[leaf]
    return isinstance(leaf, Known) and book.get(Cash(leaf.argument)) == book[leaf]


def _name(leaf: Leaf) -> str:
    if isinstance(leaf, Position):
        return leaf.symbol
    if isinstance(leaf, Cash):
        return f"cash at {leaf.place}" if leaf.place else "cash"
    if isinstance(leaf, Known):
        at = f" at {leaf.argument}" if leaf.name == "cash" and leaf.argument else ""
        before = " before" if leaf.name == "cash" else ""
        of = f" of {leaf.argument}" if leaf.name == "price" else ""
        return f"{leaf.name.replace('nav', 'NAV')}{at}{of}{before}"
    return str(leaf)
