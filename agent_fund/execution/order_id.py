"""ClOrdID: one id for each attempt at each leg of a logged intent, the same on every restart.

``base32(SHA-256(domain || intent leaf hash || leg || attempt))``, lower case, its first 32
characters. All parts have a fixed length (32, 8 and 8 bytes, big endian), so no two triples share
an encoding. 32 characters because venues limit client ids (OKX: 32 letters and digits; Binance:
36); they keep 160 bits, at which a collision needs about 2**80 ids.
"""

from __future__ import annotations

import base64
import hashlib

from agent_fund.domain.money import require_int
from agent_fund.execution.errors import ExecutionError

DOMAIN = b"agent-fund/clordid/v1\0"
LENGTH = 32


def client_order_id(intent: bytes, leg: int, attempt: int) -> str:
    """The ClOrdID of one attempt at one leg.

    Args:
        intent: the 32-byte leaf hash of the logged intent.
        leg: position of the leg in the admitted trade, from 0; below 2**53.
        attempt: 0 for the first sending; below 2**53.

    Returns:
        32 characters of ``a-z2-7``.

    Raises:
        ExecutionError: if ``intent`` is not 32 bytes, or a number is out of range.
        DomainError: if ``leg`` or ``attempt`` is not a non-negative int.
    """
    if not isinstance(intent, bytes) or len(intent) != hashlib.sha256().digest_size:
        raise ExecutionError("intent", intent, "give the 32 bytes of its leaf hash")
    parts = [DOMAIN, intent]
    for name, number in (("leg", leg), ("attempt", attempt)):
        if require_int(number, name, minimum=0) >= 2**53:
            raise ExecutionError(name, number, "count from 0, below 2**53")
        parts.append(number.to_bytes(8, "big"))
    digest = hashlib.sha256(b"".join(parts)).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:LENGTH]
