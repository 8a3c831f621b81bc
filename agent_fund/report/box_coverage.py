"""Coverage by horizon as a table: how often prices left the set, before the test and in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.domain.money import ratio
from agent_fund.report.numbers import DASH, limit_percent
from agent_fund.report.run import Run
from agent_fund.report.table import Table

REJECTED = 0.05


def box_coverage(run: Run) -> Table:
    """One row an instrument and horizon, both windows, each with Kupiec's test."""
    told = run.summary["box_coverage"]
    expected = float(ratio(told["expected"]))
    rows = [
        (before["of"], str(before["opens"]), *_cells(before), *_cells(test))
        for before, test in zip(told["calibration"], told["test"], strict=True)
    ]
    note = (
        f"Windows of as many opens, one from every close; the mandate expects "
        f"{limit_percent(expected)} of them outside. Kupiec's test of that rate: a p-value below "
        f"{limit_percent(REJECTED)} speaks against it, for more or for fewer. Windows overlap, so "
        "it is a guide."
    )
    header = (
        "Stress set of",
        "Opens",
        "Windows before the test",
        "Outside",
        "p-value",
        "Windows in the test",
        "Outside",
        "p-value",
    )
    return Table(header, tuple(rows), 1, note)


def _cells(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    value = entry.get("p_value")
    shown = DASH if value is None else f"{float(value):.3f}"
    return f"{entry['windows']:,}", f"{entry['outside']:,}", shown
