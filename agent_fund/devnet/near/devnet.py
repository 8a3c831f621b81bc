"""The NEAR devnet: a chain with tokens, verifier and chain signatures, a node, a relay and 1Click.

Everything listens on loopback. The fund's key ``DevnetKey(FUND)`` is its access key and is
registered in the verifier; the fund and the market maker have balances inside it.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.devnet.near.chain import Chain
from agent_fund.devnet.near.intents import verifier
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.devnet.near.mpc import chain_signatures
from agent_fund.devnet.near.node import Node
from agent_fund.devnet.near.one_click import AGENT, OneClick
from agent_fund.devnet.near.relay import Relay
from agent_fund.devnet.near.token import fungible_token

FUND = "fund.near"
VERIFIER = "intents.near"
SIGNER = "v1.signer"
_OWNER = "owner.near"
_HOLDERS = (FUND, "maker.near", AGENT)


@dataclass(frozen=True)
class DevnetToken:
    """A token ``contract``, and what each of the holders gets of it inside the verifier."""

    contract: str
    decimals: int
    fund: int
    maker: int


class NearDevnet:
    """An asynchronous context; its servers listen inside it.

    Args:
        tokens: what is traded.
        rates: units of the second contract's token for one unit of the first one's.
        clock: nanoseconds since 1970.
        lag: blocks that the final head is behind.
    """

    def __init__(
        self,
        tokens: tuple[DevnetToken, ...],
        rates: Mapping[tuple[str, str], Fraction],
        *,
        fee_pips: int = 100,
        clock: Callable[[], int] = time.time_ns,
        lag: int = 0,
    ) -> None:
        self.chain = Chain(clock, lag=lag)
        self.node = Node(self.chain)
        self.relay = Relay(self.chain, VERIFIER, fee_pips)
        self.one_click = OneClick(self.chain, VERIFIER)
        for (one, other), rate in rates.items():
            self.relay.rates[f"nep141:{one}", f"nep141:{other}"] = rate
        self._found(tokens, fee_pips)

    async def __aenter__(self) -> NearDevnet:
        await self.node.open()
        await self.relay.open()
        await self.one_click.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.node.stop()
        await self.relay.stop()
        await self.one_click.stop()

    def rotate_salt(self, *, invalidate: bool) -> None:
        """A new salt; with ``invalidate``, nonces with the old one can no longer be used."""
        if not invalidate:
            self.chain.call(_OWNER, VERIFIER, "update_current_salt", {}, 1)
            return
        old = self.chain.view(VERIFIER, "current_salt", b"{}", self.chain.head).decode()
        self.chain.call(_OWNER, VERIFIER, "invalidate_salts", {"salts": [old.strip('"')]}, 1)

    def clean_nonces(self, *nonces: bytes) -> None:
        """Have the verifier forget those of the fund's nonces that it may forget now."""
        listed = [base64.b64encode(nonce).decode() for nonce in nonces]
        args = {"nonces": [[FUND, listed]]}
        self.chain.call(_OWNER, VERIFIER, "cleanup_nonces", args, 1)

    def _found(self, tokens: tuple[DevnetToken, ...], fee_pips: int) -> None:
        chain = self.chain
        for name in (*_HOLDERS, _OWNER, "relayer.near"):
            chain.create(name, keys=(DevnetKey(name).public_key,))
        salt = bytes.fromhex("2244677b")
        chain.create(VERIFIER, contract=verifier(fee_pips, _OWNER, salt))
        chain.create(SIGNER, contract=chain_signatures())
        for name in _HOLDERS:
            key = {"public_key": DevnetKey(name).text}
            chain.call(name, VERIFIER, "add_public_key", key, 1)
        for token in tokens:
            made = fungible_token(token.decimals, token.contract)
            chain.create(token.contract, contract=made)
            for name in (*_HOLDERS, VERIFIER):
                chain.call(_OWNER, token.contract, "storage_deposit", {"account_id": name})
            amounts = (token.fund, token.maker, token.maker)
            for name, units in zip(_HOLDERS, amounts, strict=True):
                if units:
                    chain.call(name, token.contract, "mint", {"amount": str(units)})
                    sent = {"receiver_id": VERIFIER, "amount": str(units), "msg": ""}
                    chain.call(name, token.contract, "ft_transfer_call", sent, 1)
