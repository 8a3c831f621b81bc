"""Offers of the solver relay as swaps in the fund's units; what does not convert is left out."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.near.listing import Listing
from agent_fund.execution.near.relay import SolverQuote, SolverRelay, best
from agent_fund.execution.near.trade import Swap


@dataclass(frozen=True)
class Offer:
    """A market maker's offer and the swap that taking it would be."""

    swap: Swap
    quote: SolverQuote


def check_scales(instrument: Instrument, listing: Listing) -> None:
    """Refuse an instrument whose amounts the tokens could not express exactly.

    Raises:
        ExecutionError: with the fix.
    """
    base, quote = listing.token(instrument.base), listing.token(instrument.quote)
    if quote.decimals > instrument.quote.scale:
        raise ExecutionError(
            f"scale of {instrument.quote.symbol}",
            instrument.quote.scale,
            f"market makers quote {quote.token_id} in {quote.decimals} decimals; give it as many",
        )
    base.units(instrument.base, instrument.lot)


async def best_offer(
    relay: SolverRelay,
    listing: Listing,
    instrument: Instrument,
    side: Side,
    quantity: int,
    valid_ms: int,
) -> Offer | None:
    """The best offer for exactly ``quantity`` base units, or None.

    Raises:
        NearUnreachable: if the relay does not answer.
    """
    base, money = listing.token(instrument.base), listing.token(instrument.quote)
    units, one = base.units(instrument.base, quantity), instrument.notional(quantity, 1)
    if side is Side.BUY:
        found = await relay.quotes(
            money.token_id, base.token_id, amount_out=units, valid_ms=valid_ms
        )
    else:
        found = await relay.quotes(
            base.token_id, money.token_id, amount_in=units, valid_ms=valid_ms
        )
    chosen = best(found)
    if chosen is None:
        return None
    paid = chosen.amount_in if side is Side.BUY else chosen.amount_out
    amount = money.amount(instrument.quote, paid)
    if amount is None or amount < one:  # worth less than one price unit: no price expresses it
        return None
    swap = Swap(
        side,
        quantity,
        amount,
        one,
        chosen.token_in,
        chosen.amount_in,
        chosen.token_out,
        chosen.amount_out,
    )
    return Offer(swap, chosen)
