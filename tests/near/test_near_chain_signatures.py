"""Chain signatures: the derivation against published values, an EVM address under a NEAR key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from near_world import World, in_world

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.near.mpc import ROOT
from agent_fund.devnet.packages import missing
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.near.chain_signatures import (
    ChainSignatureSigner,
    child_public_key,
    epsilon,
    evm_address,
)
from agent_fund.execution.near.encoding import base58_text
from agent_fund.execution.near.errors import NearRefused
from agent_fund.execution.near.rpc import Result
from agent_fund.execution.near.transaction import FunctionCall

# Captured from v1.signer-prod.testnet; published in the tests of chainsig.js.
TESTNET_ROOT = (
    "secp256k1:4NfTiv3UsGahebgTaHyD9vF8KYKMBnfd6kh94mK6"
    "xv8fGBiJB8TBtFMP5WWXz6B89Ac1fbpzPwAvoyQebemHFwx3"
)
TESTNET_CHILD = (
    "3b3GS4kaAPvzxFUEYKiMvXeuBzttMZosggT3iAAbyZzAfQc1Dn4eLrDshNGGeKZyfSK7xegjPSq553NXHisMLiyA"
)
# The first and the last of the tweaks that near/mpc pins in its tests.
TWEAKS = {
    ("dwefqwg", "frwewegwegweg"): (
        "ad2d6fc1f445a1b43830415e7e6e3d03cd077673047848a085f130c24f53ee00"
    ),
    ("fnwef0942534", "fwefwo23fewfw"): (
        "91da4d8973ea3ccaad9c7b71cb81fa512c4cc939c5157cdbf6a9605d3d1ce4a2"
    ),
}
ROOT_TEXT = "secp256k1:" + base58_text(ROOT.public_key.to_bytes())


@pytest.mark.parametrize(("of", "tweak"), TWEAKS.items())
def test_the_epsilon_is_the_networks_own(of: tuple[str, str], tweak: str) -> None:
    assert epsilon(*of).hex() == tweak


def test_the_child_key_is_the_one_that_the_live_contract_gave() -> None:
    child = child_public_key(TESTNET_ROOT, "derivation-test.testnet", "unit-test")
    assert base58_text(child) == TESTNET_CHILD


def test_another_account_or_path_has_another_address() -> None:
    of = [("fund.near", "a"), ("fund.near", "b"), ("fund2.near", "a"), ("fund.nea", "r,a")]
    assert len({evm_address(child_public_key(ROOT_TEXT, *one)) for one in of}) == 4


@pytest.mark.parametrize("root", ["ed25519:11", "secp256k1:11", "4NfT"])
def test_what_is_no_root_key_is_refused(root: str) -> None:
    with pytest.raises(ExecutionError):
        child_public_key(root, "fund.near", "a")


def test_typed_data_is_signed_so_that_the_address_recovers() -> None:
    message = {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}],
            "Said": [{"name": "what", "type": "string"}],
        },
        "primaryType": "Said",
        "domain": {"name": "test"},
        "message": {"what": "something"},
    }

    async def check(w: World) -> None:
        signer = await ChainSignatureSigner.connect(w.rpc, w.lane, "evm")
        raw = await signer.sign_typed_data(message)
        found = Account.recover_message(encode_typed_data(full_message=message), signature=raw)
        assert (len(raw), found) == (65, signer.address)

    in_world(check)


def test_a_signature_of_another_key_is_not_used() -> None:
    async def check(w: World) -> None:
        signer = ChainSignatureSigner(w.lane, TESTNET_ROOT, "evm")
        with pytest.raises(ExecutionError, match="another key"):
            await signer.sign_transaction(transaction(1, "0x" + "11" * 20))

    in_world(check)


def test_a_refusal_of_the_signer_contract_is_told() -> None:
    async def check(w: World) -> None:
        signer = ChainSignatureSigner(w.lane, ROOT_TEXT, "evm", contract_id="wrap.near")
        with pytest.raises(NearRefused, match="MethodNotFound"):
            await signer.sign_transaction(transaction(1, "0x" + "11" * 20))

    in_world(check)


def transaction(chain_id: int, to: str) -> dict[str, object]:
    return {
        "type": 2,
        "chainId": chain_id,
        "nonce": 0,
        "to": to,
        "value": 10**17,
        "data": "0x",
        "gas": 21_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
    }


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    if missing():
        pytest.skip(
            "the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)"
        )
    chain = Anvil(31_337)
    yield chain
    chain.stop()


def test_a_near_account_pays_from_its_evm_address(anvil: Anvil) -> None:
    async def check(w: World) -> None:
        signer = await ChainSignatureSigner.connect(w.rpc, w.lane, "evm")
        anvil.call("anvil_setBalance", signer.address, hex(10**18))
        to = Account.create().address
        signed = await signer.sign_transaction(transaction(anvil.chain_id, to))
        assert anvil.call("eth_sendRawTransaction", "0x" + signed.raw.hex()) == signed.hash
        while (receipt := anvil.call("eth_getTransactionReceipt", signed.hash)) is None:
            await asyncio.sleep(0.002)
        assert int(receipt["status"], 16) == 1
        assert int(anvil.call("eth_getBalance", to, "latest"), 16) == 10**17

    in_world(check)


def test_the_higher_of_the_two_signatures_is_lowered() -> None:
    """EIP-2: a chain refuses the higher s, and the network may give either."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

    async def check(w: World) -> None:
        signer = await ChainSignatureSigner.connect(w.rpc, w.lane, "evm")
        first = await signer.sign_transaction(transaction(1, "0x" + "11" * 20))
        run = w.lane.run

        async def higher(call: FunctionCall, tries: int = 20) -> Result:
            result = await run(call, tries)
            said = json.loads(result.value or b"")
            said["s"]["scalar"] = f"{order - int(said['s']['scalar'], 16):064X}"
            said["recovery_id"] ^= 1
            return replace(result, value=json.dumps(said).encode())

        w.lane.run = higher  # type: ignore[method-assign]
        assert await signer.sign_transaction(transaction(1, "0x" + "11" * 20)) == first

    in_world(check)
