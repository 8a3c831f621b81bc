"""Momentum on six perpetuals, long and short: NAV stays within 20 % of its high-water mark.

The stress set is 1.25 times the worst move of each perpetual over the whole way out, of the market
(an equal basket of the six), and of each against the market.
"""

from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

SYMBOLS = ("BTC-PERP", "ETH-PERP", "XRP-PERP", "ADA-PERP", "LTC-PERP", "BCH-PERP")

mandate = Mandate(
    "crypto-momentum",
    stress=calibrated("1.25", factors={"market": dict.fromkeys(SYMBOLS, "1/6")}),
    costs=costs(fee="0.1%", slippage="0.3%"),
    guardrails=[
        max_drawdown("20%", rule="drawdown", why="what the investors were promised"),
        gross_leverage("150%", rule="leverage", why="longs and shorts together"),
        concentration("40%", rule="diversification", why="no single coin decides the fund"),
        net_exposure("30%", rule="neutrality", why="relative returns, not the market's"),
        margin_safety("120%", rule="margin", why="nothing is ever liquidated"),
    ],
)
