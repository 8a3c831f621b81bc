"""Names of the data sets that come from an exchange: ``binance-BTCUSDT-perp-1h``, and back."""

from __future__ import annotations

import re
from dataclasses import dataclass

PRICED = ("spot", "perp", "mark", "index")
"""Series of bars: traded prices of a spot market or perpetual, and its mark and index price."""

FUNDING = "funding"
PARSED = re.compile(
    r"(?P<exchange>[a-z0-9]+)-(?P<pair>[A-Z0-9]+)-"
    r"((?P<series>spot|perp|mark|index)-(?P<step>[1-9][0-9]*[smhd])|(?P<funding>funding))"
)


@dataclass(frozen=True)
class DatasetName:
    """The parts of a name.

    Attributes:
        exchange: ccxt's id of the exchange.
        pair: base and quote together, e.g. ``"BTCUSDT"``.
        series: one of PRICED, or FUNDING.
        step: length of a bar; empty for funding.
    """

    exchange: str
    pair: str
    series: str
    step: str = ""

    def __str__(self) -> str:
        parts = (self.exchange, self.pair, self.series, self.step)
        return "-".join(part for part in parts if part)


def dataset_name(exchange: str, base: str, quote: str, series: str, step: str = "") -> str:
    """The name of a series; characters that names do not have are left out of base and quote."""
    pair = re.sub("[^A-Z0-9]", "", f"{base}{quote}".upper())
    return str(DatasetName(exchange, pair, series, step))


def parse_name(name: str) -> DatasetName | None:
    """The parts of ``name``; None if it is not a name of this form."""
    found = PARSED.fullmatch(name)
    if found is None:
        return None
    series = found["series"] or FUNDING
    return DatasetName(found["exchange"], found["pair"], series, found["step"] or "")
