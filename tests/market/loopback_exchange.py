"""An exchange on this machine that answers as Binance's public REST interface does, with faults.

It has BTC/USDT and ETH/USDT, spot and perpetual, hourly bars from START until NOW, the last of
which is still open; marks, indices, and funding that is stamped some ms late.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agent_fund.market.sources.exchange import Exchange, connect

HOUR = 3_600_000
START = 1_577_836_800_000  # 2020-01-01T00:00:00Z, when BTC is listed
HOURS = 60
NOW = START + HOURS * HOUR + HOUR // 2
SYMBOLS = ("BTCUSDT", "ETHUSDT")
HOLE = range(30, 33)  # the spot exchange was down
PAGE = 7
FINAL = ("503", "garbage", "cut")

Rows = list[Any]
Fault = Callable[[Rows], tuple[int, bytes, dict[str, str]]]


def bar(path: str, symbol: str, hour: int) -> list[Any]:
    """One bar; prices have up to 2, 4 or 8 decimals and are written with trailing zeros."""
    places = {"api": 2, "fapi": 4}.get(path, 8)
    level = 10**places * (7_000 if symbol == "BTCUSDT" else 130) + (hour * 7919) % 10**places
    moves = ((hour * 31) % 50, (hour * 17) % 50)
    first, last = level + moves[0], level + moves[1]
    numbers = [first, max(first, last) + 3, min(first, last) - 3, last]
    texts = [f"{n // 10**places}.{n % 10**places:0{places}d}0000" for n in numbers]
    volume = "0" if path not in ("api", "fapi") else f"{hour * 13 % 11}.{hour * 101 % 1000:03d}00"
    opened = START + hour * HOUR
    return [opened, *texts, volume, opened + HOUR - 1, "0", 1, "0", "0", "0"]


def payment(symbol: str, number: int) -> dict[str, Any]:
    rate = (number * 37 % 41) - 20
    sign = "-" if rate < 0 else ""
    time = START + number * 8 * HOUR + number % 5
    return {"symbol": symbol, "fundingRate": f"{sign}0.0000{abs(rate):02d}00", "fundingTime": time}


class LoopbackExchange:
    """The server's state.

    Attributes:
        url: where it listens.
        faults: by number of the request for rows (from 0): what goes wrong then.
        broken_from: every request for rows from this number on goes wrong.
        now: its clock, ms since the epoch, UTC.
        asked: the number of requests for rows so far.
        corrected: an hour, and the high that its bar has now.
    """

    def __init__(self) -> None:
        self.url = ""
        self.faults: dict[int, str] = {}
        self.broken_from: int | None = None
        self.fault = "503"
        self.now = NOW
        self.asked = 0
        self.paths: list[str] = []
        self.corrected: tuple[int, str] | None = None
        self.stop_at: int | None = None
        self.stopped = threading.Event()
        self.before: dict[str, Rows] = {}

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        self.paths.append(path)
        if path.endswith("/time"):
            return 200, json.dumps({"serverTime": self.now}).encode(), {}
        if path.endswith("/exchangeInfo"):
            return 200, json.dumps(_info(path)).encode(), {}
        number, self.asked = self.asked, self.asked + 1
        if self.stop_at == number:
            self.stopped.set()
            threading.Event().wait()  # never answers
        rows = self.rows(path, query)
        fault = self.faults.get(number)
        if self.broken_from is not None and number >= self.broken_from:
            fault = self.fault
        before = self.before.setdefault(path, rows)
        if fault is None:
            self.before[path] = rows
            return 200, json.dumps(rows).encode(), {}
        return FAULTS[fault](before if fault == "repeat" else rows)

    def rows(self, path: str, query: dict[str, str]) -> Rows:
        symbol = query.get("symbol") or query["pair"]
        since, limit = int(query.get("startTime", 0)), min(int(query["limit"]), PAGE)
        if path.endswith("fundingRate"):
            payments = [payment(symbol, number) for number in range(HOURS // 8 + 1)]
            due = [item for item in payments if since <= item["fundingTime"] <= self.now]
            return due[:limit]
        room = path.rpartition("/")[2]
        series = path.split("/")[1] if room == "klines" else room
        spot = series == "api"
        last = (self.now - START) // HOUR  # this one is open
        hours = [hour for hour in range(last + 1) if not (spot and hour in HOLE)]
        bars = [bar(series, symbol, hour) for hour in hours if START + hour * HOUR >= since]
        if self.corrected is not None:
            hour, price = self.corrected
            for item in bars:
                if item[0] == START + hour * HOUR:
                    item[2] = price
        if bars and bars[-1][0] == START + last * HOUR:
            bars[-1][4], bars[-1][5] = bars[-1][2], "0.00100"  # so far
        return bars[:limit]


def _ok(rows: Rows) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(rows).encode(), {}


def _refused(status: int, body: bytes, **headers: str) -> Fault:
    return lambda rows: (status, body, {k.replace("_", "-"): v for k, v in headers.items()})


FAULTS: dict[str, Fault] = {
    "429": _refused(429, b'{"code":-1003,"msg":"Too many requests."}', Retry_After="2"),
    "418": _refused(418, b'{"code":-1003,"msg":"IP banned."}', Retry_After="7"),
    "banned": _refused(418, b'{"code":-1003,"msg":"IP banned."}', Retry_After="7200"),
    "503": _refused(503, b'{"code":-1001,"msg":"Internal error; unable to process."}'),
    "502": _refused(502, b"<html>bad gateway</html>"),
    "451": _refused(451, b'{"code":0,"msg":"Service unavailable from a restricted location"}'),
    "garbage": _refused(200, b"[[1577836800000,"),
    "cut": lambda rows: (200, json.dumps(rows).encode(), {"cut": "1"}),
    "empty": _refused(200, b"[]"),
    "repeat": _ok,
    "unsorted": lambda rows: _ok(rows[::-1]),
    "twice": lambda rows: _ok([row for row in rows for _ in range(2)]),
    "contradiction": lambda rows: _ok([*rows, _other(rows[0])]) if rows else _ok(rows),
}
PASSING = ("429", "418", "503", "502", "garbage", "cut", "repeat", "unsorted", "twice")


def _other(row: Any) -> Any:
    if isinstance(row, dict):
        return row | {"fundingRate": "0.00009999"}
    return [row[0], row[1], str(float(row[2]) + 1), *row[3:]]


def _info(path: str) -> dict[str, Any]:
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01",
            "maxPrice": "9999999",
            "tickSize": "0.01",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
    ]
    symbols: list[dict[str, Any]] = []
    for symbol in SYMBOLS if "/dapi/" not in path else ():
        assets = {"baseAsset": symbol[:3], "quoteAsset": "USDT"}
        shared = {"symbol": symbol, "status": "TRADING", "filters": filters, **assets}
        if "/fapi/" in path:
            kind = {"contractType": "PERPETUAL", "marginAsset": "USDT", "pair": symbol}
            kind |= {"deliveryDate": 4_133_404_800_000, "onboardDate": START}
            symbols.append(shared | kind)
        else:
            rights = {"isSpotTradingAllowed": True, "permissions": ["SPOT"]}
            symbols.append(shared | {"baseAssetPrecision": 8, "quotePrecision": 8, **rights})
    return {"timezone": "UTC", "serverTime": NOW, "rateLimits": [], "symbols": symbols}


@contextmanager
def serving() -> Iterator[LoopbackExchange]:
    """A server of its own thread for as long as the context lasts."""
    exchange = LoopbackExchange()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            status, body, headers = exchange.answer(split.path, dict(parse_qsl(split.query)))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if "cut" in headers else body)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    exchange.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client_at(url: str) -> Any:
    """ccxt's own binance, with nothing changed but where it asks, and how often it may."""
    client = connect("binance")
    client.enableRateLimit = False
    for name, address in list(client.urls["api"].items()):
        client.urls["api"][name] = url + address[address.find("/", 8) :]
    return client


def exchange_at(url: str) -> tuple[Exchange, list[float]]:
    """The exchange, and the list of the seconds that it waits."""
    waits: list[float] = []
    return Exchange(client_at(url), waits.append), waits
