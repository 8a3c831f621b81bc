"""The ways that open orders and the ordered legs of a trade may go, partial fills aside.

Of legs that wait for one another the market picks a prefix, which is wholly filled; the leg in
progress may fill in part, and is an option given to the market. Each choice of prefixes is a case.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.order import Leg, Proposal

MAX_CASES = 32


@dataclass(frozen=True, slots=True)
class Option:
    """A leg that the market may fill in part: signed quantity still open, and its limit."""

    instrument: Instrument
    quantity: int
    limit: int

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.instrument.symbol


@dataclass(frozen=True)
class Case:
    """One way the ordered legs may have gone: ``full`` are wholly filled, ``options`` may be.

    Attributes:
        positions: held quantities, before any of these legs.
    """

    positions: Mapping[str, int]
    full: tuple[Option, ...]
    options: tuple[Option, ...]

    @property
    def symbols(self) -> set[str]:
        """Every instrument that is held or may be."""
        return set(self.positions) | {leg.symbol for leg in (*self.full, *self.options)}

    def span(self, symbol: str) -> tuple[int, int]:
        """The lowest and highest position in ``symbol`` that this case's fills can make."""
        base = self.positions.get(symbol, 0)
        base += sum(leg.quantity for leg in self.full if leg.symbol == symbol)
        open_legs = [leg.quantity for leg in self.options if leg.symbol == symbol]
        return base + sum(min(0, q) for q in open_legs), base + sum(max(0, q) for q in open_legs)

    def largest(self, symbol: str) -> int:
        """The largest absolute position in ``symbol`` that this case's fills can make."""
        low, high = self.span(symbol)
        return max(abs(low), abs(high))

    def margined(self, instrument: Instrument) -> int:
        """The largest absolute position that needs margin: of an option, what may be owed of it."""
        if instrument.kind is Kind.OPTION:
            return max(0, -self.span(instrument.symbol)[0])
        return self.largest(instrument.symbol)

    def only(self, symbols: Collection[str]) -> Case:
        """The part of the case that concerns ``symbols``."""
        return Case(
            {s: q for s, q in self.positions.items() if s in symbols},
            tuple(leg for leg in self.full if leg.symbol in symbols),
            tuple(leg for leg in self.options if leg.symbol in symbols),
        )


class TooManyCasesError(ValueError):
    """More ordered groups are open at once than the guard is willing to prove over."""


def cases(book: Book, proposal: Proposal) -> tuple[Case, ...]:
    """Every way the open orders and the proposal's ordered legs may go, partial fills aside.

    Raises:
        TooManyCasesError: beyond MAX_CASES.
    """
    chains = _chains(book)
    legs = [_option(leg) for leg in proposal.legs]
    chains += [legs] if proposal.ordered and legs else [[leg] for leg in legs]
    total = 1
    for chain in chains:
        total *= len(chain)
    if total > MAX_CASES:
        raise TooManyCasesError(f"{total} ways for the ordered legs to go; at most {MAX_CASES}")
    # Sorted: the order of hinges is part of a proof, and must not hang on how a book was made.
    held = {s: q for s, q in sorted(book.positions.items()) if q}
    result = []
    for prefix in itertools.product(*(range(len(chain)) for chain in chains)):
        full = [leg for chain, k in zip(chains, prefix, strict=True) for leg in chain[:k]]
        options = [chain[k] for chain, k in zip(chains, prefix, strict=True)]
        result.append(Case(held, tuple(full), tuple(options)))
    return tuple(result)


def _option(leg: Leg) -> Option:
    return Option(leg.instrument, leg.side.sign * leg.quantity, leg.limit)


def _chains(book: Book) -> list[list[Option]]:
    """Open orders as chains: each order after the one that it waits for.

    Of several orders that wait for the same one, the first continues its chain. The others start
    their own, as if they waited for nothing: the market may do more, never less.
    """
    chains: list[list[Option]] = []
    ends: dict[str, list[Option]] = {}
    for order in book.open_orders:
        if not order.remaining:
            continue
        option = Option(order.instrument, order.signed_remaining, order.limit)
        chain = ends.pop(order.waits_for, None) if order.waits_for is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(option)
        ends[order.order_id] = chain
    return chains
