"""Merkle trees: published vectors, the recursive definition, proofs that tampering breaks."""

from __future__ import annotations

import base64
import doctest
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.audit import merkle
from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    nodes_over,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "rfc6962"
VECTOR_COUNT = 98


def recursive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    left, right = recursive_root(hashes[:k]), recursive_root(hashes[k:])
    return sha256(b"\x01" + left + right).digest()


def hashes_of(size: int) -> list[bytes]:
    return [leaf_hash(b"leaf %d" % index) for index in range(size)]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def vectors(kind: str) -> list[dict[str, object]]:
    if not VECTORS.is_dir():
        pytest.skip("the shared RFC 6962 vectors are not beside the repository")
    found = [json.loads(path.read_text()) for path in sorted((VECTORS / kind).rglob("*.json"))]
    assert len(found) == VECTOR_COUNT
    assert {case["wantErr"] for case in found} == {True, False}
    return found


def raw(text: object) -> bytes:
    return base64.b64decode(str(text), validate=True)


def raw_proof(proof: object) -> list[bytes]:
    return [raw(item) for item in proof] if isinstance(proof, list) else []


def test_published_inclusion_vectors() -> None:
    for case in vectors("inclusion"):
        accepted = verify_inclusion(
            int(str(case["leafIdx"])),
            int(str(case["treeSize"])),
            raw(case["leafHash"]),
            raw_proof(case["proof"]),
            raw(case["root"]),
        )
        assert accepted is not case["wantErr"], case


def test_published_consistency_vectors() -> None:
    for case in vectors("consistency"):
        accepted = verify_consistency(
            int(str(case["size1"])),
            int(str(case["size2"])),
            raw_proof(case["proof"]),
            raw(case["root1"]),
            raw(case["root2"]),
        )
        assert accepted is not case["wantErr"], case


def test_the_worked_example_of_the_specification_holds() -> None:
    result = doctest.testmod(merkle)
    assert result.attempted >= 8
    assert result.failed == 0


def test_prefixes_keep_leaves_and_nodes_apart() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"") == sha256(b"\x00").digest()
    assert sha256(b"").digest() == EMPTY_ROOT


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=80))
def test_every_way_to_a_root_is_the_recursive_definition(leaves: list[bytes]) -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    hashes: list[bytes] = []
    for index, leaf in enumerate(leaves):
        hashes.append(leaf_hash(leaf))
        assert frontier.append(hashes[-1]) == index
        assert frontier.size == index + 1
        assert frontier.root() == recursive_root(hashes)
    assert root_of(hashes) == recursive_root(hashes)
    assert root_at(len(hashes), nodes_over(hashes)) == recursive_root(hashes)


@settings(deadline=None)
@given(st.data())
def test_inclusion_proofs_verify_and_no_flipped_bit_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    hashes = hashes_of(size)
    root = root_of(hashes)
    proof = inclusion_proof(index, size, nodes_over(hashes))
    assert len(proof) <= (size - 1).bit_length()
    assert verify_inclusion(index, size, hashes[index], proof, root)
    bit = data.draw(st.integers(0, 255))
    assert not verify_inclusion(index, size, flipped(hashes[index], bit), proof, root)
    assert not verify_inclusion(index, size, hashes[index], proof, flipped(root, bit))
    for at, sibling in enumerate(proof):
        tampered = [*proof[:at], flipped(sibling, bit), *proof[at + 1 :]]
        assert not verify_inclusion(index, size, hashes[index], tampered, root)


@settings(deadline=None)
@given(st.data())
def test_an_inclusion_proof_is_for_one_place_and_one_length(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    hashes = hashes_of(size)
    root = root_of(hashes)
    proof = inclusion_proof(index, size, nodes_over(hashes))
    for other in range(-1, size + 1):
        if other != index:
            assert not verify_inclusion(other, size, hashes[index], proof, root)
    assert not verify_inclusion(index, size, hashes[index], proof[:-1], root)
    assert not verify_inclusion(index, size, hashes[index], [*proof, root], root)
    assert not verify_inclusion(index, size, hashes[index], [proof[0] + b"x", *proof[1:]], root)


@settings(deadline=None)
@given(st.data())
def test_consistency_proofs_verify_and_no_flipped_bit_does(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(1, new))
    hashes = hashes_of(new)
    old_root, new_root = root_of(hashes[:old]), root_of(hashes)
    proof = consistency_proof(old, new, nodes_over(hashes))
    assert verify_consistency(old, new, proof, old_root, new_root)
    bit = data.draw(st.integers(0, 255))
    assert not verify_consistency(old, new, proof, flipped(old_root, bit), new_root)
    assert not verify_consistency(old, new, proof, old_root, flipped(new_root, bit))
    for at, sibling in enumerate(proof):
        tampered = [*proof[:at], flipped(sibling, bit), *proof[at + 1 :]]
        assert not verify_consistency(old, new, tampered, old_root, new_root)
    assert not verify_consistency(old, new, [*proof, new_root], old_root, new_root)
    if proof:
        assert not verify_consistency(old, new, proof[:-1], old_root, new_root)


def test_bytes_cannot_move_between_the_old_root_and_the_proof() -> None:
    a, b = hashes_of(2)
    assert verify_consistency(1, 2, [b], a, node_hash(a, b))
    assert not verify_consistency(1, 2, [a[-1:] + b], a[:-1], node_hash(a, b))
    assert not verify_inclusion(0, 2, a[:-1], [a[-1:] + b], node_hash(a, b))


@settings(deadline=None)
@given(st.data())
def test_a_rewritten_history_has_no_consistency_proof(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    before = hashes_of(new)
    after = list(before)
    after[changed] = leaf_hash(b"another")
    proof = consistency_proof(old, new, nodes_over(after))
    assert not verify_consistency(old, new, proof, root_of(before[:old]), root_of(after))


def test_nothing_is_shown_from_the_empty_tree() -> None:
    hashes = hashes_of(3)
    assert verify_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    assert not verify_consistency(0, 0, [], hashes[0], hashes[0])
    assert not verify_consistency(-1, -1, [], hashes[0], hashes[0])
    assert not verify_consistency(0, 3, [], EMPTY_ROOT, root_of(hashes))
    assert not verify_consistency(4, 3, [], root_of(hashes), root_of(hashes))
    with pytest.raises(AuditError, match="size from 1 to 3"):
        consistency_proof(0, 3, nodes_over(hashes))
    with pytest.raises(AuditError, match="size from 1 to 3"):
        consistency_proof(4, 3, nodes_over(hashes))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(AuditError, match="leaf index"):
        inclusion_proof(index, size, nodes_over(hashes_of(size)))
