"""One key's transactions: signed once, sent as often as needed, dead only when that is certain."""

from __future__ import annotations

import asyncio
import base64

import pytest
from near_world import FUND, World, in_world

from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.near.borsh import decode_transaction
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.lane import Fate, Lane
from agent_fund.execution.near.transaction import FunctionCall, NearTransaction, sign_call


def faucet(units: int) -> FunctionCall:
    return FunctionCall("wrap.near", "mint", {"amount": str(units)})


def minted(w: World) -> int:
    return int(w.near.chain.accounts["wrap.near"].state.get(FUND, 0))


def test_the_same_bytes_twice_run_once() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        assert (await w.lane.outcome(made)).fate is Fate.PENDING
        for _ in range(2):
            sent = await w.lane.send(made)
            assert (sent.fate, sent.result and sent.result.hash) == (Fate.DONE, made.hash)
        assert minted(w) == 5

    in_world(check)


@pytest.mark.parametrize("fault", ["lost", "silent", "500"])
def test_a_lost_answer_is_unknown_and_the_hash_finds_out(fault: str) -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        w.near.node.arm("send_tx", fault)
        assert (await w.lane.send(made)).fate is Fate.UNKNOWN
        done = fault == "silent"
        assert (await w.lane.outcome(made)).fate is (Fate.DONE if done else Fate.PENDING)
        assert (await w.lane.send(made)).fate is Fate.DONE
        assert minted(w) == 5

    in_world(check)


def test_a_dropped_transaction_is_pending_and_can_be_sent_again() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        w.near.node.arm("send_tx", "dropped")
        assert (await w.lane.send(made)).fate is Fate.PENDING
        assert (await w.lane.send(made)).fate is Fate.DONE

    in_world(check)


def test_invalid_nonce_of_a_copy_is_not_taken_for_a_failure() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        await w.lane.send(made)
        w.near.node.arm("send_tx", "nonce")
        assert (await w.lane.send(made)).fate is Fate.DONE

    in_world(check)


def test_invalid_nonce_of_what_can_still_run_is_not_death() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        w.near.node.arm("send_tx", "nonce")
        sent = await w.lane.send(made)
        assert (sent.fate, "InvalidNonce" in sent.detail) == (Fate.PENDING, True)

    in_world(check)


def test_an_overtaken_transaction_is_dead() -> None:
    async def check(w: World) -> None:
        first, second = await w.lane.sign(faucet(5)), await w.lane.sign(faucet(7))
        assert (await w.lane.send(second)).fate is Fate.DONE
        assert (await w.lane.send(first)).fate is Fate.DEAD
        assert minted(w) == 7

    in_world(check)


def test_a_new_process_shares_no_nonce_with_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = iter([10, 20])
    monkeypatch.setattr("secrets.randbelow", lambda most: next(steps))

    async def check(w: World) -> None:
        before = await w.lane.sign(faucet(5))
        after = await Lane(w.rpc, w.key, FUND).sign(faucet(7))
        assert after.nonce == before.nonce + 10
        for made in (before, after):
            assert (await w.lane.send(made)).fate is Fate.DONE
        assert minted(w) == 12

    in_world(check)


def test_concurrent_signatures_have_different_nonces() -> None:
    async def check(w: World) -> None:
        made = await asyncio.gather(*(w.lane.sign(faucet(n)) for n in range(1, 9)))
        assert len({one.nonce for one in made}) == 8

    in_world(check)


def test_a_failed_call_is_told_with_its_reason() -> None:
    async def check(w: World) -> None:
        with pytest.raises(NearRefused, match="MethodNotFound"):
            await w.lane.run(FunctionCall("wrap.near", "nothing", {}))
        w.near.node.arm("send_tx", "lost", 3)
        with pytest.raises(NearUnreachable):
            await w.lane.run(faucet(5), tries=2)

    in_world(check)


def test_the_node_refuses_forged_and_foreign_transactions() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        forged = NearTransaction(made.raw[:-1] + bytes([made.raw[-1] ^ 1]), made.hash, made.nonce)
        with pytest.raises(NearRefused, match="InvalidSignature"):
            await w.rpc.send(forged.raw)
        stranger = DevnetKey("stranger")
        block = (await w.rpc.final_block()).hash
        for account in (FUND, "nobody.near"):
            foreign = await sign_call(stranger, account, faucet(5), 10**9, block)
            with pytest.raises(NearRefused):
                await w.rpc.send(foreign.raw)
        old = await sign_call(w.key, FUND, faucet(5), 10**9, bytes(32))
        with pytest.raises(NearRefused, match="Expired"):
            await w.rpc.send(old.raw)
        with pytest.raises(NearRefused):
            await w.rpc.access_key_nonce(FUND, stranger.public_key)
        assert minted(w) == 0

    in_world(check)


def test_a_transaction_is_read_to_its_last_byte() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(FunctionCall("wrap.near", "mint", {"amount": "5"}, 7, 9))
        seen = decode_transaction(made.raw)
        assert (seen.signer_id, seen.receiver_id, seen.nonce) == (FUND, "wrap.near", made.nonce)
        for wrong in (made.raw + b"\0", made.raw[:-1], b""):
            with pytest.raises(DevnetError):
                decode_transaction(wrong)

    in_world(check)


def test_a_view_that_panics_says_why() -> None:
    async def check(w: World) -> None:
        with pytest.raises(NearRefused, match="missing field"):
            await w.rpc.view("wrap.near", "ft_balance_of", {})
        assert await w.rpc.block(10**9) is None
        assert base64.b64encode((await w.rpc.final_block()).hash)

    in_world(check)
