"""A mandate for tests: room to hold much at one venue."""

from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "rotation",
    stress=calibrated("2"),
    costs=costs(fee="0.3%", slippage="1.5%", legging="1%"),
    guardrails=[max_drawdown("60%"), gross_leverage("100%")],
)
