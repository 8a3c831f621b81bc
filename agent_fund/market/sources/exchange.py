"""An exchange through ccxt: its markets by ccxt's names, and what it publishes, page by page.

Numbers come as the texts that the exchange sent, never through a double. A page is taken only if
it goes forward: ccxt drops rows from before the time asked for without a word, so that an answer
to another question would look like the end of the data; here such an answer is asked for again.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import ccxt  # type: ignore[import-untyped]

from agent_fund.domain.errors import DomainError
from agent_fund.market.errors import ExchangeError
from agent_fund.market.names import FUNDING, dataset_name
from agent_fund.market.steps import STEP, step_ms

ATTEMPTS = 6
LONGEST_WAIT = 60.0
LONGEST_BAN = 300.0
PAGE_ROWS = 500
FUNDING_ROWS = 1_000
SHORTEST_FUNDING_MS = 3_600_000
ROW_WIDTH = 6
AGAIN = "run the same command again: it goes on where this one stopped"
NEAR = 3
LONGEST_REASON = 300
JITTER_MS = 1_000

T = TypeVar("T")


class _Unfiltered(ccxt.Exchange):  # type: ignore[misc]
    """Gives rows from before the time asked for too, so that they are seen."""

    def filter_by_since_limit(
        self,
        array: Any,
        since: Any = None,
        limit: Any = None,
        key: Any = "timestamp",
        tail: bool = False,
    ) -> Any:
        return super().filter_by_since_limit(array, None, None, key, tail)

    def filter_by_value_since_limit(
        self,
        array: Any,
        field: Any,
        value: Any = None,
        since: Any = None,
        limit: Any = None,
        key: Any = "timestamp",
        tail: bool = False,
    ) -> Any:
        return super().filter_by_value_since_limit(array, field, value, None, None, key, tail)


@dataclass(frozen=True)
class Series:
    """One series of one market.

    Attributes:
        symbol: ccxt's unified symbol, ``"BTC/USDT"`` or ``"BTC/USDT:USDT"``.
        kind: ``"spot"``, ``"perp"``, ``"mark"``, ``"index"`` or ``"funding"``.
        step: length of a bar; empty for funding.
        contract: size of one contract in the base asset as the exchange says it; ``"1"`` for spot.
    """

    exchange: str
    symbol: str
    base: str
    quote: str
    kind: str
    step: str
    contract: str = "1"

    @property
    def name(self) -> str:
        """The name of its data set."""
        return dataset_name(self.exchange, self.base, self.quote, self.kind, self.step)


def connect(exchange: str) -> Any:
    """A ccxt object for the public interface of ``exchange``.

    Raises:
        DomainError: for an exchange that ccxt does not know.
    """
    if exchange not in ccxt.exchanges:
        near = difflib.get_close_matches(exchange, ccxt.exchanges, n=NEAR, cutoff=0.5)
        known = f"did you mean {_either(near)}?" if near else "e.g. 'binance', 'kraken'"
        raise DomainError("exchange", exchange, f"write one of ccxt's ids, {known}")
    made = type(exchange, (_Unfiltered, getattr(ccxt, exchange)), {})
    client = made({"enableRateLimit": True})
    client.number = str
    client.enableLastJsonResponse = True
    return client


class Exchange:
    """What is asked of one exchange, patiently.

    Args:
        client: as ``connect`` makes it.
        sleep: waits so many seconds between two attempts.
    """

    def __init__(self, client: Any, sleep: Callable[[float], None] = time.sleep) -> None:
        self.id: str = client.id
        self._client = client
        self._sleep = sleep
        self._asked("markets", client.load_markets)

    def now(self) -> int:
        """The exchange's own time, ms since the epoch, UTC; this machine's if it tells none."""
        if self._client.has["fetchTime"]:
            return int(self._asked("time", self._client.fetch_time))
        return int(self._client.milliseconds())

    def series(self, symbol: str, kinds: Sequence[str], step: str) -> list[Series]:
        """What is to be fetched of ``symbol``: its traded prices, and ``kinds`` if it is perpetual.

        Raises:
            DomainError: for a symbol that is not a spot market or linear perpetual; a length of a
                bar, or a kind, that the exchange does not publish.
        """
        market = self._market(symbol)
        lengths = [name for name in self._client.timeframes or {} if STEP.fullmatch(name)]
        if step not in lengths:
            raise DomainError("--timeframe", step, f"{self.id} has: {', '.join(lengths)}")
        wanted = ["spot"] if market["spot"] else ["perp", *kinds]
        ability = {"mark": "fetchMarkOHLCV", "index": "fetchIndexOHLCV"}
        ability[FUNDING] = "fetchFundingRateHistory"
        for kind in wanted:
            if not self._client.has.get(ability.get(kind, "fetchOHLCV")):
                fix = f"{self.id} does not publish it: leave --{kind} out"
                raise DomainError(f"series of {symbol}", kind, fix)
        contract = str(market.get("contractSize") or 1)
        parts = (self.id, symbol, market["base"], market["quote"])
        return [Series(*parts, kind, "" if kind == FUNDING else step, contract) for kind in wanted]

    def page(self, series: Series, cursor: int) -> list[list[int | str]]:
        """Rows from ``cursor`` on, by time, each once, all numbers but the time as texts.

        Returns:
            [open_time, open, high, low, close, volume] or, of funding, [time, rate]; none if the
            exchange has none from there on, or none in the window that it answers for.

        Raises:
            ExchangeError: if no attempt brought a page that can be used.
        """
        what = f"{series.kind} of {series.symbol}"
        return self._asked(what, lambda: self._page(series, cursor))

    def window_ms(self, series: Series) -> int:
        """The time that an empty page has surely answered for, in ms."""
        if series.kind == FUNDING:
            return SHORTEST_FUNDING_MS * self._limit(series)
        return step_ms(series.step) * self._limit(series)

    def _page(self, series: Series, cursor: int) -> list[list[int | str]]:
        limit, client = self._limit(series), self._client
        if series.kind == FUNDING:
            answer = client.fetch_funding_rate_history(series.symbol, cursor, limit)
            rows = [_funding_row(item) for item in _sequence(answer)]
        else:
            price = {"price": series.kind} if series.kind in ("mark", "index") else {}
            answer = client.fetch_ohlcv(series.symbol, series.step, cursor, limit, price)
            rows = [_bar_row(item, traded=not price) for item in _sequence(answer)]
        if client.last_json_response is None:  # ccxt reads some texts as no rows at all
            raise _UnusableError("it gave no JSON (RFC 8259)")
        found: dict[int | str, list[int | str]] = {}
        for row in rows:
            if found.setdefault(row[0], row) != row:
                raise _UnusableError(f"it gave two different rows for the time {row[0]}")
        forward = [found[key] for key in sorted(found) if isinstance(key, int) and key >= cursor]
        if rows and not forward:
            raise _UnusableError(f"asked for rows from {cursor} on it gave only earlier ones")
        return forward

    def _limit(self, series: Series) -> int:
        method = "fetchFundingRateHistory" if series.kind == FUNDING else "fetchOHLCV"
        stated = self._client.feature_value(series.symbol, method, "limit")
        most = FUNDING_ROWS if series.kind == FUNDING else PAGE_ROWS
        return min(int(stated), most) if stated else 100

    def _market(self, symbol: str) -> Any:
        taken = {
            name: market
            for name, market in self._client.markets.items()
            if market["spot"]
            or (market["swap"] and market["linear"] and market["settle"] == market["quote"])
        }
        if symbol in taken:
            return taken[symbol]
        plain = _letters(symbol)
        near = [name for name in taken if _letters(name.partition(":")[0]) == plain]
        near = near or difflib.get_close_matches(symbol.upper(), taken, n=NEAR, cutoff=0.6)
        fix = "write ccxt's symbol of a spot market or linear perpetual"
        if symbol in self._client.markets:
            fix = f"it is neither a spot market nor a linear perpetual: {fix}"
        if near:
            fix = f"{fix}; did you mean {_either(near[:NEAR])}?"
        raise DomainError(f"symbol at {self.id}", symbol, fix)

    def _asked(self, what: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returns; asked again, later and later, while the failure may pass."""
        place = f"{self.id}, {what}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return ask()
            except (ccxt.OperationFailed, _UnusableError) as error:
                wait = max(min(2.0 ** (attempt - 1), LONGEST_WAIT), self._told_to_wait(error))
                reason = _reason(error)
                if wait > LONGEST_BAN:
                    fix = f"it asks to wait {wait:.0f} s: wait, then {AGAIN}"
                    raise ExchangeError(place, reason, fix) from error
                if attempt == ATTEMPTS:
                    raise ExchangeError(place, f"{ATTEMPTS} times, {reason}", AGAIN) from error
                self._sleep(wait)
            except ccxt.BaseError as error:
                reason = _reason(error)
                fix = "asking again would not help: see whether the exchange serves your country"
                raise ExchangeError(place, reason, fix) from error
        raise AssertionError(ATTEMPTS)

    def _told_to_wait(self, error: Exception) -> float:
        """Seconds that the last answer's Retry-After states (RFC 9110, 10.2.3), else 0."""
        if not isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
            return 0.0
        headers = self._client.last_response_headers or {}
        text = str(headers.get("Retry-After", ""))
        return float(text) if text.isascii() and text.isdigit() else 0.0


class _UnusableError(Exception):
    """An answer that does not answer what was asked; it may pass."""


def _reason(error: Exception) -> str:
    kind = "" if isinstance(error, _UnusableError) else f"{type(error).__name__}: "
    return f"{kind}{' '.join(str(error).split())[:LONGEST_REASON]}"


def _sequence(answer: object) -> Sequence[Any]:
    if not isinstance(answer, list):
        raise _UnusableError(f"it gave no list of rows but {str(answer)[:80]!r}")
    return answer


def _bar_row(item: Any, *, traded: bool) -> list[int | str]:
    """Volumes of mark and index prices mean nothing: they are 0."""
    if not isinstance(item, list) or len(item) < ROW_WIDTH or type(item[0]) is not int:
        raise _UnusableError(f"it gave no bar but {str(item)[:80]!r}")
    texts = [*item[1:5], item[5] if traded else "0"]
    if not all(isinstance(text, str) for text in texts):
        raise _UnusableError(f"it gave no bar but {str(item)[:80]!r}")
    return [item[0], *texts]


def _funding_row(item: Any) -> list[int | str]:
    due = item.get("timestamp") if isinstance(item, dict) else None
    rate = item.get("fundingRate") if isinstance(item, dict) else None
    if type(due) is not int or not isinstance(rate, str):
        raise _UnusableError(f"it gave no funding rate but {str(item)[:80]!r}")
    return [due - due % JITTER_MS, rate]  # exchanges stamp payments some ms late


def _letters(symbol: str) -> str:
    return re.sub("[^A-Z0-9]", "", symbol.upper().partition(":")[0])


def _either(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)
