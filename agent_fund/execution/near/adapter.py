"""NEAR Intents as a venue: an order becomes one signed token_diff, settled whole or not at all.

What is signed is rehearsed on the chain and published only by ``submit``, once the caller has made
the bytes durable: whoever has seen them can execute them, the node that rehearses them too. The
relay finds the counterparty; it is believed in nothing. A fill is believed from a transaction
of the chain, found by its hash or by the nonce that it used up, whose events carry our intent hash.
An order is CANCELED only when final blocks prove that its nonce was not used by it, and can no
longer be.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Capabilities, Holdings, Prepared, Quote, Report
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.signing import Ed25519Signer
from agent_fund.execution.near.encoding import ed25519_text
from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.fees import fee_on
from agent_fund.execution.near.lane import Lane
from agent_fund.execution.near.listing import Listing
from agent_fund.execution.near.nonce import RANDOM_BYTES, VersionedNonce
from agent_fund.execution.near.pricing import best_offer, check_scales
from agent_fund.execution.near.relay import SolverRelay
from agent_fund.execution.near.rpc import NearRpc
from agent_fund.execution.near.settlement import Settlement
from agent_fund.execution.near.signed import SignedIntents, sign_intents, token_diff
from agent_fund.execution.near.trade import Swap, maximum_rest
from agent_fund.execution.near.transaction import TERA, FunctionCall
from agent_fund.execution.near.verifier import Verifier


class NearIntents:
    """The venue ``name``, for the balances of ``account_id`` inside the verifier.

    Args:
        signer: of a key that is registered in the verifier for the account.
        instruments: what trades here, each with the base units for which prices are asked.
        lane: of the account's access key, for cancelling; without it orders end at their deadline.
        valid_ms: how long market makers shall stand by an offer; shorter is cheaper.
        random: gives as many random bytes as asked for.
    """

    def __init__(
        self,
        name: str,
        account_id: str,
        signer: Ed25519Signer,
        rpc: NearRpc,
        relay: SolverRelay,
        listing: Listing,
        instruments: Mapping[Instrument, int],
        *,
        contract_id: str = "intents.near",
        lane: Lane | None = None,
        standard: str = "raw_ed25519",
        valid_ms: int = 60_000,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._name, self._account_id, self._signer = name, account_id, signer
        self._rpc, self._relay, self._listing = rpc, relay, listing
        self._probes = {instrument.symbol: probe for instrument, probe in instruments.items()}
        self._instruments = tuple(instruments)
        self._verifier = Verifier(rpc, contract_id)
        self._settlement = Settlement(rpc, relay, self._verifier, account_id)
        self._lane, self._standard, self._valid_ms = lane, standard, valid_ms
        self._random = random

    @property
    def name(self) -> str:
        """The venue's name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Whole or not at all; the verifier is a contract, which holds the fund's tokens."""
        return Capabilities(
            partial_fills=False, resting=self._lane is not None, finality=2, custody=True
        )

    def maximum_fee(self, order: Order) -> int:
        """What rounding the price can leave; the protocol's fee is inside the amounts quoted."""
        return maximum_rest(order)

    async def start(self) -> None:
        """Check the key, the tokens and their decimals, and that every instrument can be traded."""
        key = ed25519_text(self._signer.public_key)
        if not await self._verifier.has_key(self._account_id, key):
            raise ExecutionError(
                f"key of {self._account_id}", key, "register it: add_public_key of the verifier"
            )
        for instrument in self._instruments:
            check_scales(instrument, self._listing)
            for asset in (instrument.base, instrument.quote):
                token = self._listing.token(asset)
                kind, _, contract = token.token_id.partition(":")
                if kind != "nep141":
                    raise ExecutionError("token", token.token_id, "list NEP-141 tokens: nep141:…")
                found = (await self._rpc.view(contract, "ft_metadata", {}))["decimals"]
                if found != token.decimals:
                    raise ExecutionError(
                        f"decimals of {token.token_id}", token.decimals, f"the token has {found}"
                    )

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """The best offer; an indication, since nobody reserves its money."""
        try:
            offer = await best_offer(
                self._relay, self._listing, instrument, side, quantity, self._valid_ms
            )
        except NearUnreachable:
            return None
        if offer is None:
            return None
        money, expires = offer.swap.money, offer.quote.expires_ms
        spent, received = (money, quantity) if side is Side.BUY else (quantity, money)
        return Quote(instrument, side, quantity, spent, received, 0, expires, False)

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        """Take the best offer within the limit, and sign it; nothing is asked of anybody then."""
        offer = await best_offer(
            self._relay,
            self._listing,
            order.instrument,
            order.side,
            order.quantity,
            self._valid_ms,
        )
        limit = order.instrument.notional(order.quantity, order.limit)
        if offer is None or (offer.swap.money - limit) * order.side.sign > 0:
            quote = order.instrument.quote
            best = None if offer is None else f"{quote.amount(offer.swap.money):f} {quote.symbol}"
            fix = f"nobody offers it within the limit of {quote.amount(limit):f} {quote.symbol}"
            raise ExecutionError(f"order {order.order_id}", best, fix)
        block = await self._rpc.final_block()
        if block.time_ns >= min(deadline * 10**9, offer.quote.expires_ms * 10**6):
            raise ExecutionError(
                f"deadline of {order.order_id}", deadline, "it, or the offer's, has passed already"
            )
        salt = await self._verifier.salt(block.height)
        nonce = VersionedNonce(salt, deadline * 10**9, self._random(RANDOM_BYTES)).encode()
        signed = await self._sign([token_diff(offer.swap.diff)], nonce, deadline)
        params = {"quote_hashes": [offer.quote.quote_hash], "signed_data": dict(signed.body)}
        payload = json.dumps(params, separators=(",", ":")).encode()
        notes = {"nonce": nonce.hex(), "height": str(block.height), **offer.swap.notes()}
        return Prepared(order.order_id, signed.intent_hash, payload, deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Rehearse on the chain, and publish; the same bytes may be given again at any time.

        What the rehearsal refuses is not published now, and stays open until the chain ends it.
        """
        params = json.loads(prepared.payload)
        try:
            await self._rehearse(prepared, params["signed_data"])
            await self._relay.publish(params)
        except NearUnreachable as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        except NearRefused as error:
            # The relay or the node has the bytes all the same, and they may be sent again after
            # they were executed: only the chain can say what comes of them.
            return await self._settlement.report(prepared, doubted=str(error.value))
        return Report(prepared.leg_id, LegState.SUBMITTED)

    async def status(self, prepared: Prepared) -> Report:
        """What the chain says; the relay is asked only for a hash to look at."""
        return await self._settlement.report(prepared)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """None: the relay pays for the transaction."""
        return None

    async def cancel(self, prepared: Prepared) -> Report:
        """Use the order's nonce up with an empty payload, unless the order does first.

        Confirmed once that is final. Without a lane only the deadline ends an order. What cannot be
        signed or sent changes nothing.
        """
        report = await self._settlement.report(prepared)
        if self._lane is None or report.state not in (LegState.SUBMITTED, LegState.UNKNOWN):
            return report
        nonce = bytes.fromhex(prepared.notes["nonce"])
        try:
            empty = await self._sign([], nonce, prepared.deadline)
            args = {"signed": [dict(empty.body)]}
            call = FunctionCall(self._verifier.contract_id, "execute_intents", args, 50 * TERA)
            await self._lane.send(await self._lane.sign(call))
        except ExecutionError as error:  # of the node, or of a signer that is down
            return replace(report, detail=f"not cancelled: {error}")
        return await self._settlement.report(prepared)

    async def holdings(self, since: int) -> Holdings:
        """Balances inside the verifier. It keeps no list of orders or trades: ask by nonce."""
        assets = {a.symbol: a for i in self._instruments for a in (i.base, i.quote)}
        tokens = {symbol: self._listing.token(asset) for symbol, asset in assets.items()}
        units = await self._verifier.balances(
            self._account_id, [token.token_id for token in tokens.values()]
        )
        held = {
            symbol: tokens[symbol].amount_down(assets[symbol], amount)
            for symbol, amount in zip(tokens, units, strict=True)
        }
        return Holdings(held, (), (), await self._rpc.balance(self._account_id))

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """Half-way between the offers for buying and for selling the probe quantity."""
        found: dict[str, int] = {}
        for instrument in instruments:
            both = await self._both(instrument)
            if both is not None:
                one = instrument.notional(self._probes[instrument.symbol], 1)
                found[instrument.symbol] = max(1, sum(both) // (2 * one))
        return found

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """The probe quantity, where it is offered both ways; a relay shows no book."""
        return {
            instrument.symbol: self._probes[instrument.symbol]
            for instrument in instruments
            if await self._both(instrument) is not None
        }

    async def close(self) -> None:
        """Let go of the connections to the relay and to the node."""
        await self._relay.close()
        await self._rpc.close()

    async def _both(self, instrument: Instrument) -> tuple[int, int] | None:
        probe = self._probes.get(instrument.symbol)
        if probe is None:
            return None
        buy = await self.quote(instrument, Side.BUY, probe)
        sell = await self.quote(instrument, Side.SELL, probe)
        return None if buy is None or sell is None else (buy.max_spent, sell.min_received)

    async def _sign(
        self, intents: Sequence[Mapping[str, Any]], nonce: bytes, deadline: int
    ) -> SignedIntents:
        return await sign_intents(
            self._signer,
            intents,
            account_id=self._account_id,
            contract_id=self._verifier.contract_id,
            deadline=deadline,
            nonce=nonce,
            standard=self._standard,
        )

    async def _rehearse(self, prepared: Prepared, signed: Mapping[str, Any]) -> None:
        """Alone it must execute, and lack exactly what the counterparty brings and takes.

        Raises:
            NearRefused: if the contract refuses it, or it would do something else.
            NearUnreachable: if nobody knows.
        """
        swap = Swap.of_notes(prepared.notes)
        found = await self._verifier.simulate([signed])
        taken = swap.units_in - fee_on(swap.token_in, swap.units_in, found.fee_pips)
        expected = {swap.token_in: -taken, swap.token_out: swap.units_out}
        if found.hashes != (prepared.reference,) or dict(found.missing) != expected:
            said = f"executes {list(found.hashes)} and lacks {dict(found.missing)}"
            raise NearRefused(
                f"rehearsal of {prepared.leg_id}", f"rehearsed, it {said}", f"expected {expected}"
            )
