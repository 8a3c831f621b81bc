"""The loopback verifier against 17 cases recorded from the real contract, in their order."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.intents import verifier
from agent_fund.devnet.near.token import fungible_token

FILE = Path(__file__).parents[2].parent / "shared" / "vectors" / "near" / "intents_vectors.json"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the recorded cases are not here")
RECORDED: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
CASES = RECORDED.get("vectors", [])
TOKENS = {"nep141:wrap.near": 24, "nep141:usdc.near": 6}
ACCOUNTS = ("alice.near", "bob.near", "owner.near")


def genesis() -> Chain:
    chain = Chain(lambda: RECORDED["clock_ns"])
    for name in ACCOUNTS:
        chain.create(name)
    salt = bytes.fromhex(RECORDED["salt"])
    chain.create("intents.near", contract=verifier(RECORDED["fee_pips"], "owner.near", salt))
    for token, decimals in TOKENS.items():
        name = token.removeprefix("nep141:")
        chain.create(name, contract=fungible_token(decimals, name))
        for holder in (*ACCOUNTS[:2], "intents.near"):
            chain.call("owner.near", name, "storage_deposit", {"account_id": holder})
    for holder, amounts in RECORDED["genesis"].items():
        for token, units in amounts.items():
            name = token.removeprefix("nep141:")
            chain.call(holder, name, "mint", {"amount": units})
            send = {"receiver_id": "intents.near", "amount": units, "msg": ""}
            chain.call(holder, name, "ft_transfer_call", send, 1)
    for case in CASES:
        for signed in case["signed"]:
            said = json.loads(signed["payload"])["signer_id"]
            own = (said == "alice.near" and case["name"] != "wrong_key") or said == "bob.near"
            if own:
                key = {"public_key": signed["public_key"]}
                chain.call(said, "intents.near", "add_public_key", key, 1)
    return chain


def balances(chain: Chain) -> dict[str, dict[str, str]]:
    found = {}
    for account in ACCOUNTS:
        args = json.dumps({"account_id": account, "token_ids": list(TOKENS)}).encode()
        raw = chain.view("intents.near", "mt_batch_balance_of", args, chain.head)
        found[account] = dict(zip(TOKENS, json.loads(raw), strict=True))
    return found


@functools.cache
def replayed() -> dict[str, dict[str, Any]]:
    """What the loopback contract makes of each case; the cases build on each other."""
    chain, found = genesis(), {}
    for case in CASES:
        done = chain.call(
            "owner.near", "intents.near", "execute_intents", {"signed": case["signed"]}
        )
        failure = done.outcomes[0].status.get("Failure")
        error = failure and failure["ActionError"]["kind"]["FunctionCallError"]["ExecutionError"]
        found[case["name"]] = {
            "error": error,
            "events": [log for outcome in done.outcomes for log in outcome.logs],
            "failed_receipts": sum("Failure" in outcome.status for outcome in done.outcomes),
            "balances_after": balances(chain),
        }
    return found


def canonical(log: str) -> str:
    """The log itself; the transfers of an mt_transfer sorted, since a hash map orders them."""
    head, _, body = log.partition("EVENT_JSON:")
    if head or '"event":"mt_transfer"' not in log:
        return log
    event = json.loads(body)
    event["data"].sort(key=json.dumps)
    return "EVENT_JSON:" + json.dumps(event)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_recorded_case_is_reproduced_exactly(case: dict[str, Any]) -> None:
    found = replayed()[case["name"]]
    assert found["error"] == case["error"]
    assert [canonical(log) for log in found["events"]] == [canonical(log) for log in case["events"]]
    assert found["failed_receipts"] == case["failed_receipts"]
    assert found["balances_after"] == case["balances_after"]


def test_all_seventeen_cases_are_there() -> None:
    assert len(CASES) == 17
