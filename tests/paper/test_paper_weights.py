"""How much an account's requests may weigh a minute, in ccxt's units and in the exchange's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from agent_fund.paper.connections import ExchangeSpec
from agent_fund.paper.exchange_accounts import _setting

MINUTE = 60_000
# Request weights as the exchanges' own pages state them: limit a minute, weight of one request.
STATED = [
    ("binance", 6_000, ("private", "get", "account"), None, 20),
    ("binance", 6_000, ("private", "get", "myTrades"), None, 20),
    ("binance", 6_000, ("public", "get", "exchangeInfo"), None, 20),
    ("binance", 6_000, ("private", "get", "order"), None, 4),
    ("binance_futures", 2_400, ("fapiPrivate", "get", "commissionRate"), None, 20),
    ("binance_futures", 2_400, ("fapiPrivate", "get", "income"), None, 30),
    ("binance_futures", 2_400, ("fapiPrivate", "get", "userTrades"), None, 5),
    ("hyperliquid", 1_200, ("public", "post", "info"), "metaAndAssetCtxs", 20),
    ("hyperliquid", 1_200, ("public", "post", "info"), "userFillsByTime", 20),
    ("hyperliquid", 1_200, ("public", "post", "info"), "l2Book", 2),
]


def _spec(kind: str, weight: int) -> ExchangeSpec:
    stated = {"kind": kind, "credentials": "k", "markets": {}, "fee": "0.001", "weight": weight}
    return ExchangeSpec.model_validate(stated)


@pytest.mark.parametrize("share", ["all", "7 of 10", "an odd part"])
@pytest.mark.parametrize(("kind", "limit", "endpoint", "question", "weight"), STATED)
def test_requests_never_weigh_more_than_is_allowed(
    kind: str, limit: int, endpoint: tuple[str, str, str], question: str, weight: int, share: str
) -> None:
    configured = {"all": 0, "7 of 10": limit * 7 // 10, "an odd part": 997}[share]
    allowed = configured or limit
    milliseconds = _setting(_spec(kind, configured)).rate_limit_ms
    assert milliseconds is not None
    table: Any = getattr(ccxt, kind.removesuffix("_futures"))().api
    for name in endpoint:
        table = table[name]
    cost = Decimal(str(table.get("byType", {}).get(question, table["cost"])))
    requests = Decimal(MINUTE) / milliseconds / cost
    assert requests * weight <= allowed


def test_what_spot_allows_is_used() -> None:
    setting = _setting(_spec("binance", 0))
    assert setting.rate_limit_ms == ccxt.binance().rateLimit == 50
