"""Held: what a lane signed that is not over; each nonce is one batch's, in its latest version.

A batch that does not know the bytes held in its nonces is another one, whoever asks about it: it
is refused, so that no leg is given bytes of another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch, Signed


class Held:
    """The batches of one key on one chain."""

    def __init__(self) -> None:
        self._batches: dict[int, Batch] = {}  # by first nonce
        self._released: set[int] = set()
        # By nonce: the most that any version signed here can cost, in wei.
        self._cost: dict[int, int] = {}
        # By nonce: hashes of what was put in the place of a call that is cancelled.
        self.replacements: dict[int, set[str]] = {}

    def __iter__(self) -> Iterator[Batch]:
        """The latest versions, in the order of their nonces."""
        return iter([self._batches[first] for first in sorted(self._batches)])

    @property
    def nonces(self) -> set[int]:
        """All that are held."""
        return {nonce for batch in self for nonce in batch.nonces}

    def takes(self, batch: Batch) -> bool:
        """Whether its nonces are held by it, or by nobody."""
        return self.latest(batch) is not None or not self.nonces & set(batch.nonces)

    def latest(self, batch: Batch) -> Batch | None:
        """The version held of it; None if it is not held."""
        held = self._batches.get(batch.nonces[0])
        return held if held is not None and _kin(batch, held) else None

    def hold(self, batch: Batch) -> Batch:
        """Hold it, unless a later version is held; the version that is held then.

        Raises:
            ExecutionError: if another batch holds one of its nonces.
        """
        held = self.latest(batch)
        if held is None and not self.takes(batch):
            fix = "other bytes were signed for its nonces: at most one of the two can be mined"
            raise ExecutionError(f"batch {batch.reference}", list(batch.nonces), fix)
        if held is None or _knows(batch, held):
            self._batches[batch.nonces[0]] = held = batch
            for one in batch.transactions:
                self._cost[one.nonce] = max(self.cost(one.nonce), _cost(one))
        return held

    def release(self, batch: Batch) -> None:
        """Nobody will ask after it any more."""
        if self.latest(batch) is not None:
            self._released.add(batch.nonces[0])

    def released(self, batch: Batch) -> bool:
        """Whether nobody will ask after it any more."""
        return batch.nonces[0] in self._released and self.latest(batch) is not None

    def drop(self, batch: Batch) -> None:
        """Hold it no more: its nonces are taken for good."""
        if self.latest(batch) is None:
            return
        del self._batches[batch.nonces[0]]
        self._released.discard(batch.nonces[0])
        for nonce in batch.nonces:
            self._cost.pop(nonce, None)

    def replaces(self, one: Signed) -> None:
        """It stands in the place of the call that was signed for its nonce."""
        self.replacements.setdefault(one.nonce, set()).add(one.hash)

    def replaced(self, one: Signed) -> bool:
        """Whether the call in its nonce is cancelled."""
        return one.nonce in self.replacements

    def committed(self, mined: int) -> int:
        """Wei that what is held in nonces from ``mined`` on can cost."""
        return sum(wei for nonce, wei in self._cost.items() if nonce >= mined)

    def cost(self, nonce: int) -> int:
        """Wei that what is held in it can cost."""
        return self._cost.get(nonce, 0)

    def with_versions(self, batch: Batch) -> Batch:
        """The batch with every version signed here of its calls, replacements not."""
        held = self.latest(batch)
        if held is None:
            return batch
        versions: dict[int, Signed] = {}
        for one, latest in zip(batch.transactions, held.transactions, strict=True):
            instead = self.replacements.get(one.nonce, set())
            if one.hash in latest.earlier:
                later = [hash for hash in latest.hashes if hash not in (*one.hashes, *instead)]
                versions[one.nonce] = replace(one, earlier=(*one.earlier, *later))
        return batch.with_versions(versions)


def _cost(one: Signed) -> int:
    """Wei that a transaction can cost: its gas limit at its highest fee, and what it sends."""
    call, limit, fees = one.read()
    return limit * fees.maximum + call.value


def _knows(later: Batch, earlier: Batch) -> bool:
    return len(later.transactions) == len(earlier.transactions) and all(
        old.hash in new.hashes
        for old, new in zip(earlier.transactions, later.transactions, strict=True)
    )


def _kin(one: Batch, other: Batch) -> bool:
    return _knows(one, other) or _knows(other, one)
