"""The forger rewrites a log and all that depends on it; each time the verifier names the record."""

from __future__ import annotations

import collections
from pathlib import Path

import audit_forged_acts  # noqa: F401 - it adds its forgeries
import pytest
from audit_forger import Forger
from audit_forgeries import FORGERIES, Forgery
from audit_runs import NAMES, Runs

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.verify import verify


@pytest.mark.parametrize("name", NAMES)
def test_what_the_forger_did_not_touch_verifies(name: str, runs: Runs, tmp_path: Path) -> None:
    forger = Forger(runs.folder(name))
    forger.relink()
    assert verify(forger.seal(tmp_path / "copy")).root == verify(runs.folder(name)).root


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_log_is_refused_at_the_record(
    forgery: Forgery, runs: Runs, tmp_path: Path
) -> None:
    forger = Forger(runs.folder(forgery.run))
    index = forgery.forge(forger)
    folder = forger.seal(tmp_path / "forged")
    with pytest.raises(VerificationError) as caught:
        verify(folder)
    assert forgery.said in str(caught.value)
    assert caught.value.index == index


def test_every_forgery_has_a_name_of_its_own() -> None:
    counted = collections.Counter(forgery.name for forgery in FORGERIES)
    assert counted.most_common(1)[0][1] == 1
    assert not [forgery.name for forgery in FORGERIES if not forgery.said]
