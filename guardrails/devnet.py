"""One coin at five venues, on three chains: small exposure, and any one venue may fail.

NAV stays within 40 % of its high-water mark even if, within one way out, one venue of the run fails
with everything that stands there while the market does twice its worst of the calibration window.
The run file's devnet is such a set of venues on one machine; copy it for real ones.
"""

from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "devnet",
    stress=calibrated("2", lose="any venue"),
    costs=costs(fee="0.3%", slippage="1%", legging="1%"),
    guardrails=[
        max_drawdown("40%", rule="1", why="a venue's failure included"),
        gross_leverage("60%", rule="2", why="most of the fund is cash"),
        venue_exposure("35%", rule="3", why="no venue is the fund"),
        price_collar("5%", rule="4", why="no order far from the market"),
    ],
)
