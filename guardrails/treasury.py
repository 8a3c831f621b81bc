"""A treasury: cash, a stablecoin or two and a little BTC; few orders, to known places only.

NAV stays within 12 % of its high-water mark even if a stablecoin loses its peg by a tenth, or its
issuer fails altogether, while BTC falls by more than it ever did in a day. The boxes are declared,
because history has not shown them: before it happens, a depeg has no worst move. Copy it for a DAO
or a company that keeps its reserves on chain.
"""

from agent_fund.guard.guardrails.cash_floor import cash_floor
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.destination_allow_list import destination_allow_list
from agent_fund.guard.guardrails.instrument_allow_list import instrument_allow_list
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.max_order_value import max_order_value
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.slippage_cap import slippage_cap
from agent_fund.guard.mandate import Mandate, costs, declared

mandate = Mandate(
    "treasury",
    stress=declared(
        {"BTC": ("-55%", "55%"), "USDC": ("-10%", "2%"), "DAI": ("-10%", "2%")},
        why="BTC fell 39% on 2020-03-12; USDC stood at 0.87 on 2023-03-11",
        lose="any issuer",
    ),
    costs=costs(fee="0.1%", slippage="0.3%"),
    guardrails=[
        max_drawdown("12%", rule="1", why="reserves pay salaries"),
        cash_floor("50%", rule="2", why="half a year of bills is always at hand"),
        concentration("10%", rule="3", why="no issuer and no coin is the treasury"),
        instrument_allow_list("BTC", "USDC", "DAI", rule="4.1", why="what the board allows"),
        destination_allow_list("custody", rule="4.2", why="nothing leaves the custodian"),
        max_order_value("5%", rule="5.1", why="one signature moves no more"),
        slippage_cap("2%", rule="5.2", why="nobody is in a hurry"),
        message_throttle(orders=4, bars=24, rule="5.3", why="a treasury does not trade"),
    ],
)
