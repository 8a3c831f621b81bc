"""What may be lost whole within the horizon: any one venue, chain or issuer, and what goes with it.

A venue takes all that stands there, cash and positions; a chain takes every venue on it; an issuer
takes what it has issued, wherever it is held. The issuer of the fund's own currency takes the whole
book: its cash, its margin accounts, and whatever the way out turns into cash.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Chain, Instrument, Kind
from agent_fund.domain.money import require_name


class Subject(enum.Enum):
    """What fails."""

    VENUE = "venue"
    CHAIN = "chain"
    ISSUER = "issuer"


@dataclass(frozen=True)
class Loss:
    """One that may fail: ``venue:NAME`` or the bare name, ``chain:CAIP2``, ``issuer:NAME``."""

    subject: Subject
    name: str

    def __post_init__(self) -> None:
        require_name(self.name, f"{self.subject.value} that may be lost")
        if self.subject is Subject.CHAIN:
            Chain(self.name)

    @classmethod
    def parse(cls, text: str) -> Loss:
        """The loss that ``text`` names.

        Raises:
            DomainError: for no name, or a chain without a CAIP-2 identifier.
        """
        prefix, colon, name = text.partition(":")
        if colon and prefix in {subject.value for subject in Subject}:
            return cls(Subject(prefix), name)
        return cls(Subject.VENUE, text)

    def __str__(self) -> str:
        """As ``parse`` reads it, a venue without its prefix where that is unmistakable."""
        plain = self.subject is Subject.VENUE and Loss.parse(self.name) == self
        return self.name if plain else f"{self.subject.value}:{self.name}"

    @property
    def words(self) -> str:
        """The loss as people read it."""
        return self.name if self.subject is Subject.VENUE else f"{self.subject.value} {self.name}"

    def venues(self, book: Book) -> tuple[str, ...]:
        """The venues that go with it, by name."""
        if self.subject is Subject.VENUE:
            return (self.name,)
        if self.subject is Subject.ISSUER:
            return ()
        every = (i.venue for i in book.instruments.values())
        return tuple(sorted({v.name for v in every if v.chain and v.chain.caip2 == self.name}))

    def issued(self, instrument: Instrument) -> bool:
        """Whether what is held of ``instrument`` is worth nothing without it."""
        return self.subject is Subject.ISSUER and instrument.base.issuer == self.name

    def require_covered(self, instrument: Instrument, lines: Mapping[str, Instrument]) -> None:
        """Refuse what lives on the issued asset without being it: its worth has no bound here.

        Args:
            lines: the fund's instruments by symbol.

        Raises:
            DomainError: for a perpetual, a future, an option or a pool share on what is issued.
        """
        if self.subject is not Subject.ISSUER or instrument.kind is Kind.SPOT:
            return
        related = [
            line
            for line in lines.values()
            if line.symbol == instrument.moves_with or line.underlying == instrument.underlying
        ]
        if self.issued(instrument) or any(map(self.issued, related)):
            raise DomainError(
                f"loss of {self.words}",
                instrument.symbol,
                "hold the asset itself only: what is derived from it is not covered by that loss",
            )

    def takes_currency(self, book: Book) -> bool:
        """Whether the fund's own currency goes."""
        return self.subject is Subject.ISSUER and book.currency.issuer == self.name


def resolve_losses(
    lose: Sequence[str],
    venues: Sequence[str],
    chains: Sequence[str] = (),
    issuers: Sequence[str] = (),
) -> tuple[str, ...]:
    """Every loss that ``lose`` names, each once: ``"any"`` is any venue, chain or issuer of the
    run, ``"any venue"``, ``"any chain"`` and ``"any issuer"`` one kind.

    Raises:
        DomainError: for one that the run does not know; for an "any" of which it knows none.
    """
    known = {Subject.VENUE: venues, Subject.CHAIN: chains, Subject.ISSUER: issuers}
    found: list[str] = []
    for text in lose:
        if text == "any" or text.startswith("any "):
            kinds = [k for k in Subject if text in ("any", f"any {k.value}")]
            every = [str(Loss(kind, name)) for kind in kinds for name in known[kind]]
            if not every:
                raise DomainError(
                    "lose",
                    text,
                    'the run states none: write "any", "any venue", "any chain" '
                    'or "any issuer", and state chains with venues, issuers with instruments',
                )
            found += every
            continue
        loss = Loss.parse(text)
        if loss.name not in known[loss.subject]:
            kind = loss.subject.value
            stated = ", ".join(known[loss.subject]) or "none"
            raise DomainError(f"lost {kind}", loss.name, f"{kind}s are: {stated}")
        found.append(str(loss))
    return tuple(dict.fromkeys(found))
