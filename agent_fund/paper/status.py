"""What a live fund says of itself once a bar, in exact figures that people read."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.audit.track_record import share_text, share_up
from agent_fund.backtest.parts import Parts
from agent_fund.domain.order import Order
from agent_fund.execution.live.alarms import Alarms
from agent_fund.fund.control_status import OpenOrder, Position, Status, VenueHealth
from agent_fund.fund.fund import Fund


def status_of(
    parts: Parts, fund: Fund, alarms: Alarms, silent: Mapping[str, str], next_beat: int
) -> Status:
    """The fund after its last bar.

    Args:
        silent: by venue, why it could not be asked.
        next_beat: Unix milliseconds by which the next one is due.
    """
    book, machine, prices = fund.book, fund.machine, fund.prices
    currency = parts.currency
    open_alarms = alarms.all()
    aside: dict[str, list[str]] = {}
    for venue, reference, detail in alarms.orphans():
        aside.setdefault(venue, []).append(f"{reference}: {detail}")
    frozen = {alarm.venue for alarm in open_alarms}
    drawdown = Fraction(machine.h - machine.v, machine.h) if machine.h > 0 else Fraction(0)
    mode = "held" if fund.held and machine.mode.value == "active" else machine.mode.value
    return Status(
        bar=fund.bar,
        time=fund.time,
        next_beat=next_beat,
        mode=mode,
        currency=currency.symbol,
        nav=f"{currency.amount(machine.v):f}",
        mark=f"{currency.amount(machine.h):f}",
        drawdown=share_up(drawdown),
        limit=share_text(parts.mandate.drawdown.limit),
        positions=tuple(
            Position(
                i.symbol,
                str(i.base.amount(book.position(i.symbol))),
                str(i.price_decimal(prices[i.symbol])),
                f"{currency.amount(i.notional(book.position(i.symbol), prices[i.symbol])):f}",
            )
            for i in parts.instruments
        ),
        orders=tuple(_order(order) for order in book.open_orders),
        venues=tuple(
            VenueHealth(
                name,
                "frozen" if name in frozen else "silent" if name in silent else "ok",
                "; put aside: ".join(
                    [silent.get(name) or _money(parts, fund, name), *aside.get(name, ())]
                ),
            )
            for name in book.places
        ),
        alarms=tuple(f"{a.venue}, {a.subject}: {a.text}" for a in open_alarms),
    )


def _money(parts: Parts, fund: Fund, place: str) -> str:
    """The cash at a spot place; what a margin account is worth and must keep."""
    book, currency = fund.book, parts.currency
    if not any(i.margin is not None and i.account == place for i in parts.instruments):
        return f"{currency.amount(book.places[place]):f} {currency.symbol}"
    equity, least = (
        f"{currency.amount(units):f} {currency.symbol}"
        for units in (book.equity(place, fund.prices), book.maintenance(place, fund.prices))
    )
    return f"equity {equity}, maintenance {least}"


def _order(order: Order) -> OpenOrder:
    instrument = order.instrument
    return OpenOrder(
        order.order_id,
        instrument.venue.name,
        order.side.value,
        instrument.symbol,
        str(instrument.base.amount(order.quantity)),
        str(instrument.base.amount(order.filled)),
        str(instrument.price_decimal(order.limit)),
        order.purpose.value,
        order.status.value,
    )
