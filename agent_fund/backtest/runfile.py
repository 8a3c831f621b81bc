"""The run file: one TOML file a run, every model of the market explicit, unknown keys refused.

Paths in it are relative to the workspace, the folder above the one that holds the run file.
Numbers that decide anything are strings ("0.02%", "1000000") or integers; floats are refused.
"""

from __future__ import annotations

import datetime as dt
import difflib
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from agent_fund.backtest.errors import RunFileError
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Chain
from agent_fund.domain.money import decimal, ratio, require_name
from agent_fund.market.errors import MarketError
from agent_fund.market.steps import step_ms


def _text(value: Any) -> Any:
    if isinstance(value, (float, bool)):
        raise ValueError(f'{value!r} is no exact number: write it in quotes, like "0.02%"')
    return str(value) if isinstance(value, int) else value


def _ratio(value: Any) -> Fraction:
    try:
        return ratio(_text(value))
    except DomainError as error:
        raise ValueError(str(error)) from None


def _decimal(value: Any) -> Decimal:
    try:
        return decimal(_text(value), "number")
    except DomainError as error:
        raise ValueError(str(error)) from None


def _step(value: str) -> str:
    try:
        step_ms(value)
    except MarketError as error:
        raise ValueError(str(error)) from None
    return value


def _period(value: str) -> str:
    seconds(value)
    return value


def seconds(period: str) -> int:
    """The seconds of a period such as ``"30s"``, ``"5m"``, ``"1h"`` or ``"1d"``.

    Raises:
        ValueError: for anything else.
    """
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(period[-1:])
    if unit is None or not period[:-1].isdecimal() or int(period[:-1]) == 0:
        raise ValueError('write a whole number and s, m, h or d, such as "30s" or "1h"')
    return int(period[:-1]) * unit


def _chain(value: str) -> str:
    try:
        return Chain(value).caip2
    except DomainError as error:
        raise ValueError(str(error)) from None


def _issuer(value: str) -> str:
    try:
        return require_name(value, "issuer")
    except DomainError as error:
        raise ValueError(str(error)) from None


def _exact(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a strategy decide, so they hold no float, however deep."""
    left = list(parameters.items())
    while left:
        name, value = left.pop()
        if isinstance(value, float):
            raise ValueError(f'{name}: {value!r} is no exact number: write "{value!r}" in quotes')
        if isinstance(value, (dict, list)):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            left += [(f"{name}.{key}", item) for key, item in inner]
    return parameters


Ratio = Annotated[Fraction, BeforeValidator(_ratio)]
Number = Annotated[Decimal, BeforeValidator(_decimal)]
Step = Annotated[str, AfterValidator(_step)]
Period = Annotated[str, AfterValidator(_period)]
ChainName = Annotated[str, AfterValidator(_chain)]
IssuerName = Annotated[str, AfterValidator(_issuer)]


class Section(BaseModel):
    """A table of the run file: unknown keys are errors, values are not converted."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class FundSection(Section):
    """``[fund]``: the currency in which NAV is stated, and the cash at the start."""

    currency: str
    scale: StrictInt = Field(ge=0, le=36)
    cash: Number


class MarketSection(Section):
    """``[market]``: the test window, and where bars come from.

    Attributes:
        catalog: folder of the Parquet catalog, filled from the instruments' sources if need be.
        start, end: first day in, first day out; UTC.
        gaps: ``"refuse"``, or ``"skip"``: keep the bars that all have, and log every gap.
    """

    catalog: str = "catalog"
    start: dt.date
    end: dt.date
    gaps: Literal["refuse", "skip"] = "refuse"


class LatencySection(Section):
    """``latency``: bars before an order can fill, beyond the next open."""

    model: Literal["bars"]
    bars: StrictInt = Field(ge=0, le=10)


class TierSection(Section):
    """One of ``[[instruments.margin.tiers]]``: from this notional on, this maintenance rate."""

    floor: Number
    rate: Ratio


class MarginSection(Section):
    """``[instruments.margin]``: what the venue asks of a perpetual; see ``domain.margin``."""

    initial: Ratio
    tiers: tuple[TierSection, ...] = Field(min_length=1)
    liquidation_fee: Ratio
    isolated: StrictBool = False

    @model_validator(mode="after")
    def _rising(self) -> MarginSection:
        if self.tiers[0].floor != 0:
            raise ValueError(f"tiers: the first floor is {self.tiers[0].floor}: write 0")
        for lower, upper in pairwise(self.tiers):
            if upper.floor <= lower.floor:
                raise ValueError(f"tiers: floor {upper.floor} comes after {lower.floor}: sort them")
            if upper.rate < lower.rate:
                raise ValueError(f"tiers: the rate falls at floor {upper.floor}: it never does")
        if not self.tiers[0].rate <= self.initial <= 1:
            seen = f"initial: {float(self.initial):.2%}"
            raise ValueError(f"{seen}: write a share from the first tier's rate to 100%")
        return self


class FundingSection(Section):
    """``[instruments.funding]``: its data set, and the venue's rule.

    Attributes:
        cap: the largest rate that one payment can have, either way.
        every: time between payments, e.g. ``"8h"``.
    """

    dataset: str
    cap: Ratio
    every: Step

    @model_validator(mode="after")
    def _capped(self) -> FundingSection:
        if self.cap < 0:
            raise ValueError("cap: it holds either way: write it from 0 on")
        return self


class InstrumentSection(Section):
    """``[[instruments]]``: one line to trade, and its data sets.

    Attributes:
        venue: where it trades; may be left out if there is one venue.
        underlying: what it is an exposure to; its own symbol if left out.
        contract: units of the underlying in one unit of quantity.
        issuer: of spot, who must stand for it to be worth anything, e.g. of a stablecoin.
        chain: that of its venue, which states it.
        mark, funding, margin: of a perpetual, which needs them all; ``index`` where there is one.
        latency: bars before an order can fill beyond the next open; the venue's if left out.
        calibrate_start: first day of its own calibration, where the mandate's is too early for it.
        source: ``"arch"`` (dataset ``sp500`` or ``nasdaq``), ``"parquet"`` (with path and step),
            or ``"catalog"`` (it must be there already).
        asset_scale: decimals of a quantity; the lot is a multiple of 10**-asset_scale.
    """

    symbol: str
    kind: Literal["spot", "perpetual"] = "spot"
    venue: str | None = None
    underlying: str | None = None
    contract: Ratio = Fraction(1)
    issuer: IssuerName | None = None
    chain: ChainName | None = None
    mark: str | None = None
    index: str | None = None
    funding: FundingSection | None = None
    margin: MarginSection | None = None
    latency: LatencySection | None = None
    calibrate_start: dt.date | None = None
    source: Literal["arch", "parquet", "catalog"]
    dataset: str
    path: str | None = None
    step: Step | None = None
    licence: str = "not stated"
    rounding: StrictBool = False
    asset_scale: StrictInt = Field(ge=0, le=18)
    price_scale: StrictInt = Field(ge=0, le=18)
    lot: Number
    tick: Number


class ModelSection(Section):
    """``[strategy.model]``: the language model; its answers are replayed from a cassette."""

    name: str
    cassette: str


class StrategySection(Section):
    """``[strategy]``: a class in a Python file, how often it is asked, and its parameters."""

    file: str
    name: str = Field(alias="class")
    every: str
    parameters: Annotated[dict[str, Any], AfterValidator(_exact)] = Field(default_factory=dict)
    model: ModelSection | None = None


class MandateSection(Section):
    """``[mandate]``: the mandate's file and the calibration window, which ends before the test."""

    file: str
    calibrate_start: dt.date
    calibrate_end: dt.date


class FeeSection(Section):
    """``[venues.fee]``."""

    model: Literal["proportional"]
    rate: Ratio


class SpreadSection(Section):
    """``[venues.spread]``."""

    model: Literal["half_spread"]
    share: Ratio


class ImpactSection(Section):
    """``[venues.impact]``: coefficient * sqrt(quantity / volume), as a share of the price."""

    model: Literal["square_root"]
    coefficient: Ratio


class ParticipationSection(Section):
    """``[venues.participation]``: the share of a bar's volume that one bar can take."""

    model: Literal["volume_share"]
    share: Ratio


class VenueSection(Section):
    """``[[venues]]``: a simulated venue; every model is stated, none has a default.

    Attributes:
        cash: what of the fund's cash stands here at the start; all of it if there is one venue.
        chain: the blockchain it runs on, as CAIP-2 writes it (``eip155:1``); none for an exchange.
    """

    name: str
    chain: ChainName | None = None
    cash: Number | None = None
    fee: FeeSection
    spread: SpreadSection
    impact: ImpactSection
    participation: ParticipationSection
    latency: LatencySection


class ExecutionSection(Section):
    """``[execution]``: bars for which an agent's order lives; bars to close any position in."""

    order_bars: StrictInt = Field(ge=1, le=100)
    exit_bars: StrictInt = Field(ge=1, le=100)


class TransferSection(Section):
    """``[transfers]``: how many bars money is under way between two venues."""

    bars: StrictInt = Field(ge=1, le=1000)


class RouteSection(Section):
    """``[paper.route]``: purchases that lack cash at their venue are routed.

    Attributes:
        any_venue: whether a purchase may go to any venue that trades the same underlying.
        parts: into how many parts it may be split over venues; 1 never splits.
        tolerance: how far beyond an indicative quote a limit may lie, as a share of the price.
        risk_per_hour: what an hour under way is taken to cost, as a share of the amount.
    """

    any_venue: StrictBool
    parts: StrictInt = Field(ge=1, le=16)
    tolerance: Ratio
    risk_per_hour: Ratio


class PaperSection(Section):
    """``[paper]``: how the same fund runs on real venues, in real time.

    Attributes:
        bar: length of a bar on the clock, such as ``"1h"``; prices are sampled inside it.
        bars: after how many the run ends by itself; 0 for never.
        connections: the file that says how each venue is reached; a path in the workspace.
        route: how purchases are routed; without it they go where the strategy says, or nowhere.
    """

    bar: Period
    bars: StrictInt = Field(ge=0)
    connections: str
    route: RouteSection | None = None


class WindowSection(Section):
    """``[[windows]]``: a stretch of days, ``end`` the last of them, that the report tells of."""

    name: str
    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _ordered(self) -> WindowSection:
        if self.end < self.start:
            raise ValueError(f"window {self.name!r} ends on {self.end}, before it starts")
        return self


class CompareSection(Section):
    """``[compare]``: whether the same strategy also runs unguarded, beside the fund."""

    unguarded: StrictBool


class FlowSection(Section):
    """``[[flows]]``: money in (positive) or out (negative) on a date."""

    date: dt.date
    amount: Number
    name: str


class RunFile(Section):
    """A whole run file, with the file's own place."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    fund: FundSection
    market: MarketSection
    instruments: tuple[InstrumentSection, ...] = Field(min_length=1)
    strategy: StrategySection
    mandate: MandateSection
    venues: tuple[VenueSection, ...] = Field(min_length=1)
    execution: ExecutionSection
    compare: CompareSection
    transfers: TransferSection | None = None
    paper: PaperSection | None = None
    flows: tuple[FlowSection, ...] = ()
    windows: tuple[WindowSection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _on_chains(cls, value: Any) -> Any:
        """Each instrument that does not state it stands on the chain that its venue states."""
        if not isinstance(value, dict):
            return value
        venues, instruments = value.get("venues"), value.get("instruments")
        if not (_tables(venues) and _tables(instruments)):
            return value
        only = venues[0].get("name") if len(venues) == 1 else None
        chains = {str(v.get("name")): v.get("chain") for v in venues}
        filled = [
            {"chain": chains[str(i.get("venue", only))], **i}
            if chains.get(str(i.get("venue", only)))
            else i
            for i in instruments
        ]
        return {**value, "instruments": filled}

    @model_validator(mode="after")
    def _consistent(self) -> RunFile:
        names = [venue.name for venue in self.venues]
        if len(set(names)) != len(names):
            raise ValueError(f"venues: {', '.join(names)}: give each name once")
        if len(names) > 1:
            if self.transfers is None:
                raise ValueError("transfers: several venues need it: bars that money is under way")
            if any(venue.cash is None for venue in self.venues):
                raise ValueError("venues: state the cash that stands at each at the start")
        parts = [venue.cash for venue in self.venues if venue.cash is not None]
        if parts and min(parts) < 0:
            raise ValueError("venues: the cash at a venue is not negative")
        if parts and sum(parts) != self.fund.cash:
            raise ValueError(
                f"venues: their cash makes {sum(parts)}, fund.cash is {self.fund.cash}"
            )
        symbols = [section.symbol for section in self.instruments]
        if len(set(symbols)) != len(symbols):
            raise ValueError(f"instruments: {', '.join(symbols)}: give each symbol once")
        for section in self.instruments:
            if section.venue is None and len(names) > 1:
                raise ValueError(
                    f"instruments.{section.symbol}: say which venue: {', '.join(names)}"
                )
            if section.venue is not None and section.venue not in names:
                raise ValueError(
                    f"instruments.{section.symbol}: venue {section.venue!r}"
                    f"{_nearest(section.venue, names)}"
                )
            if section.chain != self.venue_of(section).chain:
                raise ValueError(
                    f"instruments.{section.symbol}: chain {section.chain!r}: its venue states "
                    f"{self.venue_of(section).chain!r}: leave it to the venue"
                )
            if section.issuer is not None and section.kind != "spot":
                raise ValueError(
                    f"instruments.{section.symbol}: issuer {section.issuer!r}: state it of spot; "
                    "a contract is owed by its venue"
                )
            stated = (section.mark, section.funding, section.margin)
            if any((part is None) == (section.kind == "perpetual") for part in stated):
                raise ValueError(
                    f"instruments.{section.symbol}: a perpetual needs mark, funding and margin, "
                    "spot has none of them"
                )
        return self

    def venue_of(self, section: InstrumentSection) -> VenueSection:
        """The venue at which an instrument trades."""
        name = section.venue or self.venues[0].name
        return next(venue for venue in self.venues if venue.name == name)

    def latency_of(self, section: InstrumentSection) -> int:
        """Bars before an order in an instrument can fill, beyond the next open."""
        return (section.latency or self.venue_of(section).latency).bars


def load_runfile(path: Path) -> RunFile:
    """The run file at ``path``.

    Raises:
        RunFileError: file, place, what was seen and the nearest known key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise RunFileError(f"{path}: {error.strerror}{_nearest(path.name, near)}") from None
    except UnicodeDecodeError:
        raise RunFileError(f"{path}: it is not UTF-8 text") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RunFileError(f"{path}: not TOML: {error}") from None
    try:
        runfile = RunFile.model_validate(content)
    except ValidationError as error:
        raise RunFileError(_explain(path, error)) from None
    if runfile.market.start >= runfile.market.end:
        raise RunFileError(f"{path}: market.start: it must come before market.end")
    if runfile.mandate.calibrate_end > runfile.market.start:
        raise RunFileError(
            f"{path}: mandate.calibrate_end: {runfile.mandate.calibrate_end} is inside the test "
            f"window; calibrate on what came before {runfile.market.start}"
        )
    return runfile


def workspace_of(path: Path) -> Path:
    """The folder to which the run file's paths are relative."""
    return path.resolve().parent.parent


def jsonable(value: Any) -> Any:
    """Plain JSON values: exact numbers and dates as text, mappings with text keys."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _tables(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether ``value`` is an array of tables, as far as one can tell before it is checked."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _keys_at(item["loc"][:-1])
            lines.append(f"{path}: {place}: unknown key{_nearest(str(item['loc'][-1]), known)}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {place}: it is missing, and nothing is assumed for it")
        else:
            said = item["msg"].removeprefix("Value error, ")
            # A whole table is no value that one has seen; what is wrong in it is said already.
            seen = "" if isinstance(item["input"], dict) else f" (seen: {item['input']!r})"
            lines.append(f"{': '.join(filter(None, (str(path), place, said)))}{seen}")
    return "\n".join(lines)


def _keys_at(place: tuple[int | str, ...]) -> list[str]:
    """The known keys of the table at ``place``."""
    model: type[BaseModel] = RunFile
    for part in place:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if field is None:
            return []
        found = [
            candidate
            for candidate in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        ]
        if not found:
            return []
        model = found[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
