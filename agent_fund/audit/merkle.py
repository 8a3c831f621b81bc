r"""Merkle trees whose proofs anybody can check: RFC 6962, section 2, and RFC 9162, section 2.1.

A tree commits to a list of n leaves (byte strings) by one hash of 32 bytes, its root:

    MTH()          = SHA-256()                                  the empty tree
    MTH(d)         = SHA-256(0x00 || d)                         leaf_hash
    MTH(d_0, ...)  = SHA-256(0x01 || MTH(left) || MTH(right))   node_hash

where left is the first k leaves and k the largest power of two smaller than n. The prefixes keep a
leaf from posing as a node. Worked example, three leaves a, b, c, with (ab) = node_hash(a, b):

        root
       /    \
     (ab)    c
     /  \
    a    b

    >>> a, b, c = leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")
    >>> root = node_hash(node_hash(a, b), c)
    >>> root.hex()[:16]
    '36642e73c2540ab1'

An *inclusion proof* of leaf i in a tree of size n is the list of sibling hashes from the leaf up to
the root: for b it is [a, c]. A *consistency proof* from size m to size n shows that the first m
leaves of both trees are the same: from 2 to 3 it is [c].

    >>> node = nodes_over([a, b, c])
    >>> inclusion_proof(1, 3, node) == [a, c]
    True
    >>> verify_inclusion(1, 3, b, [a, c], root)
    True
    >>> consistency_proof(2, 3, node) == [c]
    True
    >>> verify_consistency(2, 3, [c], node_hash(a, b), root)
    True

Proofs are made over a ``Node``, a reader of complete subtrees, so that this file does no I/O.
Sizes and indices count leaves; every hash is 32 raw bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias

from agent_fund.audit.errors import AuditError

HASH_BYTES = 32

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves."""

Node: TypeAlias = Callable[[int, int], bytes]
"""``node(level, index)``: root over leaves [index·2^level, (index+1)·2^level), all present."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of one leaf: SHA-256(0x00 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree kept as the roots of its complete subtrees, largest first: O(log n) state.

    Attributes:
        size: leaves appended so far.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, digest: bytes) -> int:
        """Add a leaf by its leaf hash and return its index; one node hash on average."""
        index = carry = self.size
        roots = self._roots
        # Written out rather than through node_hash: this loop runs for every record of a run.
        while carry & 1:
            digest = sha256(b"\x01" + roots.pop() + digest).digest()
            carry >>= 1
        roots.append(digest)
        self.size = index + 1
        return index

    def root(self) -> bytes:
        """Root over all leaves appended."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root over ``leaf_hashes``.

    Pairs are joined level by level and an odd last one moves up as it is, which is the same tree
    as the recursive definition.
    """
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        joined = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) & 1:
            joined.append(level[-1])
        level = joined
    return level[0]


def nodes_over(leaf_hashes: Sequence[bytes]) -> Node:
    """A ``Node`` that hashes each subtree when asked, in time linear in its width."""

    def node(level: int, index: int) -> bytes:
        return root_of(leaf_hashes[index << level : (index + 1) << level])

    return node


def root_at(size: int, node: Node) -> bytes:
    """Root of the first ``size`` leaves."""
    return _range_root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Sibling hashes, leaf first, that lead from leaf ``index`` to the root at ``size``.

    Raises:
        AuditError: unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise AuditError("leaf index", index, f"the tree holds leaves 0 to {size - 1}")
    return _path(index, 0, size, node)


def consistency_proof(old_size: int, new_size: int, node: Node) -> list[bytes]:
    """Hashes that show that the tree at ``old_size`` begins the tree at ``new_size``.

    Raises:
        AuditError: unless 1 <= old_size <= new_size; the empty tree begins every tree, so a proof
            from it would show nothing.
    """
    if not 1 <= old_size <= new_size:
        raise AuditError("old tree size", old_size, f"write a size from 1 to {new_size}")
    return _subproof(old_size, 0, new_size, node, known=True)


def verify_inclusion(
    index: int, size: int, digest: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether ``proof`` shows leaf hash ``digest`` at ``index`` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _hashes(digest, root, *proof):
        return False
    position, last, seen = index, size - 1, digest
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            seen = node_hash(sibling, seen)
            position, last = _skip_lone_levels(position, last)
        else:
            seen = node_hash(seen, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and seen == root


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Whether ``proof`` shows that the old tree begins the new one (RFC 9162, 2.1.4.2).

    Equal sizes need equal roots and no proof. From size 0 to a larger one nothing can be shown,
    so the answer is False.
    """
    if old_size == new_size:
        root_fits = old_size > 0 or old_root == EMPTY_ROOT
        return root_fits and not proof and old_root == new_root
    if not 0 < old_size < new_size or not proof or not _hashes(old_root, new_root, *proof):
        return False
    # A complete old tree is itself the first node of the path and is left out of the proof.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_seen = new_seen = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_seen = node_hash(sibling, old_seen)
            new_seen = node_hash(sibling, new_seen)
            position, last = _skip_lone_levels(position, last)
        else:
            new_seen = node_hash(new_seen, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_seen == old_root and new_seen == new_root


def _skip_lone_levels(position: int, last: int) -> tuple[int, int]:
    # A node without a right sibling moves up unchanged until it is a right child itself.
    while position and not position & 1:
        position >>= 1
        last >>= 1
    return position, last


def _hashes(*values: bytes) -> bool:
    # Lengths are checked because node_hash joins its arguments without a separator.
    return all(len(value) == HASH_BYTES for value in values)


def _split(width: int) -> int:
    # The largest power of two smaller than width, for width >= 2.
    return 1 << ((width - 1).bit_length() - 1)


def _range_root(start: int, end: int, node: Node) -> bytes:
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(width)
    return node_hash(_range_root(start, middle, node), _range_root(middle, end, node))


def _path(index: int, start: int, end: int, node: Node) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(index, start, middle, node), _range_root(middle, end, node)]
    return [*_path(index, middle, end, node), _range_root(start, middle, node)]


def _subproof(old: int, start: int, end: int, node: Node, *, known: bool) -> list[bytes]:
    # ``known``: the verifier holds the root of [start, end) already, as the old root.
    if old == end:
        return [] if known else [_range_root(start, end, node)]
    middle = start + _split(end - start)
    if old <= middle:
        left = _subproof(old, start, middle, node, known=known)
        return [*left, _range_root(middle, end, node)]
    right = _subproof(old, middle, end, node, known=False)
    return [*right, _range_root(start, middle, node)]
