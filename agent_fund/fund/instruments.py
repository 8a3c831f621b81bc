"""An instrument from the terms that a run file states; the fund and the auditor build it alike."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms, Terms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Chain, Instrument, Kind, Venue
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
        Asset(symbol, terms["asset_scale"], _issuer(terms, symbol)),
        currency,
        _venue(terms, terms["venue"] or venue),
        terms["price_scale"],
        to_units(terms["lot"], terms["asset_scale"], f"lot of {symbol}"),
        to_units(terms["tick"], terms["price_scale"], f"tick of {symbol}"),
        Kind(terms["kind"]),
        terms["underlying"] or symbol,
        ratio(terms["contract"], f"contract of {symbol}"),
        None if terms["margin"] is None else _margin(terms["margin"], currency, symbol),
        terms=_terms(Kind(terms["kind"]), terms.get("terms"), symbol),
    )


def _issuer(terms: Mapping[str, Any], symbol: str) -> str:
    issuer = terms.get("issuer") or ""
    if issuer and terms["margin"] is not None:
        fix = "state it of what is held, not of a contract with margin, which is owed by its venue"
        raise DomainError(f"issuer of {symbol}", issuer, fix)
    return str(issuer)


def _venue(terms: Mapping[str, Any], name: str) -> Venue:
    chain = terms.get("chain")
    return Venue(name, None if chain is None else Chain(chain))


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


_TERMS = {
    Kind.OPTION: ("on", "strike", "expires", "call"),
    Kind.FUTURE: ("expires",),
    Kind.LP_SHARE: ("on", "against"),
}


def _terms(kind: Kind, value: Mapping[str, Any] | None, symbol: str) -> Terms | None:
    """What a derivative pays, from plain JSON values."""
    names = _TERMS.get(kind, ())
    if sorted(value or ()) != sorted(names):
        fix = f"kind {kind.value} states {', '.join(names) or 'none'}"
        raise DomainError(f"terms of {symbol}", value, fix)
    if value is None:
        return None
    match kind:
        case Kind.OPTION:
            strike = ratio(value["strike"], f"strike of {symbol}")
            return OptionTerms(value["on"], strike, value["expires"], value["call"])
        case Kind.FUTURE:
            return FutureTerms(value["expires"])
        case _:
            return PoolTerms(value["on"], value["against"])


def _terms_json(terms: Terms) -> dict[str, Any]:
    match terms:
        case OptionTerms():
            return {
                "on": terms.on,
                "strike": str(terms.strike),
                "expires": terms.expires,
                "call": terms.call,
            }
        case FutureTerms():
            return {"expires": terms.expires}
        case PoolTerms():
            return {"on": terms.on, "against": terms.against}


def instrument_json(instrument: Instrument) -> dict[str, Any]:
    """The instrument as the first record of a log states it."""
    margin, chain = instrument.margin, instrument.venue.chain
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
        **({} if instrument.terms is None else {"terms": _terms_json(instrument.terms)}),
        **({} if chain is None else {"chain": chain.caip2}),
        **({"issuer": instrument.base.issuer} if instrument.base.issuer else {}),
    }


def instrument_from_json(value: Mapping[str, Any], currency: Asset) -> Instrument:
    """The instrument that ``instrument_json`` wrote.

    Raises:
        DomainError: if it does not re-encode identically, or cannot be.
    """
    margin = value["margin"]
    return Instrument(
        value["symbol"],
        Asset(value["symbol"], value["asset_scale"], _issuer(value, value["symbol"])),
        currency,
        _venue(value, value["venue"]),
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
        _terms(Kind(value["kind"]), value.get("terms"), value["symbol"]),
    )
