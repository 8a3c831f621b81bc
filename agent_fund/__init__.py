"""agent-fund: language models run a fund and cannot break its mandate.

This package imports nothing: ``python -m agent_fund.guard.kernel`` must run on the
standard library alone, so every room is imported by its own name.
"""

__version__ = "0.1.0"
