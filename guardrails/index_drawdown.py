"""Two index trackers, long only: NAV stays within 20 % of its high-water mark.

The stress set is twice the worst move of each index, and of the two together, that the
calibration window has seen over the whole way out.
"""

from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "index-drawdown",
    stress=calibrated("2", factors={"indices": {"SP500": "1/2", "NASDAQ": "1/2"}}),
    costs=costs(fee="0.05%", slippage="0.20%"),
    guardrails=[
        max_drawdown("20%", why="what the investors were promised"),
        gross_leverage("100%", why="no borrowing"),
        concentration("75%", why="never all in one index"),
    ],
)
