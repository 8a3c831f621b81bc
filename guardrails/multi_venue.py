"""Several venues, any one of which may fail: what stood there is gone, and the rest still moves.

NAV stays within 30 % of its high-water mark even if, within one way out, one venue of the run fails
with everything that stands there, cash and positions, while the market does its worst. That is
proved by one certificate for each venue and one for none. So no venue may hold much, and the guard
says how much. Copy it for carry or arbitrage between exchanges.
"""

from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.destination_allow_list import destination_allow_list
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "multi-venue",
    stress=calibrated("2", basis={"BTC-PERP": "BTC", "ETH-PERP": "ETH"}, lose="any venue"),
    costs=costs(fee="0.1%", slippage="0.3%", legging="0.5%"),
    guardrails=[
        max_drawdown("30%", rule="2", why="a venue's failure included"),
        venue_exposure("25%", rule="3.1", why="what one venue may take with it"),
        concentration("25%", by="venue", rule="3.2", why="positions too are spread"),
        gross_leverage("150%", rule="4", why="hedged, not levered"),
        margin_safety("120%", rule="5", why="no liquidation in any scenario"),
        destination_allow_list(
            "spot-a",
            "spot-b",
            "futures-a",
            "futures-b",
            "vault",
            rule="6",
            why="money goes where the counterparty was checked, and nowhere else",
        ),
    ],
    band="2%",
)
