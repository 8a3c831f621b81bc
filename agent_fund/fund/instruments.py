"""An instrument from the terms that a run file states; the fund and the auditor build it alike."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.money import ratio, to_units


def instrument_of(terms: Mapping[str, Any], currency: Asset, venue: str) -> Instrument:
    """The instrument of one ``[[instruments]]`` table, as plain JSON values.

    Args:
        venue: where it trades, if the table does not say.

    Raises:
        DomainError: naming the term that cannot be.
    """
    symbol = terms["symbol"]
    return Instrument(
        symbol,
        Asset(symbol, terms["asset_scale"]),
        currency,
        Venue(terms["venue"] or venue),
        terms["price_scale"],
        to_units(terms["lot"], terms["asset_scale"], f"lot of {symbol}"),
        to_units(terms["tick"], terms["price_scale"], f"tick of {symbol}"),
        Kind(terms["kind"]),
        terms["underlying"] or symbol,
        ratio(terms["contract"], f"contract of {symbol}"),
        None if terms["margin"] is None else _margin(terms["margin"], currency, symbol),
    )


def _margin(terms: Mapping[str, Any], currency: Asset, symbol: str) -> Margin:
    return Margin(
        ratio(terms["initial"]),
        tuple(
            Tier(
                to_units(tier["floor"], currency.scale, f"maintenance tier of {symbol}"),
                ratio(tier["rate"]),
            )
            for tier in terms["tiers"]
        ),
        ratio(terms["liquidation_fee"]),
        terms["isolated"],
    )


def instrument_json(instrument: Instrument) -> dict[str, Any]:
    """The instrument as the first record of a log states it."""
    margin = instrument.margin
    return {
        "symbol": instrument.symbol,
        "kind": instrument.kind.value,
        "venue": instrument.venue.name,
        "underlying": instrument.underlying,
        "asset_scale": instrument.base.scale,
        "price_scale": instrument.price_scale,
        "lot": str(instrument.lot),
        "tick": str(instrument.tick),
        "contract": str(instrument.contract),
        "margin": None
        if margin is None
        else {
            "initial": str(margin.initial),
            "tiers": [[str(tier.floor), str(tier.rate)] for tier in margin.tiers],
            "liquidation_fee": str(margin.liquidation_fee),
            "isolated": margin.isolated,
        },
    }


def instrument_from_json(value: Mapping[str, Any], currency: Asset) -> Instrument:
    """The instrument that ``instrument_json`` wrote.

    Raises:
        DomainError: if it does not re-encode identically, or cannot be.
    """
    margin = value["margin"]
    return Instrument(
        value["symbol"],
        Asset(value["symbol"], value["asset_scale"]),
        currency,
        Venue(value["venue"]),
        value["price_scale"],
        int(value["lot"]),
        int(value["tick"]),
        Kind(value["kind"]),
        value["underlying"],
        Fraction(value["contract"]),
        None
        if margin is None
        else Margin(
            ratio(margin["initial"]),
            tuple(Tier(int(floor), ratio(rate)) for floor, rate in margin["tiers"]),
            ratio(margin["liquidation_fee"]),
            margin["isolated"],
        ),
    )
