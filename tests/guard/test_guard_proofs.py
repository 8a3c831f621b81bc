"""The proved checker, extracted from Coq, against the Python kernel; and the gate of the proofs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_fund.guard.kernel import certificate, check, form
from guardrails.proofs.differential import ask, campaign
from guardrails.proofs.tamperings import TAMPERINGS

PROOFS = Path(__file__).parents[2] / "guardrails" / "proofs"


def _missing() -> str:
    for tool in ("coqc", "coq_makefile", "ocamlfind"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    found = subprocess.run(["ocamlfind", "query", "zarith"], capture_output=True)
    return "OCaml's zarith is not installed" if found.returncode else ""


MISSING = _missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"the proofs cannot be built: {MISSING}")


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checker")
    subprocess.run([PROOFS / "check.sh", "--checker", folder], check=True)
    return folder / "checker"


def test_the_kernel_and_the_proved_checker_agree_on_every_claim(checker: Path) -> None:
    outcome = campaign(checker, 300, seed=7)
    assert not outcome.differences
    assert outcome.counts["honest"] == 150
    assert sum(outcome.counts[name] for name in TAMPERINGS) == 150
    assert outcome.counts["value"] == outcome.counts["membership"] == 300


def _one_less(*claim: Any) -> int:
    return check.proved_bound(*claim) - 1


def _flatter(hinge: form.Hinge, low: int, high: int) -> tuple[int, int]:
    slope, offset = _CHORD(hinge, low, high)
    return slope, offset - (1 << certificate.SHIFT)


def _any_share(hinge: form.Hinge, share: int) -> tuple[int, int]:
    return share * hinge.weight * hinge.slope, share * hinge.weight * hinge.offset


_CHORD: Callable[[form.Hinge, int, int], tuple[int, int]] = check.chord


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("guardrails.proofs.differential.proved_bound", _one_less),
        ("agent_fund.guard.kernel.check.chord", _flatter),
        ("agent_fund.guard.kernel.check.tangent", _any_share),
        ("agent_fund.guard.kernel.check.MAX_DEPTH", certificate.MAX_DEPTH + 1),
        ("agent_fund.guard.kernel.check.SHIFT", certificate.SHIFT + 1),
        ("agent_fund.guard.kernel.form.SCALE", form.SCALE + 1),
    ],
)
def test_a_broken_kernel_is_noticed(
    checker: Path, monkeypatch: pytest.MonkeyPatch, place: str, broken: object
) -> None:
    monkeypatch.setattr(place, broken)
    assert campaign(checker, 1_000, seed=7).differences


def test_the_proved_checker_answers_an_example_computed_by_hand(checker: Path) -> None:
    # 5 + 3x - 2y + 2 max(0, x + 10) - 3 max(0, 2y - 4), |x| <= 100, |y| <= 50, x + y <= 60. Of the
    # zero line above the concave hinge, with multiplier 1 of the row: the chord of the convex one
    # has slope floor(220 * 2^40 / 200) and is 220 at 100, so x adds at most
    # (3 + 1.1 - 1) * 100 + 110, y adds (-2 - 1) * -50, the row 60: 5 + 420 + 150 + 60 = 635.
    claim = "5 2 3 -2 2 2 0 1 10 -3 1 2 -4 2 -100 100 -50 50 1 60 2 0 1 1 1"
    one = certificate.ONE
    assert ask(
        checker, [f"bound {claim} leaf 1 0 1 0 {one}", f"bound {claim} leaf 0 1 0 {one}"]
    ) == [
        "bound 635",
        "refused",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "bound",
        "bound 1 0 0 0 0 leaf 0",
        "bound 1 0 0 0 0 leaf 0 0 0",
        "guess 1",
        "value 1 0 0 x",
    ],
)
def test_a_line_that_cannot_be_read_is_no_refusal(checker: Path, line: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        ask(checker, [line])
    assert raised.value.returncode == 2


SOUND = "(** Truth holds. *)\nTheorem truth : True.\nProof. exact I. Qed.\n"


@pytest.mark.parametrize(
    ("source", "listed", "message"),
    [
        ("Axiom magic : False.\n(** All. *)\nTheorem t : 0 = 1.\nProof. destruct magic. Qed.\n",
         True, "0 of 1 statements rest on nothing"),
        (SOUND + "Lemma gap : 0 = 1.\nAdmitted.\n", True, "1 of 2 statements rest on nothing"),
        (SOUND + "Axiom idle : False.\n", True, "coqchk: axioms"),
        (SOUND + "\nTheorem bare : True.\nProof. exact I. Qed.\n", True, "without its sentence"),
        (SOUND + "Lemma wrong : 0 = 1.\nProof. reflexivity. Qed.\n", True, "Unable to unify"),
        (SOUND, False, "not in _CoqProject: Extra.v"),
        (SOUND.replace("truth", "new"), True, "README.md does not name the theorem new"),
    ],
)  # fmt: skip
def test_the_gate_refuses_a_gap_in_the_proofs(
    tmp_path: Path, source: str, listed: bool, message: str
) -> None:
    folder = tmp_path / "guardrails" / "proofs"
    folder.mkdir(parents=True)
    shutil.copy(PROOFS / "check.sh", folder)
    (folder / "answers.ml").write_text("")
    (folder / "Extra.v").write_text(source)
    (folder / "README.md").write_text("`truth` `t` `bare`")
    (folder / "_CoqProject").write_text("-R . AgentFund\n" + "Extra.v\n" * listed)
    done = subprocess.run([folder / "check.sh"], capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stderr
