"""The scalars of a run file: exact numbers, periods and names as written, never a float."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Chain
from agent_fund.domain.money import decimal, ratio, require_name
from agent_fund.market.errors import MarketError
from agent_fund.market.steps import step_ms


def _text(value: Any) -> Any:
    if isinstance(value, (float, bool)):
        raise ValueError(f'{value!r} is no exact number: write it in quotes, like "0.02%"')
    return str(value) if isinstance(value, int) else value


def _ratio(value: Any) -> Fraction:
    try:
        return ratio(_text(value))
    except DomainError as error:
        raise ValueError(str(error)) from None


def _decimal(value: Any) -> Decimal:
    try:
        return decimal(_text(value), "number")
    except DomainError as error:
        raise ValueError(str(error)) from None


def _step(value: str) -> str:
    try:
        step_ms(value)
    except MarketError as error:
        raise ValueError(str(error)) from None
    return value


def _period(value: str) -> str:
    seconds(value)
    return value


def seconds(period: str) -> int:
    """The seconds of a period such as ``"30s"``, ``"5m"``, ``"1h"`` or ``"1d"``.

    Raises:
        ValueError: for anything else.
    """
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(period[-1:])
    if unit is None or not period[:-1].isdecimal() or int(period[:-1]) == 0:
        raise ValueError('write a whole number and s, m, h or d, such as "30s" or "1h"')
    return int(period[:-1]) * unit


def _chain(value: str) -> str:
    try:
        return Chain(value).caip2
    except DomainError as error:
        raise ValueError(str(error)) from None


def _issuer(value: str) -> str:
    try:
        return require_name(value, "issuer")
    except DomainError as error:
        raise ValueError(str(error)) from None


Ratio = Annotated[Fraction, BeforeValidator(_ratio)]
Number = Annotated[Decimal, BeforeValidator(_decimal)]
Step = Annotated[str, AfterValidator(_step)]
Period = Annotated[str, AfterValidator(_period)]
ChainName = Annotated[str, AfterValidator(_chain)]
IssuerName = Annotated[str, AfterValidator(_issuer)]
