"""A chain of the devnet leaves nothing behind on the user's disk, however long it lives."""

import tempfile
from pathlib import Path

import pytest
from evm_world import CHAIN_ID

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.packages import cache_folder, missing

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
# Enough that the chain writes past states to disk.
_BLOCKS = 1_000


def test_a_long_lived_chain_keeps_a_bounded_part_of_its_past_and_leaves_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, scratch = tmp_path / "home", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("AGENT_FUND_CACHE", str(cache_folder().parent))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    chain = Anvil(CHAIN_ID)
    try:
        for _ in range(_BLOCKS):
            chain.call("evm_mine")
        assert int(chain.call("eth_blockNumber"), 16) == _BLOCKS
        assert 0 < sum(file.is_file() for file in scratch.rglob("*")) <= 300
    finally:
        chain.stop()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    assert list(scratch.iterdir()) == []
