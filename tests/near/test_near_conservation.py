"""Whatever intents do, every token is conserved, and what the verifier owes it also has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.intents import verifier
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.devnet.near.token import fungible_token
from agent_fund.execution.near.fees import fee_on
from agent_fund.execution.near.nonce import VersionedNonce
from agent_fund.execution.near.signed import sign_intents, token_diff, transfer

NOW = 1_790_000_000
PEOPLE = ("a.near", "b.near", "c.near")
TOKENS = ("x.near", "y.near")
SALT = bytes.fromhex("2244677b")
SUPPLY = 10**6


@dataclass
class Bank:
    """Three accounts with a million units of two tokens each inside the verifier."""

    chain: Chain
    fee: int
    signed: int = 0

    @classmethod
    def of(cls, fee: int) -> Bank:
        chain = Chain(lambda: NOW * 10**9)
        chain.create("intents.near", contract=verifier(fee, "owner.near", SALT))
        for name in (*PEOPLE, "owner.near", "nobody.near"):
            chain.create(name)
        for name in PEOPLE:
            key = {"public_key": DevnetKey(name).text}
            chain.call(name, "intents.near", "add_public_key", key, 1)
        for token in TOKENS:
            chain.create(token, contract=fungible_token(6, token))
            for name in (*PEOPLE, "intents.near"):
                chain.call(name, token, "storage_deposit", {"account_id": name})
            for name in PEOPLE:
                chain.call(name, token, "mint", {"amount": str(SUPPLY)})
                sent = {"receiver_id": "intents.near", "amount": str(SUPPLY), "msg": ""}
                chain.call(name, token, "ft_transfer_call", sent, 1)
        return cls(chain, fee)

    def sign(self, who: str, intents: list[Mapping[str, Any]], standard: str) -> dict[str, Any]:
        self.signed += 1
        deadline = NOW + 60
        nonce = VersionedNonce(SALT, deadline * 10**9, self.signed.to_bytes(15, "big"))
        made = sign_intents(
            DevnetKey(who),
            intents,
            account_id=who,
            contract_id="intents.near",
            deadline=deadline,
            nonce=nonce.encode(),
            standard=standard,
        )
        return dict(asyncio.run(made).body)

    def state(self) -> dict[Any, Any]:
        return dict(self.chain.accounts["intents.near"].state.items())

    def check(self) -> None:
        balances = {k: v for k, v in self.state().items() if k[0] == "balance"}
        assert min(balances.values(), default=1) > 0
        for token in TOKENS:
            held = dict(self.chain.accounts[token].state.items())
            assert sum(held.values()) == SUPPLY * len(PEOPLE)
            owed = sum(v for k, v in balances.items() if k[2] == f"nep141:{token}")
            assert owed == held["intents.near"]


people, amounts = st.sampled_from(PEOPLE), st.integers(1, SUPPLY * 2)
ids = st.sampled_from([f"nep141:{token}" for token in TOKENS])
signed_amounts = st.integers(-SUPPLY * 2, SUPPLY * 2).filter(bool)
wild = st.one_of(
    st.dictionaries(ids, signed_amounts, min_size=1).map(token_diff),
    st.builds(transfer, people, st.dictionaries(ids, amounts, min_size=1)),
    st.fixed_dictionaries(
        {
            "intent": st.just("ft_withdraw"),
            "token": st.sampled_from(TOKENS),
            "receiver_id": st.sampled_from([*PEOPLE, "nobody.near"]),
            "amount": amounts.map(str),
        }
    ),
)
wild_batches = st.lists(st.tuples(people, st.lists(wild, max_size=3)), min_size=1, max_size=3)
matched = st.tuples(
    st.permutations(PEOPLE), st.permutations([f"nep141:{t}" for t in TOKENS]), amounts, amounts
)
standards = st.sampled_from(["raw_ed25519", "nep413"])


def execute(bank: Bank, signed: list[dict[str, Any]]) -> bool:
    before = bank.state()
    done = bank.chain.call("owner.near", "intents.near", "execute_intents", {"signed": signed})
    failed = "Failure" in done.outcomes[0].status
    if failed:
        assert bank.state() == before
    bank.check()
    return not failed


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1_000_000), st.lists(st.tuples(wild_batches, standards), max_size=5))
def test_wild_intents_conserve_every_token(fee: int, batches: list[Any]) -> None:
    bank = Bank.of(fee)
    for batch, standard in batches:
        execute(bank, [bank.sign(who, intents, standard) for who, intents in batch])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999_999), st.lists(st.tuples(matched, standards), max_size=6))
def test_matched_trades_move_exactly_their_diffs_and_the_fee(fee: int, trades: list[Any]) -> None:
    bank = Bank.of(fee)
    for ((one, other, _), (x, y), give, take), standard in trades:
        left, right = give - fee_on(x, give, fee), take - fee_on(y, take, fee)
        if not left or not right:
            continue
        first, second = {x: -give, y: right}, {x: left, y: -take}
        before = bank.state()
        signed = [
            bank.sign(one, [token_diff(first)], standard),
            bank.sign(other, [token_diff(second)], standard),
        ]
        able = before.get(("balance", one, x), 0) >= give
        able &= before.get(("balance", other, y), 0) >= take
        # The first payload runs first: what it receives is there before the second one pays.
        assert execute(bank, signed) == able
        if able:
            after = bank.state()
            for who, diff in ((one, first), (other, second), ("owner.near", {x: give - left})):
                for token, units in diff.items():
                    key = ("balance", who, token)
                    assert after.get(key, 0) - before.get(key, 0) == units


def test_a_replayed_payload_changes_nothing() -> None:
    bank = Bank.of(100)
    signed = [bank.sign("a.near", [transfer("b.near", {"nep141:x.near": 5})], "nep413")]
    assert execute(bank, signed)
    assert not execute(bank, signed)
    assert json.dumps(signed)
