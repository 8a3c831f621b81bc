"""Performance figures of a NAV series, by empyrical; daily or finer bars are taken to days."""

from __future__ import annotations

import empyrical
import pandas as pd

DIGITS = 6


def performance(nav: pd.Series[float]) -> dict[str, str]:
    """Total return, CAGR, volatility, Sharpe, Sortino, Calmar and drawdown, as decimal strings.

    Args:
        nav: by close_time; at least two days, else only the total return is given.
    """
    daily = nav.resample("1D").last().dropna()
    figures = {"total_return": float(nav.iloc[-1] / nav.iloc[0] - 1)}
    if len(daily) > 2:
        returns = daily.pct_change().dropna()
        figures |= {
            "cagr": float(empyrical.cagr(returns)),
            "volatility": float(empyrical.annual_volatility(returns)),
            "sharpe": float(empyrical.sharpe_ratio(returns)),
            "sortino": float(empyrical.sortino_ratio(returns)),
            "calmar": float(empyrical.calmar_ratio(returns)),
        }
    figures["max_drawdown"] = float((nav / nav.cummax() - 1).min())
    return {name: decimal_text(value) for name, value in figures.items()}


def decimal_text(value: float) -> str:
    """``value`` with DIGITS decimals; ``"n/a"`` where it is not a number (no volatility, say)."""
    if value != value or abs(value) == float("inf"):
        return "n/a"
    return f"{value:.{DIGITS}f}"
