"""What the verifier contract refuses to read: bytes that are no form, no set, no leaf."""

from __future__ import annotations

import random

import pytest
from contracts_leaf import LARGE, REFUSED, by_contract, by_kernel, form_bytes, stress_bytes
from contracts_world import STRANGER, refusal

from agent_fund.devnet.anvil import Anvil
from agent_fund.execution.custody.leaf_encoding import (
    encode_form,
    encode_stress,
    proved_bound_call,
)
from agent_fund.execution.errors import ExecutionError
from agent_fund.guard.kernel.certificate import ONE, Leaf, Split
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.compact import pack
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, KernelError, Row, StressSet


@pytest.mark.parametrize("part", ["form", "stress", "certificate"])
def test_bytes_of_any_kind_are_read_as_strictly_as_by_the_kernel(
    verifier: tuple[Anvil, str], part: str
) -> None:
    rng = random.Random(part)
    form = Form(5, (7, -900), (Hinge(2, 0, 3, 4), Hinge(-1, 1, 300, -5)))
    stress = StressSet(((-9, 500), (-SCALE, 7)), (Row(((0, 1), (1, -200)), 300), Row((), 4)))
    leaf = Leaf((ONE // 5,), ((0, 3 << 50),))
    whole = {"form": form_bytes(form), "stress": stress_bytes(stress), "certificate": pack(leaf)}
    assert by_contract(verifier, **whole) == proved_bound(form, stress, leaf)
    good = whole[part]
    for cut in range(len(good)):
        assert by_contract(verifier, **{**whole, part: good[:cut]}) == REFUSED
    assert by_contract(verifier, **{**whole, part: good + b"\0"}) == REFUSED
    for at in range(len(good)):
        # The same number, spelt longer than it needs.
        if good[at] < 128:
            longer = good[:at] + bytes([good[at] | 128, 0]) + good[at + 1 :]
            assert by_contract(verifier, **{**whole, part: longer}) == REFUSED
    if part == "certificate":
        for _ in range(150):
            other = bytearray(good)
            other[rng.randrange(len(good))] = rng.randrange(256)
            found = by_contract(verifier, **{**whole, part: bytes(other)})
            # What is too large is told before what else may be wrong.
            assert found in (LARGE, by_kernel(form, stress, bytes(other)))


@pytest.mark.parametrize(
    ("stress", "why"),
    [
        (b"\x01" + b"\xc1\x84\x3d" + b"\x00" + b"\x00", "BadBox"),  # a fall of 1,000,001
        (b"\x01\x00\x00" + b"\x01" + b"\x01\x00\x00" + b"\x05", "BadRow"),  # a coefficient of 0
        (b"\x01\x00\x00" + b"\x01" + b"\x01\x01\x02" + b"\x05", "BadRow"),  # of driver 1
        (b"\x02\x00\x00\x00\x00\x00", "DriversDiffer"),
        (encode_stress([(0, 1 << 255)], []), "TooLarge"),
        (encode_stress([(0, 0)], [([], (1 << 256) - 1)]), "TooLarge"),
    ],
)
def test_a_malformed_set_is_refused(verifier: tuple[Anvil, str], stress: bytes, why: str) -> None:
    anvil, address = verifier
    data = proved_bound_call(encode_form(0, [1], []), stress, pack(Leaf((), ())))
    assert refusal(anvil, STRANGER.address, address, data) == why
    edge = b"\x01" + b"\xc0\x84\x3d" + b"\x00" + b"\x00"
    assert by_contract(verifier, encode_form(0, [1], []), edge, pack(Leaf((), ()))) == 0


def test_a_hinge_of_a_driver_that_is_not_there_is_refused(verifier: tuple[Anvil, str]) -> None:
    anvil, address = verifier
    form = encode_form(0, [1], [(1, 1, 1, 1)])
    data = proved_bound_call(form, stress_bytes(StressSet(((0, 0),))), pack(Leaf((), ())))
    assert refusal(anvil, STRANGER.address, address, data) == "BadDriver"


def test_a_split_is_no_leaf(verifier: tuple[Anvil, str]) -> None:
    anvil, address = verifier
    form, stress = Form(0, (1,)), StressSet(((-5, 5),))
    tree = pack(Split(0, 1, Leaf((), ()), Leaf((), ())))
    data = proved_bound_call(form_bytes(form), stress_bytes(stress), tree)
    assert refusal(anvil, STRANGER.address, address, data) == "BadCertificate"


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ("020000010001010a", "LeftOver"),
        ("0200000105", "BadMultiplier"),  # row 5, and then nothing
        ("0200000100000a", "BadMultiplier"),  # an even mantissa
        ("0200000100ff0101", "TooLarge"),  # 1 << 255
        ("0200000100008100", "TooLong"),
        ("020001" + "818080808020" + "00", "BadTangent"),  # ONE + 1
        ("02000000", "BadTangent"),
        ("0200020000" + "00", "BadTangent"),
        ("010000", "BadCertificate"),
        ("", "EndsEarly"),
        ("0200ffffff7f", "EndsEarly"),
        ("02" + "ff" * 36 + "1f", "TooLarge"),
        ("02" + "ff" * 40 + "01", "TooLarge"),
    ],
)
def test_a_malformed_certificate_is_refused(
    verifier: tuple[Anvil, str], certificate: str, why: str
) -> None:
    anvil, address = verifier
    form = encode_form(0, [1], [(-1, 0, 1, 1)] if why == "BadTangent" else [])
    stress = stress_bytes(StressSet(((-5, 5),), (Row(((0, 1),), 3),)))
    data = proved_bound_call(form, stress, bytes.fromhex(certificate))
    assert refusal(anvil, STRANGER.address, address, data) == why


@pytest.mark.parametrize(
    ("box", "rows"),
    [
        ([(1, 2)], []),
        ([(-2, -1)], []),
        ([(0, 0)], [([(0, 1)], -1)]),
        ([(0, 0), (0, 0)], [([(1, 1), (0, 1)], 1)]),
        ([(0, 0)], [([(-1, 1)], 1)]),
    ],
)
def test_what_the_kernel_refuses_as_a_set_has_no_spelling(
    box: list[tuple[int, int]], rows: list[tuple[list[tuple[int, int]], int]]
) -> None:
    with pytest.raises(KernelError):
        StressSet(tuple(box), tuple(Row(tuple(terms), bound) for terms, bound in rows))
    with pytest.raises(ExecutionError):
        encode_stress(box, rows)
