"""Leg: the bytes of one order at CoW: the signed allowance, and the signed order to be posted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.live.adapter import Prepared


@dataclass(frozen=True)
class Leg:
    """What stands in ``Prepared.payload``.

    Attributes:
        batch: sets the allowance. ``creation``: the body of the order's POST.
    """

    batch: Batch
    creation: Mapping[str, Any]

    @property
    def order(self) -> SignedOrder:
        """What was signed."""
        return SignedOrder.read(self.creation)

    def payload(self, batch: Batch | None = None) -> bytes:
        """The bytes, with another batch in the place of the first if one is given."""
        content = {
            "allowance": json.loads((batch or self.batch).encode()),
            "order": dict(self.creation),
        }
        return _encoded(content)

    @classmethod
    def of(cls, prepared: Prepared) -> Leg:
        """The leg in ``prepared``.

        Raises:
            ExecutionError: if its payload is of no such leg.
        """
        try:
            content = json.loads(prepared.payload)
            return cls(Batch.decode(_encoded(content["allowance"])), content["order"])
        except (ValueError, KeyError, TypeError) as error:
            name = type(error).__name__
            fix = "give the bytes that prepare made"
            raise ExecutionError(f"leg {prepared.leg_id}", name, fix) from None


def _encoded(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
