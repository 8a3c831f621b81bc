"""Market neutral in BTC and ETH: long and short sides of each coin and of both nearly balance.

NAV stays within 10 % of its high-water mark in every market of the stress set: twice the worst move
of each coin, and of each perpetual against its coin, over the whole way out. Its own guardrails are
written in the mandate's language: the coverage of ETH from both sides, and what either coin alone
may lose in any scenario of the set. Copy it for pairs of a spot market and its perpetual.
"""

from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.guardrails.slippage_cap import slippage_cap
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.term import Claim
from agent_fund.guard.mandate import Mandate, calibrated, costs

mandate = Mandate(
    "market-neutral",
    stress=calibrated("2", basis={"BTC-PERP": "BTC", "ETH-PERP": "ETH"}),
    costs=costs(fee="0.1%", slippage="0.3%", legging="0.5%"),
    band="2%",
)
mandate.add(max_drawdown("10%", rule="2", why="what the investors were promised"))
mandate.add(gross_leverage("200%", rule="3", why="both sides together"))
mandate.add(net_exposure("10%", rule="4.1", why="the fund has no view of the market"))
mandate.add(margin_safety("120%", rule="5", why="no short is liquidated while its coin is held"))
mandate.add(slippage_cap("4%", rule="6", why="a hedge at any price is no hedge"))


@mandate.guardrail(rule="4.2", why="the long side is hedged, and not over-hedged")
def hedged(s: Scope, t: Trade) -> Claim:
    """Short ETH is 70 % to 100 % of long ETH, but for legs worth 5 % of NAV that are on their way.

    Fills are adversarial, so the allowance also bounds how much is opened at once.
    """
    after = s.book.after(t, fills="adversarial", orders="open")
    legs = "5%" * s.nav
    return ("70%" * after.long("ETH") <= after.short("ETH") + legs) & (
        after.short("ETH") <= "100%" * after.long("ETH") + legs
    )


@mandate.guardrail(rule="4.3", why="neither coin alone may cost what both together may")
def one_coin(s: Scope, t: Trade) -> Claim:
    """The loss of each coin, its hedge included, in any scenario of the stress set."""
    after = s.book.after(t)
    return (after.loss("BTC") <= "4%" * s.nav) & (after.loss("ETH") <= "4%" * s.nav)
