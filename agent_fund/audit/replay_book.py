"""The book replayed: cash by place, positions, transfers, funding and liquidations, exactly.

Funding and liquidations come before the mark row that shows their prices; they are taken when they
are read and compared with what the clearing rules make of the row once it is there. Rates are in
the data, not in the log: a payment is checked against its own rate.

Of a run on real venues the log has what they told: that a payment was of this amount, or that a
position was closed, is their word. What follows from it is recomputed all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.schema import number
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.order import Fill, Order
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Arrival, Transfer, Transit
from agent_fund.execution.clearing import liquidations


class BookReplay:
    """What the fund holds after the records taken so far.

    Args:
        capital: cash by place at the start.
        transfer_bars: bars that a transfer is under way.
        live: on real venues, whose carriers take their own time.
    """

    def __init__(
        self,
        currency: Asset,
        instruments: Sequence[Instrument],
        capital: Mapping[str, int],
        transfer_bars: int,
        live: bool = False,
    ) -> None:
        self._currency = currency
        self._instruments = {i.symbol: i for i in instruments}
        self._places = {i.account: 0 for i in instruments}
        self._positions = {i.symbol: 0 for i in instruments}
        self._transit: list[Transit] = []
        self._transfer_bars = transfer_bars
        self._live = live
        self._expected: list[Transit] = []
        self._verdict = -1
        self._fundings: list[Funding] = []
        self._pending: list[Liquidation] = []
        self._forced: set[tuple[str, str]] = set()  # venue and exec id
        self._filled = False
        # What each line was at the ends of bars, and after a person's corrections.
        self._had = {i.symbol: {0} for i in instruments}
        for place, cash in capital.items():
            self._require_place(place)
            self._places[place] += cash

    @property
    def cash(self) -> int:
        """All cash, under way included."""
        under_way = sum(t.transfer.amount for t in self._transit)
        return sum(self._places.values()) + under_way

    @property
    def positions(self) -> tuple[int, ...]:
        """Base units, in instrument order."""
        return tuple(self._positions.values())

    @property
    def liquidated(self) -> set[str]:
        """The margin accounts that the coming mark row finds below maintenance."""
        return {event.instrument.account for event in self._pending}

    def book(self, orders: Iterable[Order]) -> Book:
        """The book with these open orders."""
        held = {s: q for s, q in self._positions.items() if q}
        return Book(
            self._currency,
            self.cash,
            self._instruments,
            held,
            tuple(orders),
            dict(self._places),
            tuple(self._transit),
        )

    # -- transfers ----------------------------------------------------------------------------

    def expect(
        self, verdict: int, transfers: Sequence[Transfer], ids: Sequence[str], bar: int
    ) -> None:
        """The transfers that must follow the guard record at index ``verdict``."""
        due = bar + self._transfer_bars
        self._verdict = verdict
        self._expected = [
            Transit(name, transfer, due) for name, transfer in zip(ids, transfers, strict=True)
        ]

    def require_complete(self, kind: str) -> None:
        """No record but a transfer comes before the last one of a verdict."""
        if self._expected and kind != "transfer":
            raise AuditError("record", kind, f"{len(self._expected)} transfers must come first")

    def transfer(self, record: Mapping[str, Any]) -> None:
        """A transfer is the next one that its verdict lets through; the money leaves."""
        if not self._expected or record["guard"] != self._verdict:
            raise AuditError("transfer", record["id"], "no verdict covers it")
        transit = self._expected.pop(0)
        transfer = transit.transfer
        stated = tuple(record[k] for k in ("id", "source", "target", "amount", "cost", "due"))
        admitted = (
            *(transit.transfer_id, transfer.source, transfer.target),
            *(str(transfer.amount), str(transfer.cost), transit.due),
        )
        if stated != admitted:
            raise AuditError("transfer", stated, f"{admitted} was admitted")
        self._places[transfer.source] -= transfer.amount
        self._transit.append(transit)
        self._require_owned(transfer.source)

    def arrival(self, record: Mapping[str, Any], bar: int) -> Arrival:
        """Money comes to its place, when it is due and first of all at the open of ``bar``.

        A real carrier keeps its own time, may take its price, and may bring the money back.
        """
        transit = next((t for t in self._transit if t.transfer_id == record["id"]), None)
        if transit is None or record["bar"] != bar or not (transit.due == bar or self._live):
            raise AuditError("arrival", record["id"], f"no such transfer is due in bar {bar}")
        if self._fundings or self._filled or self._pending:
            raise AuditError("arrival", record["id"], "transfers arrive before funding and fills")
        arrival = Arrival(transit, number(record["received"]), record["returned"])
        amount = transit.transfer.amount
        whole = arrival.received == amount and not arrival.returned
        if not (whole or (self._live and 0 <= arrival.received <= amount)):
            raise AuditError("arrival", record["received"], f"{amount} had left")
        self._transit.remove(transit)
        self._places[arrival.place] += arrival.received
        return arrival

    # -- trades and settlements ---------------------------------------------------------------

    def fill(self, fill: Fill) -> None:
        """What was bought or sold, and its fee."""
        if any(event.when != "before" for event in self._pending):
            raise AuditError("fill", fill.exec_id, "fills come before liquidations")
        instrument, sign = fill.instrument, fill.side.sign
        notional = instrument.notional(fill.quantity, fill.price)
        self._places[instrument.account] -= sign * notional + fill.fee
        self._positions[instrument.symbol] += sign * fill.quantity
        self._filled = True
        if instrument.margin is None and self._positions[instrument.symbol] < 0:
            raise AuditError("fill", fill.exec_id, "spot is sold that was not held")
        self._require_owned(instrument.account)

    def funding(self, record: Mapping[str, Any], bar: int) -> None:
        """A payment on the position held before the open's fills; its mark is compared later."""
        instrument = self._instruments[record["instrument"]]
        quantity, mark = number(record["quantity"]), number(record["mark"])
        rate, amount = number(record["rate"]), number(record["amount"])
        event = Funding(instrument, quantity, mark, rate, record["bar"])
        if self._live:
            event = Funding.as_told(instrument, quantity, mark, record["bar"], amount)
        seen = any(f.instrument == instrument for f in self._fundings)
        if record["bar"] != bar or seen or self._filled or self._pending:
            raise AuditError("funding", record["bar"], f"once, before the fills of bar {bar}")
        held = self._positions[instrument.symbol]
        # A real venue may pay late, on what was held then.
        known = self._live and event.quantity in self._had[instrument.symbol]
        if instrument.margin is None or not (known or (held and event.quantity == held)):
            raise AuditError("funding", record["quantity"], f"{held} is held")
        if event.rate != rate:
            raise AuditError("funding", record["rate"], f"the amount makes {event.rate}")
        if amount != event.amount or not event.amount:
            raise AuditError("funding", record["amount"], f"the rate makes {event.amount}")
        self._fundings.append(event)
        self._places[instrument.account] += event.amount

    def liquidation(self, record: Mapping[str, Any], bar: int) -> None:
        """A position closed by its venue; whether it had to be is judged at the mark row."""
        if self._live:
            raise AuditError("liquidation", record["bar"], "real venues tell trades")
        if record["bar"] != bar or record["when"] not in ("open", "close"):
            raise AuditError("liquidation", record["bar"], f"bar {bar} comes next")
        self._pending.append(
            Liquidation(
                self._instruments[record["instrument"]],
                number(record["quantity"]),
                number(record["mark"]),
                number(record["fee"]),
                number(record["cover"]),
                record["bar"],
                record["when"],
            )
        )

    def forced(self, record: Mapping[str, Any], bar: int) -> None:
        """A position, or a part of one, that a real venue closed by a trade of its own."""
        instrument = self._instruments[record["instrument"]]
        when = record["when"]
        if not self._live or record["bar"] != bar or instrument.margin is None:
            raise AuditError("forced", record["bar"], f"a venue closes margined positions, {bar}")
        if when not in ("before", "open") or (when == "before" and self._filled):
            raise AuditError("forced", when, "before the fills of the open, or after them")
        key = (instrument.venue.name, record["exec"])
        if not record["exec"] or key in self._forced:
            raise AuditError("forced", record["exec"], "each trade once, by its id")
        quantity, price = number(record["quantity"]), number(record["price"])
        fee = number(record["fee"])
        told = sum(
            e.quantity for e in self._pending if e.instrument == instrument and e.when == "open"
        )
        held = self._positions[instrument.symbol] - told
        if not 0 < quantity * held <= held * held or fee < 0:
            raise AuditError("forced", record["quantity"], f"{held} is held")
        if price < 1:
            raise AuditError("forced", record["price"], "prices are positive")
        self._forced.add(key)
        event = Liquidation(instrument, quantity, price, fee, 0, bar, when, record["exec"])
        self._pending.append(event)
        if when == "before":
            self._close(event)

    def opened(self, bar: int, marks: Mapping[str, int]) -> None:
        """The marks at the open are known: the payments were at them."""
        for event in self._fundings:
            if event.mark != marks[event.instrument.symbol]:
                raise AuditError("funding", event.mark, f"the mark of bar {bar} is another")
        if not self._live and any(t.due <= bar for t in self._transit):
            raise AuditError("mark", bar, "a transfer is due and has not arrived")

    def settle(self, bar: int, when: str, marks: Mapping[str, int]) -> tuple[Liquidation, ...]:
        """The liquidations at ``marks`` are those that the log told of; they take effect."""
        told = tuple(event for event in self._pending if event.when == when)
        if self._live and when == "open":
            for event in told:
                self._close(event)
            return tuple(self._pending)
        if self._live:
            return ()
        expected = liquidations(self.book(()), marks, bar, when)
        if told != expected:
            raise AuditError(f"liquidations at the {when} of bar {bar}", told, f"it is {expected}")
        for event in expected:
            self._close(event)
        return expected

    def _close(self, event: Liquidation) -> None:
        instrument = event.instrument
        notional = instrument.notional(event.quantity, event.mark)
        self._places[instrument.account] += notional - event.fee + event.cover
        self._positions[instrument.symbol] -= event.quantity

    def end_row(self) -> tuple[Funding, ...]:
        """The bar's row is read; its payments, for the monitor."""
        paid = tuple(self._fundings)
        self._fundings, self._pending, self._filled = [], [], False
        for symbol, held in self._positions.items() if self._live else ():
            self._had[symbol].add(held)
        return paid

    def flow(self, amount: int, place: str) -> None:
        """Money comes in or goes out at ``place``."""
        self._places[place] += amount
        self._require_owned(place)

    def adjust(self, place: str, units: Mapping[Asset, int]) -> None:
        """A person found so much more of each asset at ``place``."""
        lines = {i.base: i.symbol for i in self._instruments.values() if i.account == place}
        for asset, more in units.items():
            if asset == self._currency:
                self._places[place] += more
            else:
                self._positions[lines[asset]] += more
                self._had[lines[asset]].add(self._positions[lines[asset]])

    def _require_place(self, place: str) -> None:
        if place not in self._places:
            raise AuditError("place", place, f"the fund has {', '.join(self._places)}")

    def _require_owned(self, place: str) -> None:
        """Cash is not borrowed; a margin account answers with its equity instead."""
        margined = any(
            i.account == place and i.margin is not None for i in self._instruments.values()
        )
        if self._places[place] < 0 and not margined:
            raise AuditError(f"cash at {place}", self._places[place], "it borrows")
