"""One devnet for the folder; every process of the fund dies through one door."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
from faults_stage import Stage
from faults_world import Fund
from time_outs import withheld_answers_time_out

from agent_fund.paper import exchange_accounts


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("devnet"))
    yield made
    made.down()


@pytest.fixture(scope="session")
def fund(stage: Stage) -> Iterator[Fund]:
    with withheld_answers_time_out(stage.network.exchange), pytest.MonkeyPatch.context() as patch:
        made = Fund()
        patch.setattr(aiohttp.ClientSession, "_request", made.request())
        patch.setattr(exchange_accounts, "Setting", made.setting)
        yield made
    made.close()
