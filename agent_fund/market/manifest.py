"""What ``catalog.json`` says of each data set: file, hash, extent, gaps, origin; strict to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent_fund.market.errors import MarketError

MANIFEST = "catalog.json"

Count = Annotated[int, Field(strict=True, ge=0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Length = Annotated[int, Field(strict=True, gt=0)]


class GapEntry(BaseModel):
    """A stretch without a bar or payment: after < time < before, ms since the epoch, UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Count
    before: Count


class Entry(BaseModel):
    """What the manifest says of one data set of bars.

    Attributes:
        file: name of the Parquet file in the catalog's folder.
        first_close, last_close: close_time of the first and last bar, ms since the epoch, UTC.
        step: the length of a bar as people say it, e.g. "1h" or "sessions".
        max_step_ms: the longest time from one close to the next that is no gap.
        price_scale, volume_scale: decimals of the columns.
        source, licence, notes: where the data comes from, under which terms, what was done to it.
        stale_opens: share of all bars whose open equals the close before, unreduced; where it is
            high, opens are no prices at which one could have traded.
        asked_from: the time from which an exchange was asked for bars; None if nobody was asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["bars"] = "bars"
    file: FileName
    sha256: Sha256
    bars: Count
    first_close: Count
    last_close: Count
    step: str
    max_step_ms: Length
    gaps: tuple[GapEntry, ...]
    price_scale: Count
    volume_scale: Count
    source: str
    licence: str
    notes: str
    stale_opens: Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]
    asked_from: Count | None = None


class FundingEntry(BaseModel):
    """What the manifest says of one data set of funding rates; else as ``Entry``.

    Attributes:
        payments: how many there are.
        first_time, last_time: of the first and last payment, ms since the epoch, UTC.
        max_step_ms: the longest time from one payment to the next that is no gap.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["funding"] = "funding"
    file: FileName
    sha256: Sha256
    payments: Count
    first_time: Count
    last_time: Count
    max_step_ms: Length
    gaps: tuple[GapEntry, ...]
    source: str
    licence: str
    notes: str
    asked_from: Count | None = None


class Manifest(BaseModel):
    """The content of ``catalog.json``: data sets of bars, and of funding rates, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: dict[str, Entry] = Field(default_factory=dict)
    funding: dict[str, FundingEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind_a_name(self) -> Manifest:
        twice = sorted(set(self.datasets) & set(self.funding))
        if twice:
            raise ValueError(f"{twice[0]} is bars and funding")
        return self

    def entries(self) -> Mapping[str, Entry | FundingEntry]:
        """Every data set by name, sorted."""
        return dict(sorted([*self.datasets.items(), *self.funding.items()]))

    def with_entry(self, name: str, entry: Entry | FundingEntry) -> Manifest:
        """The same with ``entry`` under ``name``, in place of an older one of its kind."""
        bars, funding = dict(self.datasets), dict(self.funding)
        if isinstance(entry, Entry):
            bars[name] = entry
        else:
            funding[name] = entry
        return Manifest(datasets=dict(sorted(bars.items())), funding=dict(sorted(funding.items())))


def parse_manifest(content: bytes, place: str) -> Manifest:
    """The manifest that ``content`` is.

    Raises:
        MarketError: naming the first entry that is not one.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "document"
        fix = f"{problem['msg']}: import the data again"
        raise MarketError(f"{place}, {where}", problem["input"], fix) from error
