"""A chain of the devnet leaves nothing behind on the user's disk, however long it lives."""

from pathlib import Path

import pytest
from evm_world import CHAIN_ID

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.packages import cache_folder, missing

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
# Enough that the chain, left to itself, writes past states to the home folder.
_BLOCKS = 700


def test_a_long_lived_chain_writes_no_past_states_to_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_FUND_CACHE", str(cache_folder().parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    chain = Anvil(CHAIN_ID)
    try:
        for _ in range(_BLOCKS):
            chain.call("evm_mine")
        assert int(chain.call("eth_blockNumber"), 16) == _BLOCKS
    finally:
        chain.stop()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
