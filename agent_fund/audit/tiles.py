"""A Merkle tree stored in tiles of 256 hashes, after C2SP tlog-tiles: few reads make a proof."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from agent_fund.audit.merkle import HASH_BYTES, Node, root_of

_TILE_BITS = 8
TILE_WIDTH = 1 << _TILE_BITS
TILE_BYTES = TILE_WIDTH * HASH_BYTES


class Tiles:
    """A growing tree kept as C2SP tlog-tiles: up to 256 hashes a tile, joined without separator.

    Hash i of level l is the root over leaves [i·256^l, (i+1)·256^l); tile n of a level holds the
    hashes from n·256 on. In memory are the tiles at the right edge and ``full``.

    Attributes:
        size: leaves appended so far.
        full: tiles by (level, n) that have been filled and not yet taken by the owner.
    """

    def __init__(self) -> None:
        self.size = 0
        self.full: dict[tuple[int, int], bytes] = {}
        self._edge: list[bytearray] = []

    def append(self, digest: bytes) -> int:
        """Add a leaf by its leaf hash and return its index."""
        index = self.size
        self.size += 1
        for level in itertools.count():
            if level == len(self._edge):
                self._edge.append(bytearray())
            tile = self._edge[level]
            tile += digest
            if len(tile) < TILE_BYTES:
                break
            hashes = bytes(tile)
            tile.clear()
            self.full[level, index >> _TILE_BITS * (level + 1)] = hashes
            digest = _fold(hashes)
        return index

    def partial(self, *, since: int) -> Iterator[tuple[tuple[int, int], bytes]]:
        """The tiles at the right edge that have grown since there were ``since`` leaves."""
        for level, tile in enumerate(self._edge):
            bits = _TILE_BITS * level
            if tile and self.size >> bits > since >> bits:
                yield (level, self.size >> bits + _TILE_BITS), bytes(tile)

    def find(self, level: int, n: int) -> bytes | None:
        """The hashes of a tile, if it is in memory."""
        if n == self.size >> _TILE_BITS * (level + 1):
            return bytes(self._edge[level])
        return self.full.get((level, n))


def nodes_from_tiles(tile: Callable[[int, int], bytes]) -> Node:
    """A ``Node`` that reads ``tile(level, n)``, the hashes of one tile, for each subtree."""

    def node(level: int, index: int) -> bytes:
        tile_level, rest = divmod(level, _TILE_BITS)
        n, first = divmod(index << rest, TILE_WIDTH)
        at = first * HASH_BYTES
        return _fold(tile(tile_level, n)[at : at + (HASH_BYTES << rest)])

    return node


def _fold(hashes: bytes) -> bytes:
    return root_of([hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)])
