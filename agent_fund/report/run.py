"""One finished run as the page sees it: its parts, summary, history, records and monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.report.numbers import day, short_time


class RunFile(Protocol):
    """The run file, of which the page shows sections as they were written."""

    def model_dump(self, *, by_alias: bool) -> dict[str, Any]:
        """Nested mappings; the keys are those of the TOML file."""


class Parts(Protocol):
    """What of a run does not change while it runs."""

    @property
    def currency(self) -> Asset:
        """What NAV is stated in."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """All that the fund may hold."""

    @property
    def mandate(self) -> ResolvedMandate:
        """What the guard enforced."""

    @property
    def runfile(self) -> RunFile:
        """What the operator wrote."""


@dataclass(frozen=True, repr=False)
class Run:
    """Everything that the page is made from.

    Attributes:
        summary: as in ``summary.json``.
        frame: one row a bar, index close_time; see ``backtest.history.frame_of``.
        records: the log's records, in order of their index.
    """

    parts: Parts
    summary: Mapping[str, Any]
    frame: pd.DataFrame
    records: Sequence[Mapping[str, Any]]
    monitor: Monitor

    @property
    def live(self) -> bool:
        """Whether it traded on real venues."""
        return bool(self.records[0]["mode"] == "paper")

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The run file's content."""
        return self.parts.runfile.model_dump(by_alias=True)

    @property
    def currency(self) -> str:
        """The symbol of the currency in which NAV is stated."""
        return self.parts.currency.symbol

    @property
    def limit(self) -> float:
        """The drawdown limit, a share of the high-water mark."""
        return float(self.parts.mandate.drawdown.limit)

    @property
    def twin(self) -> bool:
        """Whether the same strategy also ran unguarded."""
        return "unguarded_nav" in self.frame

    @property
    def flows(self) -> int:
        """How often money came in or went out during the run."""
        return int(self.summary["acts"].get("flow", 0))

    @property
    def margined(self) -> bool:
        """Whether the fund may hold perpetuals."""
        return any(i.margin is not None for i in self.parts.instruments)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The margin accounts, in the order of their instruments."""
        held = (i.account for i in self.parts.instruments if i.margin is not None)
        return tuple(dict.fromkeys(held))

    @cached_property
    def clock(self) -> str:
        """How a bar's time of day is written; empty where a day has no more than one bar."""
        closes = pd.DatetimeIndex(self.frame.index)
        if closes.normalize().is_unique:
            return ""
        return "%H:%M:%S" if bool((closes.second != 0).any()) else "%H:%M"

    @property
    def when(self) -> str:
        """The head of a column of ``stamp``."""
        return "Time, UTC" if self.clock else "Day"

    def stamp(self, bar: int) -> str:
        """When the bar closed, for a table: the day, and the time of day if bars are shorter."""
        return short_time(self.time(bar), self.clock)

    def moment(self, bar: int) -> str:
        """When the bar closed, in words."""
        time = self.time(bar)
        return f"{day(time)}, {time.strftime(self.clock)} UTC" if self.clock else day(time)

    @cached_property
    def modes(self) -> pd.Series[str]:
        """The machine's mode by bar; ``held`` where it was active and the agent was kept out."""
        held, since = np.zeros(len(self.frame), dtype=bool), None
        for record in self.records:
            if record.get("act") == "hold":
                since = record["bar"] + 1
            elif record.get("act") == "resume" and since is not None:
                held[since : record["bar"] + 1] = True
                since = None
        if since is not None:
            held[since:] = True
        modes = self.frame["mode"]
        return modes.mask(pd.Series(held, index=modes.index) & (modes == "active"), "held")

    def time(self, bar: int) -> pd.Timestamp:
        """When the bar of that number closed."""
        return pd.Timestamp(self.frame.index[bar])

    def nav(self, units: int) -> float:
        """Base units of the currency as an amount."""
        return float(self.parts.currency.amount(units))

    @cached_property
    def fees(self) -> pd.Series[float]:
        """Fees of each bar's fills."""
        paid = dict.fromkeys(range(len(self.frame)), 0)
        for record in self.records:
            if record["kind"] == "fill":
                paid[record["bar"]] += int(record["fee"])
        return pd.Series([self.nav(units) for units in paid.values()], index=self.frame.index)

    def margin_use(self, account: str) -> pd.Series[float]:
        """Maintenance as a share of equity, at closes; infinite where equity is used up."""
        need, equity = self.frame[f"maintenance.{account}"], self.frame[f"equity.{account}"]
        share = np.where(need > 0, np.inf, 0.0)
        share[equity > 0] = (need / equity)[equity > 0]
        return pd.Series(share, index=self.frame.index)

    @cached_property
    def drawdown(self) -> pd.Series[float]:
        """Share below the mark, at the worse of each bar's open and close; zero or negative."""
        frame = self.frame
        before = frame["mark"].shift(1)
        at_open = np.fmin(frame["nav_open"] / before - 1, 0.0)
        return pd.Series(np.fmin(at_open, frame["nav"] / frame["mark"] - 1), index=frame.index)

    @property
    def worst(self) -> Fraction:
        """The fund's deepest fall below its mark, at opens and closes; not positive."""
        return Fraction(self.summary["fund"]["max_drawdown"])

    @property
    def unguarded_worst(self) -> Fraction:
        """The twin's deepest fall below its mark, at opens and closes; not positive."""
        return Fraction(self.summary["unguarded"]["max_drawdown"])

    @cached_property
    def unguarded_drawdown(self) -> pd.Series[float]:
        """The twin's share below its own highest close; zero or negative."""
        nav = self.frame["unguarded_nav"]
        return nav / nav.cummax() - 1

    @cached_property
    def unguarded_beyond(self) -> pd.Series[bool]:
        """At which bars the twin stood beyond the limit that the mandate promises."""
        return self.unguarded_drawdown < -self.limit
