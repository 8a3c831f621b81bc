"""One way of asking the loopback exchange: what it weighs, whether it is signed, who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from agent_fund.devnet.exchange.refusal import Refusal

Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """``answer`` takes the parameters and gives what is sent as JSON."""

    answer: Callable[[Parameters], Any]
    weight: int
    signed: bool = True


Routes = Mapping[tuple[str, str], Route]


def required(parameters: Parameters, name: str) -> str:
    """A parameter that must be there.

    Raises:
        Refusal: as Binance words it.
    """
    value = parameters.get(name)
    if not value:
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null.")
    return value


def amount(parameters: Parameters, name: str) -> Decimal:
    """A parameter that is a decimal number.

    Raises:
        Refusal: if it is not one.
    """
    try:
        value = Decimal(required(parameters, name))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")
    return value


def number(parameters: Parameters, name: str) -> int | None:
    """A parameter that is an integer, or None if it is not there."""
    value = parameters.get(name)
    if value is None:
        return None
    if not value.isdigit():
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")
    return int(value)
