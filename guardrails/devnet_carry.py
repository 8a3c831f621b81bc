"""Cash and carry in ETH: NAV stays within 12 % of its high-water mark, hedged all the time.

The stress set is 1.5 times the worst move of the coin, and of its perpetual against it, of the
calibration window, over the whole way out. The venues are two accounts at one exchange, or the run
file's devnet; the failure of an account is not in this set: ``guardrails/devnet.py`` has it.
"""

from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "devnet-carry",
    stress=calibrated("1.5", basis={"ETH-PERP": "ETH"}),
    costs=costs(fee="0.1%", slippage="1%", legging="1%"),
    guardrails=[
        max_drawdown("12%", rule="drawdown", why="what the investors were promised"),
        hedge_coverage(
            "ETH",
            at_least="95%",
            at_most="105%",
            legging="8%",
            rule="hedge",
            why="the fund earns funding, it does not bet on prices; a hedge lost is closed",
        ),
        net_exposure("10%", rule="neutrality", why="both legs together stay near flat"),
        margin_safety("120%", rule="margin", why="no short is liquidated while its coin is held"),
        venue_exposure("90%", rule="venues", why="never all at one account"),
        price_collar("5%", rule="collar", why="no order far from the market"),
    ],
    band="2%",
)
