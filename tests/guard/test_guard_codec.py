"""The certificate file has one reading, and the checker needs the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from guard_random import certificates, forms, stress_sets
from guard_reference import verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.guard.kernel.__main__ import main
from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.codec import (
    MAX_DIGITS,
    decode_certificate,
    decode_file,
    dumps,
    encode_certificate,
    encode_file,
)
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, KernelError, Row, StressSet
from agent_fund.guard.proof import Proof

ROOT = Path(__file__).resolve().parents[2]
SET = StressSet(((-9, 9), (-8, 8)), (Row(((0, 1), (1, -1)), 3),))
FORM = Form(-7, (3, 0), (Hinge(1, 1, 2, 0),))
TREE = Split(1, 0, Leaf((), ()), Leaf((), ((0, ONE),)))
BOUND = proved_bound(FORM, SET, TREE)
FILE = encode_file(FORM, SET, TREE, BOUND)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_file_is_read_back_as_what_was_written(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    form = data.draw(forms(len(stress.box)))
    tree = data.draw(certificates(form, stress, data.draw(st.booleans())))
    bound = data.draw(st.integers())
    try:
        written = encode_file(form, stress, tree, bound)
    except KernelError:
        assert verdict(form, stress, tree) is None
        return
    assert decode_file(written) == (form, stress, tree, bound)
    assert written.isascii()


def test_every_flipped_bit_is_refused_or_is_another_claim_that_both_checkers_judge_alike() -> None:
    accepted = 0
    for place in range(len(FILE)):
        for bit in range(8):
            flipped = bytearray(FILE)
            flipped[place] ^= 1 << bit
            try:
                form, stress, tree, bound = decode_file(bytes(flipped))
            except KernelError:
                continue
            assert encode_file(form, stress, tree, bound) == bytes(flipped) != FILE
            try:
                proved = proved_bound(form, stress, tree)
            except KernelError:
                assert verdict(form, stress, tree) is None
                continue
            accepted += 1
            assert proved == verdict(form, stress, tree)
    assert accepted  # a changed digit is a changed claim; if none were read, nothing was tested


def test_a_flip_that_lowers_the_bound_is_not_proved(tmp_path: Path) -> None:
    path = tmp_path / "lowered.json"
    path.write_bytes(encode_file(FORM, SET, TREE, BOUND - 1))
    assert main([str(path)]) == 1


def rewritten(old: bytes, new: bytes) -> bytes:
    assert old in FILE, f"{old!r} is not in {FILE!r}"
    return FILE.replace(old, new, 1)


@pytest.mark.parametrize(
    "data",
    [
        FILE + b"\n",
        b" " + FILE,
        FILE + FILE,
        FILE + b"\0",
        FILE[:-1],
        b"",
        b"null",
        b"[]",
        b"\xef\xbb\xbf" + FILE,
        FILE.decode().encode("utf-16"),
        b"\xff",
        b"[" * 100_000,
        rewritten(b'"-7"', b'"+7"'),
        rewritten(b'"-7"', b'"-07"'),
        rewritten(b'"-7"', b'"-7 "'),
        rewritten(b'"-7"', b'"-7\\n"'),
        rewritten(b'"-7"', b'"\\u002d7"'),
        rewritten(b'"-7"', b"-7"),
        rewritten(b'"-7"', b'"-7.0"'),
        rewritten(b'"-7"', b'"-7e0"'),
        rewritten(b'"-7"', b'"\xd9\xa7"'),
        rewritten(b'"-7"', b'"-"'),
        rewritten(b'"-7"', b'""'),
        rewritten(b'"-7"', b"null"),
        rewritten(b'"-7"', b'"-0"'),
        rewritten(b'"-7"', b'"00"'),
        rewritten(b'"-7"', b'"1_0"'),
        rewritten(b'"-7"', b'"' + b"9" * (MAX_DIGITS + 1) + b'"'),
        rewritten(b'"-7"', b"9" * 5_000),
        rewritten(b'"v":2', b'"v":2.0'),
        rewritten(b'"v":2', b'"v":true'),
        rewritten(b'"v":2', b'"v":1'),
        rewritten(b'"v":2', b'"v":2,"v":2'),
        rewritten(b'"v":2', b'"v":2,"w":1'),
        rewritten(b'{"bound"', b'{"bound":"0","bound"'),
        rewritten(b'"constant"', b'"Constant"'),
        rewritten(b'"constant":', b'"constant": '),
        rewritten(b'"certificate":"', b'"certificate":" '),
        rewritten(b'"certificate":"', b'"certificate":"A'),
        rewritten(b'"bound"', b'"certificate":"","bound"'),
        rewritten(b'[[["0","1"],["1","-1"]],"3"]', b'[[["0","1"],["1","-1"]],"3","3"]'),
        rewritten(b'[[["0","1"],["1","-1"]],"3"]', b'[[["0","1"],["1","-1"]]]'),
        rewritten(b'[[["0","1"],["1","-1"]],"3"]', b'[[["1","-1"],["0","1"]],"3"]'),
        rewritten(b'["-9","9"]', b'["-9"]'),
        rewritten(b'["-9","9"]', b'["1","9"]'),
        rewritten(b'["-9","9"]', b'{"0":"-9","1":"9"}'),
    ],
)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(KernelError):
        decode_file(data)


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        b"\x01\x00\x00\x00",  # another version
        b"\x02\x02\x00\x00",  # neither leaf nor split
        b"\x02\x00\x00\x00\x00",  # a byte too many
        b"\x02\x00\x00\x80\x00",  # zero in two bytes
        b"\x02\x00\x05\x00",  # more tangents than bytes
        b"\x02\x00\x01\xff\xff\xff\xff\xff\x7f\x00",  # a tangent beyond ONE
        b"\x02\x00\x00\x01\x00\x00\x02",  # an even mantissa
        b"\x02\x00\x00\x01\x00\x00\x00",  # a multiplier of zero
        b"\x02\x00\x00\x01\x00\xff\x7f\x01",  # an exponent without end
        b"\x02\x00" + b"\xff" * 300,
        b"\x02" + b"\x01\x00\x02" * 200,
    ],
)
def test_a_certificate_has_one_spelling(data: bytes) -> None:
    assert decode_certificate(text_of(b"\x02\x00\x00\x00")) == Leaf((), ())
    with pytest.raises(KernelError):
        decode_certificate(text_of(data))


@pytest.mark.parametrize(
    "text", ["AgAAAA=", "AgAAAA", "AgAAAA==\n", " AgAAAA==", "AgAAAB==", "é", ""]
)
def test_base64_has_one_spelling(text: str) -> None:
    assert decode_certificate("AgAAAA==") == Leaf((), ())
    with pytest.raises(KernelError):
        decode_certificate(text)


@pytest.mark.parametrize(
    "leaf", [Leaf((-1,), ()), Leaf((ONE + 1,), ()), Leaf((), ((0, 0),)), Leaf((), ((1, 1), (0, 1)))]
)
def test_what_the_kernel_would_refuse_is_not_written(leaf: Leaf) -> None:
    with pytest.raises(KernelError):
        encode_certificate(leaf)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=30).map(lambda tail: b"\x02" + tail))
def test_bytes_are_refused_or_are_the_spelling_of_one_certificate(data: bytes) -> None:
    try:
        tree = decode_certificate(text_of(data))
    except KernelError:
        return
    assert encode_certificate(tree) == text_of(data)


def test_a_leaf_over_200_instruments_takes_less_than_2000_bytes() -> None:
    """Each instrument tied to a factor, a multiplier of 24 digits for each."""
    weights = tuple((2 * n, ((1 << 24) - 1 - 2 * n) << 60) for n in range(200))
    assert len(encode_certificate(Leaf((0, ONE) * 50, weights))) < 2_000


def test_another_order_of_keys_is_refused() -> None:
    value = json.loads(FILE)
    backward = dict(reversed(value.items()))
    data = json.dumps(backward, separators=(",", ":")).encode()
    assert json.loads(data) == value
    with pytest.raises(KernelError, match="canonical form"):
        decode_file(data)


def test_the_largest_number_of_digits_is_still_read() -> None:
    large = 10 ** (MAX_DIGITS - 1)
    assert decode_file(encode_file(Form(large, (0, 0)), SET, Leaf((), ()), large))[3] == large


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_json_value_in_any_place_escapes_as_another_error(data: st.DataObject) -> None:
    junk = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["form", "box", "v", "certificate"]), inner, max_size=2
            )
        ),
        max_leaves=4,
    )
    value = json.loads(FILE)
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(junk)
        break
    written = dumps(value)
    try:
        claim = decode_file(written)
    except KernelError:
        return
    assert encode_file(*claim) == written


@given(st.binary(max_size=40))
def test_no_bytes_escape_as_another_error(data: bytes) -> None:
    with pytest.raises(KernelError):
        decode_file(data)


def chain(depth: int) -> Certificate:
    tree: Certificate = Leaf((), ())
    for at in range(depth, 0, -1):
        tree = Split(0, at, Leaf((), ()), tree)
    return tree


def test_codec_and_checker_allow_the_same_depth() -> None:
    form, stress = Form(0, (1,)), StressSet(((-SCALE, SCALE),))
    deepest = encode_file(form, stress, chain(MAX_DEPTH), SCALE)
    assert proved_bound(*decode_file(deepest)[:3]) == SCALE
    with pytest.raises(KernelError, match="deeper"):
        decode_file(encode_file(form, stress, chain(MAX_DEPTH + 1), SCALE))


def test_a_proof_is_read_back_and_garbage_is_refused() -> None:
    proof = Proof((TREE, Leaf((0, ONE, 1, ONE - 1), ()), Leaf((), ((1, 1), (7, 3 * ONE))), TREE))
    value = json.loads(proof.encode())
    assert Proof.decode(value) == proof
    shapes: tuple[object, ...] = (
        None,
        [],
        {},
        {**value, "v": 2},
        {**value, "v": 4},
        {**value, "x": 1},
        {"v": 3, "certificates": {}, "demands": []},
        {"v": 3, "certificates": [], "demands": None},
        {"v": 1, "cases": [[tree, tree] for tree in value["certificates"]]},
    )
    for bad in shapes:
        with pytest.raises(KernelError):
            Proof.decode(bad)
    for tree in ([], [value["certificates"][0]], "ab", None, {}):
        with pytest.raises(KernelError):
            Proof.decode({"v": 3, "certificates": [tree], "demands": []})


def isolated(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python without site-packages: only the standard library and this repository."""
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (FILE, 0, f"proved: value <= {BOUND} "),
        (encode_file(FORM, SET, TREE, BOUND + 5), 0, f"tight to {BOUND}"),
        (encode_file(FORM, SET, TREE, BOUND - 1), 1, f"above the claimed {BOUND - 1}"),
        (encode_file(FORM, SET, Leaf((0,), ()), BOUND), 1, "refused: 1 tangents"),
        (b"not a certificate", 1, "refused: not JSON"),
        (None, 2, ""),
    ],
)
def test_the_command_needs_no_package_and_answers_by_its_exit_code(
    tmp_path: Path, data: bytes | None, code: int, words: str
) -> None:
    path = tmp_path / "certificate.json"
    if data is not None:
        path.write_bytes(data)
    result = isolated("-m", "agent_fund.guard.kernel", str(path), cwd=tmp_path)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert words in result.stdout


def test_the_command_without_one_file_is_misuse(tmp_path: Path) -> None:
    for arguments in ([], ["a", "b"], [str(tmp_path)]):
        assert main(arguments) == 2


def test_the_kernel_imports_the_standard_library_and_itself_only(tmp_path: Path) -> None:
    names = [
        p.stem for p in (ROOT / "agent_fund/guard/kernel").glob("*.py") if p.stem != "__init__"
    ]
    code = "import sys\n" + "".join(f"import agent_fund.guard.kernel.{n}\n" for n in names)
    code += "print('\\n'.join(sorted(sys.modules)))"
    result = isolated("-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    own = {name for name in loaded if name.partition(".")[0] == "agent_fund"}
    expected = {f"agent_fund.guard.kernel.{n}" for n in names}
    assert own == expected | {"agent_fund", "agent_fund.guard", "agent_fund.guard.kernel"}
    foreign = {n.partition(".")[0] for n in loaded - own} - sys.stdlib_module_names - {"__main__"}
    assert not foreign
