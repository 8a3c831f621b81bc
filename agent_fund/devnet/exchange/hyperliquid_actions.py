"""Hyperliquid's /exchange: signed actions that place and cancel orders, and the dead-man timer.

Source: Hyperliquid's "Exchange endpoint" page. An action is hashed in the exchange's own field
order and with its own number texts; one that was signed in another form seems to come from a
stranger, as it does there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from agent_fund.devnet.exchange.decimals import text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.hyperliquid_signature import Nonces, action_hash, signer_of
from agent_fund.devnet.exchange.orders import Order
from agent_fund.devnet.exchange.refusal import Refusal

GOOD = {"Gtc": "GTC", "Ioc": "IOC"}
SOONEST_CANCEL_MS = 5_000
FIGURES = 5
WORDS = {
    -2010: "Duplicate cloid.",
    -2019: "Insufficient margin to place order.",
    -2022: "Reduce only order would increase position.",
    -1013: "Order has invalid size.",
}
NO_MATCH = "Order could not immediately match against any resting orders."
GONE = "Order was never placed, already canceled, or filled."


class HyperliquidActions:
    """Actions of one account.

    Args:
        owner: the address that may sign.
    """

    def __init__(self, engine: Engine, owner: str, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._owner = owner.lower()
        self._clock = clock
        self._nonces = Nonces()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Verify and act; an error is an answer too."""
        try:
            return {"status": "ok", "response": self._act(request)}
        except Refusal as refusal:
            return {"status": "err", "response": refusal.message}

    def _act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        nonce, expires, now = request["nonce"], request.get("expiresAfter"), self._clock()
        action = _in_order(request["action"])
        signer = signer_of(action_hash(action, nonce, expires), request["signature"])
        if signer.lower() != self._owner:
            raise Refusal(0, f"User or API Wallet {signer} does not exist.")
        if expires is not None and now > expires:
            raise Refusal(0, f"Action expired: {expires} is before {now}")
        if (wrong := self._nonces.use(nonce, now)) is not None:
            raise Refusal(0, wrong)
        self._engine.expire()
        match action["type"]:
            case "order":
                statuses = [self._place(order) for order in action["orders"]]
            case "cancel":
                statuses = [self._cancel(c["o"], None) for c in action["cancels"]]
            case "cancelByCloid":
                statuses = [self._cancel(None, c["cloid"]) for c in action["cancels"]]
            case "scheduleCancel":
                return self._schedule(action.get("time"), now)
            case other:
                raise Refusal(0, f"Unknown action {other}")
        return {"type": action["type"], "data": {"statuses": statuses}}

    def _place(self, order: Mapping[str, Any]) -> dict[str, Any]:
        symbol = list(self._engine.symbols.values())[order["a"]]
        price, quantity = Decimal(order["p"]), Decimal(order["s"])
        if price != price.to_integral_value() and len(price.as_tuple().digits) > FIGURES:
            return {"error": "Price must be divisible by tick size."}
        if price * quantity < symbol.min_notional:
            return {"error": f"Order must have minimum value of ${text(symbol.min_notional)}."}
        good = GOOD[order["t"]["limit"]["tif"]]
        try:
            placed = self._engine.place(
                symbol, order.get("c", "-"), order["b"], price, quantity, good, order["r"]
            )
        except Refusal as refusal:
            return {"error": WORDS.get(refusal.code, refusal.message)}
        if placed.open:
            return {"resting": {"oid": placed.order_id, "cloid": placed.client_id}}
        if not placed.executed:
            return {"error": NO_MATCH}
        filled = {"totalSz": text(placed.executed), "avgPx": text(_average(placed))}
        return {"filled": {**filled, "oid": placed.order_id, "cloid": placed.client_id}}

    def _cancel(self, order_id: int | None, cloid: str | None) -> Any:
        try:
            self._engine.cancel(self._engine.find(order_id, cloid))
        except Refusal:
            return {"error": GONE}
        return "success"

    def _schedule(self, at: int | None, now: int) -> dict[str, Any]:
        if at is not None and at < now + SOONEST_CANCEL_MS:
            raise Refusal(0, "Scheduled cancel time must be at least 5 seconds from now.")
        for name in self._engine.symbols:
            self._engine.arm(name, at)
        return {"type": "default"}


def _average(order: Order) -> Decimal:
    return (order.quote / order.executed).quantize(Decimal("0.00001"))


def _in_order(action: Mapping[str, Any]) -> dict[str, Any]:
    """The action with the exchange's fields, in its order and with its number texts."""
    kind = action["type"]
    if kind == "order":
        made: dict[str, Any] = {
            "type": kind,
            "orders": [_order(order) for order in action["orders"]],
            "grouping": action["grouping"],
        }
        if "builder" in action:
            made["builder"] = {name: action["builder"][name] for name in ("b", "f")}
        return made
    if kind in ("cancel", "cancelByCloid"):
        names = ("a", "o") if kind == "cancel" else ("asset", "cloid")
        rows = [{name: row[name] for name in names} for row in action["cancels"]]
        return {"type": kind, "cancels": rows}
    if kind == "scheduleCancel":
        return {name: action[name] for name in ("type", "time") if name in action}
    return dict(action)


def _order(order: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: order[name] for name in ("a", "b", "p", "s", "r")}
    made |= {name: text(Decimal(order[name])) for name in ("p", "s")}
    made["t"] = {"limit": {"tif": order["t"]["limit"]["tif"]}}
    return made | ({"c": order["c"]} if order.get("c") else {})
