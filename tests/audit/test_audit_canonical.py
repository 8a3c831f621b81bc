"""Canonical JSON: one encoding a value, and nothing read that is written in another way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.audit.canonical import MAX_DEPTH, MAX_INT, decode, encode, sha256_hex
from agent_fund.audit.errors import AuditError

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "jcs"
CASES = ["arrays", "french", "structures", "unicode", "values", "weird"]

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20
)


def holds_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_float(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_float(item) for item in value)
    return isinstance(value, float)


@pytest.mark.parametrize("case", CASES)
def test_the_published_jcs_vectors_hold_and_those_with_floats_are_refused(case: str) -> None:
    if not VECTORS.is_dir():
        pytest.skip("the shared RFC 8785 vectors are not beside the repository")
    value = json.loads((VECTORS / "input" / f"{case}.json").read_text("utf-8"))
    expected = bytes.fromhex((VECTORS / "outhex" / f"{case}.txt").read_text())
    if holds_float(value):
        with pytest.raises(AuditError, match="float"):
            encode(value)
    else:
        assert encode(value) == expected
        assert decode(expected) == value


@settings(deadline=None)
@given(values)
def test_decoding_an_encoding_gives_the_value_back(value: Any) -> None:
    data = encode(value)
    assert decode(data) == value
    assert json.loads(data) == value


@settings(deadline=None)
@given(values, st.data())
def test_any_other_spelling_of_the_same_value_is_refused(value: Any, data: st.DataObject) -> None:
    canonical = encode(value)
    at = data.draw(st.integers(0, len(canonical)))
    spaced = canonical[:at] + b" " + canonical[at:]
    try:
        same = json.loads(spaced) == value
    except ValueError:
        same = False
    if same:
        with pytest.raises(AuditError):
            decode(spaced)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=12) | st.text('{}[]",:0123456789.eE+-truefalsn\\u ', max_size=12))
def test_what_decodes_encodes_to_the_same_bytes(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode()
    try:
        value = decode(raw)
    except AuditError:
        return
    assert encode(value) == raw


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (0.5, "$: 0.5"),
        ({"a": [1, float("nan")]}, "$.a[1]: nan"),
        (float("inf"), "$: inf"),
        (2**53, f"$: {2**53}"),
        (-(2**53), f"$: -{2**53}"),
        ({1: "x"}, "key in $: 1"),
        ({None: "x"}, "key in $: None"),
        (b"x", "$: b'x'"),
        ({"s": {1, 2}}, "$.s: {1, 2}"),
        (Path("x"), "$: "),
        ("\ud800", "\\ud800"),
        ({"\ud800": 1}, "\\ud800"),
    ],
)
def test_what_is_not_exact_json_is_refused_where_it_stands(value: Any, named: str) -> None:
    with pytest.raises(AuditError, match=re.escape(named)):
        encode(value)


def test_subclasses_of_json_types_are_refused() -> None:
    class Name(str):
        __slots__ = ()

    class Legs(list[int]):
        pass

    class Fields(dict[str, int]):
        pass

    for value in (Name("x"), Legs([1]), Fields(a=1)):
        with pytest.raises(AuditError, match="write None, bool, int, str, list or dict"):
            encode(value)


def test_a_repeated_key_is_named() -> None:
    with pytest.raises(AuditError, match="'a' is refused; write each key once"):
        decode(b'{"a":1,"a":1}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nul",
        b"1 ",
        b" 1",
        b"\xef\xbb\xbf1",
        b"\xff",
        b"1.0",
        b"1e2",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"1" + b"0" * 5000,
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a":1,}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b"[1, 2]",
        b"1\n",
    ],
)
def test_text_that_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(AuditError):
        decode(data)


def test_the_largest_integers_are_kept() -> None:
    assert decode(encode([MAX_INT, -MAX_INT])) == [MAX_INT, -MAX_INT]


def test_nesting_is_bounded_and_the_bound_itself_is_allowed() -> None:
    value: Any = 0
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(AuditError, match="deep"):
        encode([value])
    with pytest.raises(AuditError, match="deep"):
        decode(b"[" * 100_000 + b"]" * 100_000)


def test_a_cycle_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(AuditError, match="deep"):
        encode(value)


def test_the_error_keeps_what_was_seen_and_shortens_what_it_shows() -> None:
    with pytest.raises(AuditError) as caught:
        decode(b"x" * 10_000)
    assert caught.value.seen == b"x" * 10_000
    assert len(str(caught.value)) < 400


def test_digests_are_lower_case_sha256() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(values)
def test_the_fast_encoder_writes_what_the_rfc_8785_package_writes(value: Any) -> None:
    assert encode(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("code", range(0x80))
def test_every_ascii_character_is_escaped_as_rfc_8785_does(code: int) -> None:
    value = {chr(code) + "key": chr(code)}
    assert encode(value) == rfc8785.dumps(value)
