"""Cash and carry in BTC and ETH: NAV stays within 10 % of its high-water mark, hedged all the time.

For calibration windows that have seen no crash, such as 2019: the stress set is 2.5 times the
worst move of each coin, and of each perpetual against its coin, over the whole way out.
"""

from agent_fund.guard.guardrails.cash_floor import cash_floor
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.liquidity import liquidity
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "crypto-carry-2020",
    stress=calibrated("2.5", basis={"BTC-PERP": "BTC", "ETH-PERP": "ETH"}),
    costs=costs(fee="0.1%", slippage="0.3%", legging="0.5%"),
    guardrails=[
        max_drawdown("10%", rule="drawdown", why="what the investors were promised"),
        hedge_coverage(
            "BTC",
            "ETH",
            at_least="95%",
            at_most="105%",
            legging="8%",
            rule="hedge",
            why="the fund earns funding, it does not bet on prices; a hedge lost is closed",
        ),
        net_exposure("10%", rule="neutrality", why="both coins together stay near flat too"),
        margin_safety("120%", rule="margin", why="no short is liquidated while its coin is held"),
        venue_exposure("90%", rule="venues", why="never all at one exchange"),
        cash_floor("2%", rule="cash", why="redemptions and margin are paid without a sale"),
        liquidity("5%", bars=1, rule="exit", why="out within a bar, at 5% of its volume"),
    ],
    band="2%",
)
