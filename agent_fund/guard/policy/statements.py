"""Every guardrail as comparisons over what a question leaves open, or why it cannot be one.

What the guard proves of a book is open too: its bounds of loss and gain, W⁻ and W⁺, and its costs
C. The condition is that of the machine. Throttles are asked at a full allowance, and by the rate at
which it refills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ratio
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.expression import (
    ZERO,
    AtMost,
    Expression,
    Known,
    Loss,
    Move,
    Number,
    Position,
    Positive,
    leaves,
    plus,
    times,
)
from agent_fund.guard.policy.opened import opened
from agent_fund.guard.policy.sayable import NAV, RANGES, as_clause
from agent_fund.guard.policy.subject import Subject
from agent_fund.guard.policy.unknowns import (
    CAPITAL,
    COSTS,
    EQUITY,
    GAIN,
    LOSS,
    MAINTENANCE,
    MARK,
    MESSAGES,
    REPEATED,
    STEADY,
    before,
    held,
    orders,
)

_EXPOSURES = frozenset({"gross_leverage", "net_exposure", "concentration", "hedge_coverage"})
_VALUES = _EXPOSURES | {"venue_exposure", "cash_floor"}
PROVED = frozenset({"max_drawdown", "fixed_floor", "margin_safety"})
_MINUS = Fraction(-1)


@dataclass(frozen=True)
class Statement:
    """What a guardrail asks of a book and its orders.

    Attributes:
        name: the guardrail's.
        relations: all of them hold; empty if it is not compared, or asks nothing.
        reason: why it is not compared; empty if it is.
        proved: whether it is about what the guard proves of a book.
    """

    name: str
    relations: tuple[AtMost, ...]
    reason: str = ""
    proved: bool = False


def statements(subject: Subject) -> tuple[Statement, ...]:
    """One for each guardrail and clause, in the mandate's order."""
    found = [_ready_made(g, subject.instruments) for g in subject.guardrails]
    return (*found, *(_written(c, subject.instruments) for c in subject.clauses))


def _ready_made(guardrail: Guardrail, instruments: Mapping[str, Instrument]) -> Statement:
    try:
        clause = as_clause(guardrail, instruments)
        if clause is not None:
            found = opened(clause.relation, instruments)
        elif guardrail.kind in _VALUES and any(i.kind in RANGES for i in instruments.values()):
            return Statement(guardrail.key, (), "options and pool shares count as ranges")
        else:
            said = _KINDS.get(guardrail.kind)
            found = [] if said is None else said(guardrail, instruments)
    except DomainError as error:
        return Statement(guardrail.key, (), str(error))
    return Statement(guardrail.key, tuple(found), proved=guardrail.kind in PROVED)


def _written(clause: Clause, instruments: Mapping[str, Instrument]) -> Statement:
    market = [[x for x in leaves(r) if isinstance(x, (Loss, Move))] for r in clause.stressed]
    # The worst of one loss is one amount; of several, or of moves, each has its own scenario.
    lost = all(len(found) == 1 and isinstance(found[0], Loss) for found in market)
    try:
        found = opened(clause.relation, instruments, lost=lost)
        return Statement(clause.name, tuple(found), proved=bool(clause.stressed))
    except DomainError as error:
        return Statement(clause.name, (), str(error))


_Instruments = Mapping[str, Instrument]


def _drawdown(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    kept = 1 - guardrail.limit
    lost = (LOSS, COSTS)
    return [
        AtMost(plus(times(kept, MARK), *lost), NAV),
        AtMost(plus(times(kept, NAV), times(kept, GAIN), *lost), NAV),
    ]


def _floor(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    return [AtMost(plus(_size(guardrail, CAPITAL), LOSS, COSTS), NAV)]


def _margin(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    return [AtMost(times(guardrail.limit, MAINTENANCE), EQUITY)]


def _venue(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    """Trades at decision prices move nothing between venues, so it is the book before them."""
    found = []
    for name in sorted({line.venue.name for line in instruments.values()}):
        own = {s: line for s, line in instruments.items() if line.venue.name == name}
        cash = (Known("cash", account) for account in sorted({i.account for i in own.values()}))
        stands = plus(*cash, *map(before, sorted(own)))
        found.append(AtMost(stands, times(guardrail.limit, NAV)))
    return found


def _cash(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    free: list[Expression] = []
    for account in sorted({line.account for line in instruments.values()}):
        own = {s: line for s, line in instruments.items() if line.account == account}
        margins = [(s, line.margin) for s, line in sorted(own.items()) if line.margin is not None]
        cash = Known("cash", account)
        if not margins:
            paid = (Positive(plus(o.value, o.conceded)) for o in orders(own) if o.side == "buy")
            free += [cash, *(times(_MINUS, part) for part in paid)]
            continue
        needs = [
            times(-margin.initial, Positive(times(sign, held(symbol))))
            for symbol, margin in margins
            for sign in (Fraction(1), _MINUS)
        ]
        free.append(Positive(plus(cash, *map(before, sorted(own)), *needs)))
    return [AtMost(times(guardrail.limit, NAV), plus(*free))]


def _liquid(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    share = guardrail.bars * guardrail.limit
    return [
        AtMost(times(sign, held(symbol)), times(share, Position(f"volume of {symbol}")))
        for symbol in sorted(instruments)
        for sign in (Fraction(1), _MINUS)
    ]


def _collar(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    return [
        AtMost(times(sign, order.conceded), times(guardrail.limit, order.value))
        for order in orders(instruments)
        for sign in (Fraction(1), _MINUS)
    ]


def _slippage(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    limit = guardrail.limit
    return [AtMost(o.conceded, times(limit, o.value)) for o in orders(instruments)]


def _order_value(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    most = _size(guardrail, NAV)
    return [AtMost(order.worth, most) for order in orders(instruments)]


def _order_volume(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    if "names" not in guardrail.terms:
        return [
            AtMost(o.value, times(guardrail.limit, Position(f"capacity of {o.symbol}")))
            for o in orders(instruments)
        ]
    units = dict(part.split("=", 1) for part in guardrail.terms["names"].split())
    most = {
        s: times(ratio(units[s], f"units of {s}"), Known("price", s)) if s in units else ZERO
        for s in instruments
    }
    return [AtMost(order.value, most[order.symbol]) for order in orders(instruments)]


def _turnover(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    size = _size(guardrail, NAV)
    rate = times(Fraction(guardrail.bars), Position(f"turnover {STEADY.symbol}"))
    return [AtMost(plus(*(o.worth for o in orders(instruments))), size), AtMost(rate, size)]


def _throttle(counted: Position) -> Callable[[Guardrail, _Instruments], list[AtMost]]:
    def found(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
        size = Number(guardrail.limit)
        rate = times(Fraction(guardrail.bars), Position(f"{counted.symbol} {STEADY.symbol}"))
        return [AtMost(counted, size), AtMost(rate, size)]

    return found


def _allowed(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    names = guardrail.terms["names"].split()
    return _nothing(
        s for s, line in instruments.items() if s not in names and line.underlying not in names
    )


def _destinations(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    names = guardrail.terms["names"].split()
    return _nothing(
        symbol
        for symbol, line in instruments.items()
        if line.account not in names and line.venue.name not in names
    )


def _nothing(symbols: Iterable[str]) -> list[AtMost]:
    return [AtMost(order.value, ZERO) for order in orders(symbols)]


def _reduces(guardrail: Guardrail, instruments: _Instruments) -> list[AtMost]:
    return [
        AtMost(Positive(times(sign, held(s))), Positive(times(sign, before(s))))
        for s in sorted(instruments)
        for sign in (Fraction(1), _MINUS)
    ]


def _size(guardrail: Guardrail, whole: Expression) -> Expression:
    """A share of ``whole``, or an amount of the currency."""
    if "unit" in guardrail.terms:
        return Number(guardrail.limit)
    return times(guardrail.limit, whole)


_KINDS: Mapping[str, Callable[[Guardrail, _Instruments], list[AtMost]]] = {
    "max_drawdown": _drawdown,
    "fixed_floor": _floor,
    "margin_safety": _margin,
    "venue_exposure": _venue,
    "cash_floor": _cash,
    "liquidity": _liquid,
    "price_collar": _collar,
    "slippage_cap": _slippage,
    "max_order_value": _order_value,
    "max_order_volume": _order_volume,
    "turnover_throttle": _turnover,
    "message_throttle": _throttle(MESSAGES),
    "repeated_execution_throttle": _throttle(REPEATED),
    "instrument_allow_list": _allowed,
    "destination_allow_list": _destinations,
    "reduce_only": _reduces,
}
