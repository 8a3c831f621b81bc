"""Rows of a file as integers, before more is checked than that they are numbers and times.

Only what is checked whole is written into a catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns, from_names
from agent_fund.market.funding import FundingColumns
from agent_fund.market.manifest import Entry, FundingEntry
from agent_fund.market.steps import step_ms


@dataclass(frozen=True)
class RawBars:
    """The seven columns of bars, as ``BarColumns.by_name`` keys them, in the order of the file.

    Attributes:
        source: the file, as errors name it.
        price_scale, volume_scale: decimals of the columns.
    """

    source: str
    price_scale: int
    volume_scale: int
    columns: Mapping[str, list[int]]

    def checked(self) -> BarColumns:
        """The same as bars; raises MarketError for the first row that is none."""
        return from_names(self.source, self.price_scale, self.volume_scale, self.columns)


@dataclass(frozen=True)
class RawFunding:
    """Times (ms since the epoch, UTC) and rates (10**-RATE_SCALE) in the order of the file."""

    source: str
    times: list[int]
    rates: list[int]

    def checked(self) -> FundingColumns:
        """The same as funding rates; raises MarketError for the first row that is none."""
        return FundingColumns(self.source, self.times, self.rates)


def store_bars(
    catalog: Catalog, name: str, raw: RawBars, *, file: str, step: str, licence: str, rounding: bool
) -> Entry:
    """Write checked bars into ``catalog``; a longer time between closes than ``step`` is a gap."""
    return catalog.write(
        name,
        raw.checked(),
        step=step,
        max_step_ms=step_ms(step),
        source=file,
        licence=licence,
        notes=f"Prices and volumes {_rounded(rounding)}.",
    )


def store_funding(
    catalog: Catalog, name: str, raw: RawFunding, *, file: str, licence: str, rounding: bool
) -> FundingEntry:
    """Write checked funding rates into ``catalog``."""
    notes = f"Times rounded down to the second; rates {_rounded(rounding)}."
    return catalog.write_funding(name, raw.checked(), source=file, licence=licence, notes=notes)


def _rounded(rounding: bool) -> str:
    how = "half-even, where they had more decimals" if rounding else "not at all"
    return f"rounded {how}"
