"""Instruments state their chain and their issuer, and those that have none say nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Chain
from agent_fund.fund.instruments import instrument_from_json, instrument_json, instrument_of

USD = Asset("USD", 12)
SPOT: dict[str, Any] = {
    "symbol": "PEG",
    "kind": "spot",
    "venue": None,
    "underlying": None,
    "contract": "1",
    "asset_scale": 2,
    "price_scale": 4,
    "lot": "0.01",
    "tick": "0.0001",
    "margin": None,
}
MARGIN = {
    "initial": "10%",
    "tiers": [{"floor": "0", "rate": "5%"}],
    "liquidation_fee": "1%",
    "isolated": False,
}


def test_chain_and_issuer_are_read_back_from_the_log() -> None:
    found = instrument_of({**SPOT, "chain": "eip155:1", "issuer": "mint"}, USD, "pool")
    assert (found.venue.chain, found.base.issuer) == (Chain("eip155:1"), "mint")
    written = instrument_json(found)
    assert (written["chain"], written["issuer"]) == ("eip155:1", "mint")
    assert instrument_from_json(written, USD) == found


@pytest.mark.parametrize("more", [{}, {"chain": None, "issuer": None}])
def test_what_states_neither_is_written_as_it_always_was(more: dict[str, Any]) -> None:
    found = instrument_of({**SPOT, **more}, USD, "exchange")
    assert (found.venue.chain, found.base.issuer) == (None, "")
    written = instrument_json(found)
    assert {"chain", "issuer"}.isdisjoint(written)
    assert instrument_from_json(written, USD) == found


def test_a_contract_with_margin_has_no_issuer() -> None:
    terms = {**SPOT, "kind": "perpetual", "margin": MARGIN, "issuer": "mint"}
    with pytest.raises(DomainError, match="issuer of PEG"):
        instrument_of(terms, USD, "exchange")
    plain = instrument_json(instrument_of({**terms, "issuer": None}, USD, "exchange"))
    with pytest.raises(DomainError, match="issuer of PEG"):
        instrument_from_json({**plain, "issuer": "mint"}, USD)


@pytest.mark.parametrize("more", [{"chain": "ethereum"}, {"chain": ""}, {"issuer": "the mint"}])
def test_a_chain_or_an_issuer_that_is_none_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(DomainError):
        instrument_of({**SPOT, **more}, USD, "pool")
