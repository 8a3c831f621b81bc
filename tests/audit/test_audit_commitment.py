"""A commitment binds, hides, and opens one field at a time."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.audit.commitment import (
    commit,
    field_leaf,
    open_field,
    salt_for,
    verify_opening,
)
from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import leaf_hash, node_hash

SECRET = bytes(range(32))
FIELDS: dict[str, Any] = {
    "messages": [{"role": "user", "content": "buy"}],
    "model": "m-1",
    "seed": 7,
    "as_of_time": 1_700_000_000_000,
    "request_sha256": "00" * 32,
}
SALTS = {name: salt_for(SECRET, "intent-1", name) for name in FIELDS}

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
field_maps = st.dictionaries(names, st.integers(-3, 3) | names, min_size=1, max_size=9)


def salts_of(fields: dict[str, Any], intent: str = "i") -> dict[str, bytes]:
    return {name: salt_for(SECRET, intent, name) for name in fields}


def test_the_leaf_is_prefix_salt_and_canonical_pair() -> None:
    salt = bytes(32)
    assert field_leaf(salt, "b", {"y": 1, "x": None}) == (
        b"agent-fund/field/v1\x00" + salt + b'["b",{"x":null,"y":1}]'
    )


def test_the_root_is_the_rfc_6962_root_over_the_fields_sorted_by_name() -> None:
    salts = {"b": bytes(32), "a": bytes([1]) * 32, "c": bytes([2]) * 32}
    a, b, c = (
        sha256(b"\x00agent-fund/field/v1\x00" + salts[name] + pair).digest()
        for name, pair in (("a", b'["a",1]'), ("b", b'["b",2]'), ("c", b'["c",3]'))
    )
    expected = node_hash(node_hash(a, b), c)
    assert commit({"c": 3, "b": 2, "a": 1}, salts) == expected
    assert commit({"a": 1, "b": 2, "c": 3}, salts) == expected


@settings(deadline=None)
@given(field_maps)
def test_each_field_opens_alone(fields: dict[str, Any]) -> None:
    salts = salts_of(fields)
    root = commit(fields, salts)
    for name, value in fields.items():
        opening = open_field(fields, salts, name)
        assert (opening.name, opening.value) == (name, value)
        assert verify_opening(root, opening)


@settings(deadline=None)
@given(field_maps, st.data())
def test_an_opening_of_anything_else_fails(fields: dict[str, Any], data: st.DataObject) -> None:
    salts = salts_of(fields)
    root = commit(fields, salts)
    opening = open_field(fields, salts, data.draw(st.sampled_from(sorted(fields))))
    changes: list[dict[str, Any]] = [
        {"value": [opening.value]},
        {"name": opening.name + "x"},
        {"salt": bytes(32)},
        {"salt": opening.salt[:-1]},
        {"salt": opening.salt + b"\x00"},
        {"value": 0.5},
        {"index": opening.index + 1},
        {"index": -1},
        {"proof": (*opening.proof, root)},
        *(
            {"proof": opening.proof[:at] + opening.proof[at + 1 :]}
            for at in range(opening.size - 1)
            if at < len(opening.proof)
        ),
    ]
    for change in changes:
        assert not verify_opening(root, replace(opening, **change)), change
    assert not verify_opening(leaf_hash(root), opening)


def test_another_value_another_root() -> None:
    assert commit({**FIELDS, "seed": 8}, SALTS) != commit(FIELDS, SALTS)
    assert commit({**FIELDS, "seed": "7"}, SALTS) != commit(FIELDS, SALTS)
    assert commit({**FIELDS, "seed": True}, SALTS) != commit({**FIELDS, "seed": 1}, SALTS)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_same_values_under_another_salt_have_another_root(name: str) -> None:
    salts = {**SALTS, name: salt_for(SECRET, "intent-2", name)}
    assert commit(FIELDS, salts) != commit(FIELDS, SALTS)


def test_an_opening_carries_no_other_field() -> None:
    shown = repr(open_field(FIELDS, SALTS, "model"))
    assert "m-1" in shown
    assert "buy" not in shown
    assert repr(SALTS["messages"]) not in shown


def test_salts_differ_by_secret_intent_and_field() -> None:
    salts = {
        salt_for(secret, intent, field)
        for secret in (SECRET, bytes(32))
        for intent in ("", "a", "ab")
        for field in ("", "a", "b", "bc", "\x00", "a\x00b")
    }
    assert len(salts) == 2 * 3 * 6
    assert {len(salt) for salt in salts} == {32}


def test_an_intent_cannot_borrow_from_the_field() -> None:
    with pytest.raises(AuditError, match="NUL"):
        salt_for(SECRET, "a\x00b", "c")
    with pytest.raises(AuditError, match="Unicode"):
        salt_for(SECRET, "\ud800", "c")


def test_a_short_secret_or_salt_is_refused() -> None:
    with pytest.raises(AuditError, match="31"):
        salt_for(bytes(31), "intent", "field")
    with pytest.raises(AuditError, match="31"):
        field_leaf(bytes(31), "name", 1)


def test_fields_and_salts_must_pair_up() -> None:
    with pytest.raises(AuditError, match="at least one"):
        commit({}, {})
    with pytest.raises(AuditError, match="model"):
        commit(FIELDS, {name: salt for name, salt in SALTS.items() if name != "model"})
    with pytest.raises(AuditError, match="spare"):
        commit(FIELDS, {**SALTS, "spare": bytes(32)})
    with pytest.raises(AuditError, match="absent"):
        open_field(FIELDS, SALTS, "absent")


def test_a_float_cannot_be_committed_to() -> None:
    inexact: dict[str, Any] = {**FIELDS, "seed": 0.7}
    with pytest.raises(AuditError, match="float"):
        commit(inexact, SALTS)
