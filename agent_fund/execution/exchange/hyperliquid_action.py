"""Signed actions of Hyperliquid: made once, good for one acceptance, void after a stated time.

The exchange takes each nonce of a signer once, so the same bytes sent again can never place a
second order; ``expiresAfter`` says until when they can place the first. The hash is ccxt's; the key
stays behind the signer. Source: Hyperliquid's "Signing" and "Nonces and API wallets" pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.execution.live.signing import EvmSigner

MAINNET, TESTNET = "a", "b"
AGENT = [{"name": "source", "type": "string"}, {"name": "connectionId", "type": "bytes32"}]
DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


class ActionSigner:
    """Makes requests for ``/exchange``.

    Args:
        client: ccxt's hyperliquid, for the hash of an action; it never sees a key.
        now: Unix milliseconds.
    """

    def __init__(
        self, client: Any, signer: EvmSigner, now: Callable[[], int], testnet: bool = False
    ) -> None:
        self._client = client
        self._signer = signer
        self._now = now
        self._source = TESTNET if testnet else MAINNET
        self._last = 0

    async def request(self, action: Mapping[str, Any], expires: int) -> dict[str, Any]:
        """The request, signed.

        Args:
            expires: Unix milliseconds after which the exchange refuses it.
        """
        nonce = self._last = max(self._last + 1, self._now())
        hashed: bytes = self._client.action_hash(dict(action), None, nonce, expires)
        signed = await self._signer.sign_typed_data(
            {
                "domain": {
                    "name": "Exchange",
                    "version": "1",
                    "chainId": 1337,
                    "verifyingContract": "0x0000000000000000000000000000000000000000",
                },
                "types": {"EIP712Domain": DOMAIN, "Agent": AGENT},
                "primaryType": "Agent",
                "message": {"source": self._source, "connectionId": hashed},
            }
        )
        signature = {
            "r": "0x" + signed[:32].hex(),
            "s": "0x" + signed[32:64].hex(),
            "v": signed[64],
        }
        return {
            "action": dict(action),
            "expiresAfter": expires,
            "nonce": nonce,
            "signature": signature,
        }
