"""The two checkers side by side: the kernel, and the contract on a chain."""

from __future__ import annotations

from contracts_world import STRANGER, called, refusal

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.errors import DevnetError
from agent_fund.execution.custody.leaf_encoding import (
    encode_form,
    encode_stress,
    proved_bound_call,
)
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.compact import unpack
from agent_fund.guard.kernel.form import Form, KernelError, StressSet

REFUSED = "refused"
LARGE = "too large"


def form_bytes(form: Form) -> bytes:
    hinges = [(h.weight, h.driver, h.slope, h.offset) for h in form.hinges]
    return encode_form(form.constant, form.linear, hinges)


def stress_bytes(stress: StressSet) -> bytes:
    return encode_stress(stress.box, [(row.terms, row.bound) for row in stress.rows])


def by_kernel(form: Form, stress: StressSet, certificate: bytes) -> int | str:
    try:
        return proved_bound(form, stress, unpack(certificate))
    except KernelError:
        return REFUSED


def by_contract(
    verifier: tuple[Anvil, str], form: bytes, stress: bytes, certificate: bytes
) -> int | str:
    anvil, address = verifier
    data = proved_bound_call(form, stress, certificate)
    try:
        answer = called(anvil, STRANGER.address, address, data)
    except DevnetError:
        name = refusal(anvil, STRANGER.address, address, data)
        overflow = name.startswith("4e487b71") and name.endswith("11")
        assert name not in ("", "no reason")
        assert overflow or not name.startswith("4e487b71"), name
        return LARGE if overflow or name == "TooLarge" else REFUSED
    return int.from_bytes(answer, "big", signed=True)
