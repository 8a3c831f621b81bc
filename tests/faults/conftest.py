"""One devnet for the folder; every process of the fund dies through one door."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
from faults_stage import Stage
from faults_world import Fund

from agent_fund.paper import exchange_accounts


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("devnet"))
    yield made
    made.down()


@pytest.fixture(scope="session")
def fund() -> Iterator[Fund]:
    made = Fund()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "_request", made.request())
        patch.setattr(exchange_accounts, "Setting", made.setting)
        yield made
    made.close()
