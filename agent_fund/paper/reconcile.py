"""Reconciliation: what the venues say the fund has, against the ledger; nothing is adopted.

Less than the books say is an alarm, and freezes the venue for the agent. More is put in
quarantine and shown: anybody can send a coin to an address. So is what a venue has under no name
of ours, an order that rests there or a trade; such a thing is an alarm too. A position that
differs either way is an alarm: nobody sends such a thing. A trade that cannot be booked is an
alarm, and the rest is compared all the same. A venue that cannot be compared for some bars is an
alarm: what went missing there would go unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from fractions import Fraction
from typing import Protocol, runtime_checkable

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.execution.account import Bucket
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Adapter, Holdings
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_clearing import LiveClearing
from agent_fund.paper.errors import PaperError

_WITHOUT = (LegState.CANCELED, LegState.REJECTED)
# What a margin venue's own rounding of profits may leave between its figure and the ledger's, in
# units of the currency; it rounds each of them to its eighth decimal.
_ROUNDING = Fraction(1, 10_000)
_LONG = 5  # looks in a row at which a venue could not be compared, after which that is an alarm
_OWN = (Bucket.AVAILABLE, Bucket.RESERVED, Bucket.MARGIN)


@runtime_checkable
class Stepping(Protocol):
    """An adapter whose venue trades in steps that a new run's lots must be."""

    def require_steps(self) -> None:
        """Refuse lots that are not; ExecutionError."""


class Reconciler:
    """Compares one fund with its venues.

    Args:
        since: Unix milliseconds from which trades are asked for.
        clearing: of the venues that margin.

    Attributes:
        silent: by venue, why it could not be asked the last time.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        instruments: Mapping[str, Instrument],
        currency: Asset,
        legs: LegStore,
        alarms: Alarms,
        run: Run,
        since: int,
        clearing: LiveClearing,
    ) -> None:
        self._adapters = adapters
        self._instruments = instruments
        self._currency = currency
        self._legs = legs
        self._alarms = alarms
        self._run = run
        self._since = since
        self._clearing = clearing
        # By how much assets differed at the last look, by margin venue: told funding may lag.
        self._seen: dict[str, dict[str, int]] = {}
        # Looks in a row at which a venue was asked and could not be compared.
        self._missed: dict[str, int] = {}
        self.silent: dict[str, str] = {}

    def compare(self, ledger: Ledger, book: Book) -> None:
        """Ask every venue at which nothing is under way, and compare.

        Args:
            book: as the desk has it, with open orders and transfers under way.
        """
        busy = {order.instrument.venue.name for order in book.open_orders}
        for transit in book.transit:
            busy |= {transit.transfer.source, transit.transfer.target}
        asked = [n for n in self._adapters if n not in busy and not self._legs.working(n)]
        if not asked:
            return
        self.silent = {}
        for name, found in zip(asked, self._run(self._holdings(asked)), strict=True):
            if isinstance(found, ExecutionError):
                self.silent[name] = str(found)
            else:
                if self._margined(name):
                    self._margin_account(name, found, ledger)
                else:
                    self._balances(name, found, ledger)
                self._strangers(name, found)
            self._watch(name)

    def require_funded(self, capital: Mapping[str, int]) -> None:
        """Before the first bar of a run: every venue answers, and has what the run file states.

        A margin account holds nothing yet: what it is short of would count as cash.

        Raises:
            PaperError: naming the venue.
        """
        for name, adapter in self._adapters.items():
            if isinstance(adapter, Stepping):
                try:
                    adapter.require_steps()
                except ExecutionError as error:
                    raise PaperError(f"venue {name}", str(error), "correct the run file") from None
        names = list(self._adapters)
        currency = self._currency
        for name, found in zip(names, self._run(self._holdings(names)), strict=True):
            if isinstance(found, ExecutionError):
                raise PaperError(f"venue {name}", str(found), "check its connection")
            for line in self._lines(name):
                held = found.assets.get(line.base.symbol, 0)
                if held and line.margin is not None:
                    raise PaperError(
                        f"position at {name}",
                        f"{line.base.amount(held):f} {line.symbol}",
                        "a run begins with none: close it first",
                    )
            there, stated = found.assets.get(currency.symbol, 0), capital.get(name, 0)
            if there < stated:
                raise PaperError(
                    f"cash at {name}",
                    f"{currency.amount(there):f} {currency.symbol}",
                    f"the run file states {currency.amount(stated):f}: put it there, or state less",
                )

    async def _holdings(self, names: list[str]) -> list[Holdings | ExecutionError]:
        return await asyncio.gather(*(self._of(self._adapters[name]) for name in names))

    async def _of(self, adapter: Adapter) -> Holdings | ExecutionError:
        try:
            return await adapter.holdings(self._since)
        except FAULTS as error:
            return ExecutionError(f"balances at {adapter.name}", str(error), "it is asked again")

    def _balances(self, venue: str, found: Holdings, ledger: Ledger) -> None:
        for asset in self._assets(venue):
            booked = sum(ledger.balance(venue, asset, bucket) for bucket in _OWN)
            there = found.assets.get(asset.symbol, 0)
            said, known = f"{asset.amount(there):f}", f"{asset.amount(booked):f}"
            if there < booked:
                text = f"{venue} says {said} {asset.symbol}, the books say {known}"
                self._alarms.raise_alarm(venue, asset.symbol, text)
            elif there > booked:
                text = f"{venue} has {said} {asset.symbol}, the books say {known}"
                self._alarms.quarantine(venue, asset.symbol, text)

    def _lines(self, venue: str) -> list[Instrument]:
        return [i for i in self._instruments.values() if i.venue.name == venue]

    def _assets(self, venue: str) -> list[Asset]:
        return list(dict.fromkeys([self._currency, *(i.base for i in self._lines(venue))]))

    def _margined(self, venue: str) -> bool:
        return any(i.margin is not None for i in self._lines(venue))

    def _margin_account(self, venue: str, found: Holdings, ledger: Ledger) -> None:
        """Cash and positions; what differs is an alarm if it does so by as much twice, and the fund
        has heard all that the venue has to tell."""
        currency, differing = self._currency, dict[str, tuple[int, int]]()
        slack = {currency: int(_ROUNDING * 10**currency.scale)}
        for asset in self._assets(venue):
            booked = sum(ledger.balance(venue, asset, bucket) for bucket in _OWN)
            there = found.assets.get(asset.symbol, 0)
            if abs(there - booked) > slack.get(asset, 0):
                differing[asset.symbol] = (there, booked)
        try:
            if differing and self._clearing.pending(venue):
                return
        except ExecutionError as error:
            self.silent[venue] = str(error)
            return
        before = self._seen.get(venue, {})
        self._seen[venue] = {
            symbol: there - booked for symbol, (there, booked) in differing.items()
        }
        for asset in self._assets(venue):
            symbol = asset.symbol
            if symbol not in differing or symbol not in before:
                continue
            there, booked = differing[symbol]
            if abs(there - booked - before[symbol]) > slack.get(asset, 0):
                continue
            said, known = f"{asset.amount(there):f}", f"{asset.amount(booked):f}"
            text = f"{venue} says {said} {symbol}, the books say {known}"
            if asset == currency and there > booked:
                self._alarms.quarantine(venue, symbol, text)
            else:
                self._alarms.raise_alarm(venue, symbol, text)

    def _watch(self, venue: str) -> None:
        self._missed[venue] = self._missed.get(venue, 0) + 1 if venue in self.silent else 0
        if self._missed[venue] >= _LONG:
            self._missed[venue] = 0  # a person may clear it: so many bars later it is raised again
            text = f"it could not be compared with the books for {_LONG} bars"
            self._alarms.raise_alarm(venue, "reconciliation", text)

    def _strangers(self, venue: str, found: Holdings) -> None:
        for reference in found.open_references:
            owner = self._legs.owner(venue, reference)
            if owner is None:
                self._alarms.quarantine(venue, reference, "an order of no name of ours rests here")
                self._alarms.raise_alarm(venue, reference, "an order that is not ours rests there")
            elif self._legs.leg(owner).state.ended:
                text = f"order {owner} rests there, and had ended: cancel it at the venue"
                self._alarms.raise_alarm(venue, reference, text)
        for reference, trade in found.executions:
            owner = self._legs.owner(venue, reference)
            if owner is None:
                text = "a trade that is not ours"
                self._trade(venue, trade.exec_id, f"a trade of {reference}, not ours", text)
            elif self._legs.leg(owner).state in _WITHOUT and trade.exec_id not in {
                known.exec_id for known in self._legs.executions(owner)
            }:
                text = f"a trade of {owner}, which had ended without it"
                self._trade(venue, trade.exec_id, text, text)
        for doubt in found.doubtful:
            owner = self._legs.owner(venue, doubt.reference)
            whose = f"{doubt.reference}, not ours" if owner is None else owner
            text = f"a trade of {whose}, cannot be booked: {doubt.reason}"
            self._trade(venue, doubt.exec_id, text, text)

    def _trade(self, venue: str, exec_id: str, detail: str, text: str) -> None:
        """Put a trade aside, with an alarm until a person has cleared it: it is told again."""
        known = {(alarm.venue, alarm.subject) for alarm in self._alarms.all(open_only=False)}
        self._alarms.quarantine(venue, exec_id, detail)
        if (venue, exec_id) not in known:
            self._alarms.raise_alarm(venue, exec_id, text)
