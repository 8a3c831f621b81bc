"""The digest of synchronous bars: what a run's data is named by, whoever holds the bars.

SHA-256 of

1. the ASCII line ``agent-fund bars 3``, then a line of JSON (RFC 8259, ASCII, no spaces): a list
   with, for each instrument, [symbol, base symbol, base scale, quote symbol, quote scale,
   venue, CAIP-2 chain or null, price scale, lot, tick, kind, underlying, contract, margin], where
   margin is null or [initial, [[floor, rate] of each tier], liquidation fee, isolated]; contract
   and shares are strings "numerator/denominator", floors decimal strings; each line ends with LF;
2. for each bar open_time, close_time, then the opens of all instruments in their order, their
   highs, lows, closes and volumes; if there are perpetuals, then mark opens, mark closes, funding
   rates and index closes of the perpetuals alone: one byte that says how wide the bar's numbers
   are, 8 or 16, then every number in so many bytes, big endian, the rates in two's complement and
   all others unsigned; 8 wherever all of them fit.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from fractions import Fraction

from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.margin import Margin


class BarDigest:
    """The digest of the bars added so far."""

    __slots__ = ("_hasher", "_layout", "_perpetuals")

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        described = json.dumps([_described(item) for item in instruments], separators=(",", ":"))
        self._hasher = hashlib.sha256(f"agent-fund bars 3\n{described}\n".encode("ascii"))
        self._perpetuals = tuple(
            column for column, item in enumerate(instruments) if item.kind is Kind.PERPETUAL
        )
        count = len(self._perpetuals)
        self._layout = struct.Struct(f">{2 + 5 * len(instruments) + 2 * count}Q{count}q{count}Q")

    def add(
        self,
        open_time: int,
        close_time: int,
        opens: Sequence[int],
        highs: Sequence[int],
        lows: Sequence[int],
        closes: Sequence[int],
        volumes: Sequence[int],
        mark_opens: Sequence[int],
        mark_closes: Sequence[int],
        rates: Sequence[int],
        indices: Sequence[int],
    ) -> None:
        """Continue with the next bar, given as a ``bars.Row``."""
        numbers = [open_time, close_time, *opens, *highs, *lows, *closes, *volumes]
        chosen = self._perpetuals
        if chosen:
            for values in (mark_opens, mark_closes, rates, indices):
                numbers += [values[column] for column in chosen]
        try:
            packed = b"\x08" + self._layout.pack(*numbers)
        except struct.error:  # a number of more than 64 bits
            signed = range(len(numbers) - 2 * len(chosen), len(numbers) - len(chosen))
            packed = b"\x10" + b"".join(
                [
                    value.to_bytes(16, "big", signed=place in signed)
                    for place, value in enumerate(numbers)
                ]
            )
        self._hasher.update(packed)

    def hexdigest(self) -> str:
        """SHA-256 in hex; more bars may follow."""
        return self._hasher.hexdigest()


def _described(item: Instrument) -> list[object]:
    return [
        *(item.symbol, item.base.symbol, item.base.scale, item.quote.symbol, item.quote.scale),
        *(item.venue.name, item.venue.chain.caip2 if item.venue.chain else None),
        *(item.price_scale, item.lot, item.tick, item.kind.value),
        *(item.underlying, _share(item.contract), _terms(item.margin)),
    ]


def _terms(margin: Margin | None) -> list[object] | None:
    if margin is None:
        return None
    tiers = [[str(tier.floor), _share(tier.rate)] for tier in margin.tiers]
    return [_share(margin.initial), tiers, _share(margin.liquidation_fee), margin.isolated]


def _share(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
