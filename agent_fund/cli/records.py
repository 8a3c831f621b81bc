"""One line for each record of a log, in a person's units; what has no known form is shown raw."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from agent_fund.cli.terminal import money, one_line
from agent_fund.domain.money import ceil_div, from_units
from agent_fund.guard.finding import share
from agent_fund.guard.kernel.form import SCALE

_DAY = 86_400_000


@dataclass
class Reader:
    """Reads records in order; what units mean, and when a bar closed, comes from those before.

    Attributes:
        currency: symbol of the fund's currency, and its ``scale``.
        scales: (decimals of a quantity, decimals of a price) by instrument.
    """

    currency: str = ""
    scale: int = 0
    scales: dict[str, tuple[int, int]] = field(default_factory=dict)
    _orders: dict[str, str] = field(default_factory=dict)

    def gist(self, record: Mapping[str, Any]) -> str:
        """One line that says what ``record`` states; call it for every record from the first."""
        try:
            return one_line(self._gist(record))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return one_line(json.dumps(record))

    def _gist(self, record: Mapping[str, Any]) -> str:
        match record["kind"]:
            case "genesis":
                return self._genesis(record)
            case "mark":
                rows = record["rows"]
                nav = self._money(rows[-1][6])
                return f"bars {rows[0][0]} to {rows[-1][0]}; NAV {nav}"
            case "intent":
                return f"commits to decision {record['id']}: {record['commitment'][:16]}"
            case "call":
                return f"asks the model for intent {record['intent']}"
            case "response":
                told = f"failed: {record['failure']}" if record["failure"] else "an answer"
                return f"{told}, for intent {record['intent']}"
            case "abort":
                return f"abstains: {record['reason']}"
            case "proposal":
                moves = [self._move(transfer) for transfer in record["transfers"]]
                legs = [self._legs(record["legs"])] if record["legs"] or not moves else []
                return f"{', '.join(moves + legs)}: {record['reason']}"
            case "guard":
                return self._guard(record)
            case "order":
                symbol = self._orders[record["id"]] = record["instrument"]
                text = self._leg(record["side"], symbol, record["quantity"], record["limit"])
                return f"{text}, {record['purpose']}, until bar {record['expires']}"
            case "fill":
                symbol = self._orders[record["order"]]
                text = f"{self._quantity(symbol, record['quantity'])} {symbol} @ "
                text += self._price(symbol, record["price"])
                return f"{text}, fee {self._money(record['fee'])}"
            case "transfer":
                return f"{self._move(record)}, there at bar {record['due']}"
            case "arrival":
                return f"transfer {record['id'][:8]} is there"
            case "funding":
                return self._funding(record)
            case "liquidation":
                symbol = record["instrument"]
                held = f"{self._quantity(symbol, record['quantity'])} {symbol}"
                text = f"the venue closes {held} @ {self._price(symbol, record['mark'])}"
                return f"{text} at the {record['when']}, fee {self._money(record['fee'])}"
            case "forced":
                symbol = record["instrument"]
                held = f"{self._quantity(symbol, record['quantity'])} {symbol}"
                text = f"the venue closes {held} @ {self._price(symbol, record['price'])}"
                return f"{text}, fee {self._money(record['fee'])}"
            case "status":
                return f"{self._orders[record['order']]} order {record['status']}"
            case "gap":
                return (
                    f"no bars of {', '.join(record['missing'])} until {_moment(record['before'])}"
                )
            case "close":
                end = f"after {record['bars']} bars: NAV {self._money(record['nav'])}"
                broken = f", limit broken at {record['breaches']}" if record["breaches"] else ""
                return f"{end}, {record['mode']}{broken}"
            case other:
                raise ValueError(other)

    def _genesis(self, record: Mapping[str, Any]) -> str:
        self.currency, self.scale = record["currency"]["symbol"], record["currency"]["scale"]
        self.scales = {
            i["symbol"]: (i["asset_scale"], i["price_scale"]) for i in record["instruments"]
        }
        guarded = "guarded" if record["guarded"] else "unguarded"
        symbols = ", ".join(self.scales)
        return f"{record['fund']}, {guarded}: {symbols}; {self._money(record['cash'])}"

    def _guard(self, record: Mapping[str, Any]) -> str:
        act = record["act"]
        if act == "decide":
            text = str(record["outcome"])
            if text == "repaired":
                text += f" to {share(Fraction(record['theta']))}"
            broken = ", ".join(finding["guardrail"] for finding in record["broken"])
            return f"{act}: {text}{f', {broken} broken' if broken else ''}"
        if act == "look":
            loss = self._money(str(ceil_div(int(record["bounds"]["loss"]), SCALE)))
            return f"{act}: certified, to lose at most {loss}"
        if act in ("flow", "flow_queued"):
            return f"{act}: {self._money(record['amount'])} of {record['name']}"
        why = record["why"].get("text") or record["why"].get("guardrail", "")
        if act == "settle":
            return f"settle: the {self._orders[record['order']]} order in doubt ends; {why}"
        if act == "adjust":
            return f"adjust: {self._adjusted(record)}; {why}"
        legs = f" {self._legs(record['legs'])}" if record.get("legs") else ""
        return f"{act}:{legs} {why}"

    def _adjusted(self, record: Mapping[str, Any]) -> str:
        scales = {symbol: scale for symbol, (scale, _) in self.scales.items()}
        scales[self.currency] = self.scale
        amounts = [
            f"{from_units(int(units), scales[symbol]).normalize():+f} {symbol}"
            for symbol, units in record["units"].items()
        ]
        nav = self._money(record["value"])
        return f"{', '.join(amounts)} at {record['place']}, NAV moves by {nav}"

    def _move(self, transfer: Mapping[str, str]) -> str:
        amount = self._money(transfer["amount"])
        return f"move {amount} from {transfer['source']} to {transfer['target']}"

    def _funding(self, record: Mapping[str, str]) -> str:
        symbol, amount = record["instrument"], record["amount"]
        verb = "pays" if amount.startswith("-") else "receives"
        held = f"{self._quantity(symbol, record['quantity'])} {symbol}"
        return f"{held} {verb} {self._money(amount.removeprefix('-'))}"

    def _legs(self, legs: Sequence[Mapping[str, str]]) -> str:
        texts = [
            self._leg(leg["side"], leg["instrument"], leg["quantity"], leg["limit"]) for leg in legs
        ]
        return ", ".join(texts) or "hold"

    def _leg(self, side: str, symbol: str, quantity: str, limit: str) -> str:
        return f"{side} {self._quantity(symbol, quantity)} {symbol} @ {self._price(symbol, limit)}"

    def _quantity(self, symbol: str, units: str) -> str:
        return str(from_units(int(units), self.scales[symbol][0]))

    def _price(self, symbol: str, units: str) -> str:
        return f"{from_units(int(units), self.scales[symbol][1]).normalize():f}"

    def _money(self, units: str) -> str:
        return f"{money(from_units(int(units), self.scale))} {self.currency}"


def when(record: Mapping[str, Any], times: Mapping[int, str]) -> str:
    """The bar and the time that ``record`` belongs to, as far as it says.

    Args:
        times: when each bar closed, as ``stamps`` gives it.
    """
    match record:
        case {"rows": [[int(bar), *_], *_]} | {"bar": int(bar)}:
            close = times.get(bar)
            return f"{bar} {close}" if close is not None else str(bar)
        case _:
            return ""


def close_times(records: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """close_time by bar, ms since the epoch, UTC, from the marks among ``records``."""
    times: dict[int, int] = {}
    for record in records:
        match record:
            case {"kind": "mark", "rows": [*rows]}:
                for row in rows:
                    match row:
                        case [int(bar), _, int(close), *_]:
                            times[bar] = close
    return times


def stamps(times: Mapping[int, int]) -> dict[int, str]:
    """Each close as text, UTC: the day, and the time of day where a day has several bars.

    Args:
        times: as ``close_times`` gives it.
    """
    closes = {bar: _utc(time) for bar, time in times.items()}
    if len({close.date() for close in closes.values()}) == len(closes):
        return {bar: f"{close:%Y-%m-%d}" for bar, close in closes.items()}
    form = "%H:%M:%S" if any(close.second for close in closes.values()) else "%H:%M"
    return {bar: f"{close:%Y-%m-%d} {close:{form}}" for bar, close in closes.items()}


def _moment(time: int) -> str:
    """A time in ms since the epoch, UTC: the day, and the time of day unless that is midnight."""
    at = _utc(time)
    return f"{at:%Y-%m-%d %H:%M:%S}" if time % _DAY else f"{at:%Y-%m-%d}"


def _utc(time: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=time)
