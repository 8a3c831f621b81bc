"""Performance figures of a NAV series, by empyrical; daily or finer bars are taken to days."""

from __future__ import annotations

import pandas as pd

DIGITS = 6


def ratios(nav: pd.Series[float]) -> dict[str, str]:
    """CAGR, volatility, Sharpe, Sortino and Calmar ratio of daily returns, as decimal strings.

    Args:
        nav: by close_time, in UTC; fewer than three days have no ratios.
    """
    import empyrical  # at the end of a run, not before it: scipy comes with it, half a second

    daily = nav.resample("1D").last().dropna()
    if len(daily) < 3:
        return {}
    returns = daily.pct_change().dropna()
    figures = {
        "cagr": empyrical.cagr(returns),
        "volatility": empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "calmar": empyrical.calmar_ratio(returns),
    }
    return {name: decimal_text(float(value)) for name, value in figures.items()}


def decimal_text(value: float) -> str:
    """``value`` with DIGITS decimals; ``"n/a"`` where it is not a number (no volatility, say)."""
    if value != value or abs(value) == float("inf"):
        return "n/a"
    return f"{value:.{DIGITS}f}"
