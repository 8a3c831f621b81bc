"""What Hyperliquid's rows of orders, fills and markets mean here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.margin_terms import Bracket, marginal
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.venue_api import VenueTrade
from agent_fund.execution.live.leg_state import LegState

FIGURES = 5
DECIMALS = 6
LEAST = Decimal(10)
USDC = "USDC"
USDC_UNIT = Decimal("0.000001")
LISTED_TABLES = 50
"""Margin tables with a smaller number have one tier, whose leverage is the number."""
FORCED = ("Auto-Deleveraging", "Settlement")
"""Directions of fills that no order of anybody is behind; the second is that of a delisting."""


def state_of(status: str) -> LegState:
    """Hyperliquid's order status, of which there are many that say why it was cancelled."""
    if status == "open":
        return LegState.SUBMITTED
    if status == "filled":
        return LegState.SETTLED
    if status.lower().endswith(("canceled", "cancel", "rejected")):
        return LegState.CANCELED
    return LegState.UNKNOWN


def reference_of(row: Mapping[str, Any]) -> str:
    """The cloid; an order without one goes by its number."""
    return row.get("cloid") or f"oid {row['oid']}"


def trade_of(row: Mapping[str, Any], user: str) -> VenueTrade:
    """One fill of ``user``.

    Both sides of a trade with oneself bear one ``tid``, so the order is part of the id.
    """
    return VenueTrade(
        exec_id=f"{row['oid']}-{row['tid']}",
        order_id=str(row["oid"]),
        market=row["coin"],
        buy=row["side"] == "B",
        price=Decimal(row["px"]),
        quantity=Decimal(row["sz"]),
        commission=Decimal(row["fee"]),
        commission_asset=row["feeToken"],
        time=int(row["time"]),
        forced=_forced(row, user),
    )


def _forced(row: Mapping[str, Any], user: str) -> bool:
    """Whether the exchange closed a position of ``user`` by this fill.

    Fills against a stranger's liquidation tell of it too, and so does an order of one's own that
    the liquidation of one's own position meets: that one has a cloid.
    """
    if row.get("cloid"):
        return False
    liquidated = (row.get("liquidation") or {}).get("liquidatedUser")
    if liquidated is not None and liquidated.lower() == user.lower():
        return True
    return row.get("dir") in FORCED


def rules_of(row: Mapping[str, Any]) -> MarketRules:
    """Of one perpetual in the exchange's universe."""
    decimals = int(row["szDecimals"])
    step = Decimal(1).scaleb(-decimals)
    return MarketRules(
        market=row["name"],
        base=row["name"],
        quote=USDC,
        step=step,
        tick=Decimal(1).scaleb(decimals - DECIMALS),
        smallest=step,
        largest=None,
        least=LEAST,
        commission=USDC_UNIT,
        figures=FIGURES,
        halted="delisted" if row.get("isDelisted") else "",
    )


def brackets_of(row: Mapping[str, Any], tables: Sequence[Any]) -> tuple[Bracket, ...]:
    """Maintenance of one perpetual: half of the initial margin at each tier's highest leverage.

    Source: Hyperliquid's "Margin tiers" page.

    Raises:
        Unclear: if its table is not told.
    """
    number = row.get("marginTableId")
    known = {told: table["marginTiers"] for told, table in tables}
    if number is None:
        tiers = [{"lowerBound": "0", "maxLeverage": row["maxLeverage"]}]
    elif number in known:
        tiers = known[number]
    elif number < LISTED_TABLES:
        tiers = [{"lowerBound": "0", "maxLeverage": number}]
    else:
        raise Unclear(f"{row['name']} has margin table {number}, which is not told")
    halves = [(Fraction(t["lowerBound"]), Fraction(1, 2 * int(t["maxLeverage"]))) for t in tiers]
    return marginal(sorted(halves))
