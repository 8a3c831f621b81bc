"""Long only, without borrowed money: what a plain fund of shares or coins promises its investors.

NAV stays within 20 % of its high-water mark and never falls below 70 % of the starting capital, for
any trade that is proposed and any fills, while every move lies in twice the worst of the
calibration window. Orders are small against the market, near its price, and not sent again and
again. Copy it for a portfolio of spot instruments at one venue.
"""

from agent_fund.guard.guardrails.cash_floor import cash_floor
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.max_order_value import max_order_value
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.term import Claim
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "long-only",
    stress=calibrated("2"),
    costs=costs(fee="0.1%", slippage="0.3%"),
    guardrails=[
        max_drawdown("20%", rule="2.1", why="what the investors were promised"),
        fixed_floor("70%", rule="2.2", why="what they start with is not all at risk"),
        gross_leverage("100%", rule="3.1", why="no borrowed money"),
        concentration("60%", rule="3.2", why="no single asset is the fund"),
        cash_floor("2%", rule="3.3", why="small redemptions are paid without a sale"),
        max_order_value("25%", rule="4.1", why="a mistake is no larger than a quarter of the fund"),
        price_collar("10%", rule="4.2", why="no order far from the market"),
        turnover_throttle("200%", bars=20, rule="4.3", why="the fund is no market maker"),
        repeated_execution_throttle(times=10, bars=20, rule="4.4", why="a loop stops by itself"),
    ],
)


@mandate.guardrail(rule="1.1", why="the fund owns what it holds; it sells nothing short")
def long_only(s: Scope, t: Trade) -> Claim:
    """No short side, after any fills."""
    return s.book.after(t).short() <= 0 * s.nav
