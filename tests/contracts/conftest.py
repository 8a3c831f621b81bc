"""One chain a session; every test gets it as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from contracts_world import CHAIN_ID, World, create

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.packages import missing
from agent_fund.execution.custody.artifact import artifact

ABSENT = "the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)"


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    if missing() or shutil.which("node") is None:
        pytest.skip(ABSENT)
    chain = Anvil(CHAIN_ID)
    yield chain
    chain.stop()


@pytest.fixture(scope="session")
def deployed(anvil: Anvil) -> World:
    return World(anvil)


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    state = deployed.anvil.call("evm_snapshot")
    yield deployed
    deployed.anvil.call("evm_revert", state)


@pytest.fixture(scope="module")
def verifier(anvil: Anvil) -> Iterator[tuple[Anvil, str]]:
    state = anvil.call("evm_snapshot")
    code = "0x" + artifact("LeafVerifier").bytecode.hex()
    yield anvil, create(anvil, code)
    anvil.call("evm_revert", state)
