"""``agent-fund check``: the guard's verdict on a trade, each guardrail beside its limit."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.whatif import Answer, ask
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.terminal import console, grid, money, write_json
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Leg
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.verdict import Outcome, Situation

_STYLES = {
    Outcome.ADMITTED: "bold green",
    Outcome.REPAIRED: "bold yellow",
    Outcome.REFUSED: "bold red",
}


def check_trade(
    runfile: Path,
    trades: Sequence[str],
    at: str | None,
    held: Sequence[str],
    *,
    ordered: bool,
    as_json: bool,
) -> int:
    """Ask, show the answer, and return 0 only for a trade that is admitted as proposed."""
    day = None if at is None else _day(at)
    # What a mandate file prints must not mix with the one JSON object on stdout.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        parts = assemble(runfile)
        answer = ask(parts, trades, at=day, held=held, ordered=ordered)
    admitted = answer.verdict.outcome is Outcome.ADMITTED
    code = ExitCode.OK if admitted else ExitCode.NOT_ADMITTED
    if as_json:
        write_json({**answer_json(answer), "exit": int(code)})
    else:
        show_answer(console(), answer, parts.mandate.name)
    return code


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer as JSON values: amounts in whole assets, as decimal text."""
    situation, verdict = answer.situation, answer.verdict
    book = situation.book
    instruments = book.instruments
    return {
        "verdict": verdict.outcome.value,
        "share": str(verdict.theta),
        "text": verdict.text,
        "time": _time(answer).isoformat(),
        "bar": situation.bar,
        "nav": str(book.currency.amount(situation.nav)),
        "cash": str(book.currency.amount(book.cash)),
        "cash_at": {p: str(book.currency.amount(cash)) for p, cash in book.places.items()},
        "positions": {s: str(instruments[s].base.amount(q)) for s, q in book.positions.items()},
        "prices": {s: str(instruments[s].price_decimal(p)) for s, p in situation.prices.items()},
        "ordered": answer.proposal.ordered,
        "proposed": [_leg_json(leg) for leg in answer.proposal.legs],
        "admissible": [_leg_json(leg) for leg in verdict.proposal.legs],
        "broken": [finding.to_json() for finding in verdict.broken],
        "findings": [finding.to_json() for finding in verdict.findings],
    }


def show_answer(screen: Console, answer: Answer, mandate: str) -> None:
    """The answer as a person reads it."""
    situation, verdict = answer.situation, answer.verdict
    head = Text.assemble((verdict.outcome.value.upper(), _STYLES[verdict.outcome]))
    head.append(f" under {mandate}, at the close of {_time(answer):%Y-%m-%d}")
    screen.print(head)
    screen.print(_holdings(situation))
    screen.print()
    _show_legs(screen, "Proposed", answer.proposal.legs)
    if verdict.outcome is Outcome.REPAIRED:
        _show_findings(screen, "What it breaks", verdict.broken)
        screen.print()
        _show_legs(screen, f"Repaired to {share(verdict.theta)} of it", verdict.proposal.legs)
        _show_findings(screen, "How that stands", verdict.findings)
    else:
        _show_findings(screen, "How it stands", verdict.findings)


def _holdings(situation: Situation) -> str:
    """Positions, and money by place; cash at a margin account is told with its positions."""
    book, prices = situation.book, situation.prices
    held = ", ".join(f"{book.instrument(s).base.amount(q)} {s}" for s, q in book.positions.items())
    margined = {i.account for i in book.instruments.values() if i.margin is not None}
    money_at = [
        _amount(book, book.equity(place, prices), f"of equity at {place}")
        if place in margined
        else _amount(book, cash, f"in cash at {place}" if len(book.places) > 1 else "in cash")
        for place, cash in book.places.items()
    ]
    return f"The fund holds {' and '.join(filter(None, (held, ', '.join(money_at))))}."


def _amount(book: Book, units: int, what: str) -> str:
    return f"{money(book.currency.amount(units))} {book.currency.symbol} {what}"


def _show_legs(screen: Console, title: str, legs: Sequence[Leg]) -> None:
    screen.print(Text(title, "bold"))
    for leg in legs:
        instrument = leg.instrument
        quantity = instrument.base.amount(leg.quantity)
        limit = f"{instrument.price_decimal(leg.limit).normalize():f}"
        notional = money(instrument.quote.amount(instrument.notional(leg.quantity, leg.limit)))
        screen.print(
            f"  {leg.side.value} {quantity} {instrument.symbol} @ {limit}"
            f"  ({notional} {instrument.quote.symbol})"
        )


def _show_findings(screen: Console, title: str, findings: Sequence[Finding]) -> None:
    """Two lines a guardrail: the value beside its limit, and the scenario of that value."""
    table = grid("", "", "")
    table.show_header, table.box = False, None
    for finding in findings:
        mark = Text("holds", "green") if finding.holds else Text("BROKEN", "bold red")
        stands = Text(f"{finding.value}; {finding.limit}\n")
        stands.append(finding.scenario, "dim")
        table.add_row(mark, finding.guardrail, stands)
    screen.print()
    screen.print(Text(title, "bold"))
    screen.print(table)


def _leg_json(leg: Leg) -> dict[str, str]:
    instrument = leg.instrument
    return {
        "side": leg.side.value,
        "quantity": str(instrument.base.amount(leg.quantity)),
        "instrument": instrument.symbol,
        "limit": str(instrument.price_decimal(leg.limit)),
    }


def _time(answer: Answer) -> dt.datetime:
    return dt.datetime.fromtimestamp(answer.close_time // 1000, dt.UTC)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise DomainError("--at", text, "write a day as YYYY-MM-DD") from None
