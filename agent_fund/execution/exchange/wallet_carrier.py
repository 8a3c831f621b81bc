"""WalletCarrier: currency between one Binance account's spot and futures wallets, once or not.

The exchange takes no id of ours with a transfer, so a second sending would move money a second
time. Therefore a transfer is sent at most once, and only by the process that prepared it. Its
request is good from a stated moment of the exchange's clock for a few seconds and void after that,
and both stand in the prepared notes. Where no answer came, the history tells: once the request is
void, the one new row of its type, asset, amount and time is the transfer; if there is none, a while
later still, it never arrived, and the money never left. Two such rows are a doubt that a person
must resolve. While a request is not void, no other of its kind and amount is prepared.

Nobody else may move the same amount the same way in those seconds: of one row, the history does not
say who made it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.answer import Failure, NotTaken, Refused
from agent_fund.execution.exchange.wallet import (
    CONFIRMED,
    FAILED,
    PENDING,
    PLACES,
    TO_FUTURES,
    TO_SPOT,
    Movement,
    Wallet,
)
from agent_fund.execution.exchange.wallet_request import AHEAD_MS, SLACK_MS, WalletRequest
from agent_fund.execution.live.adapter import Prepared, Report, TransferQuote
from agent_fund.execution.live.leg_state import LegState

_VALID = 60_000  # milliseconds that a quote may be used; there is no price that could change
_SECONDS = 1


class WalletCarrier:
    """Carries ``currency`` between the accounts of ``spot`` and ``futures``; a Carrier.

    Args:
        spot, futures: adapters of the one account; started before this.
        window_ms: how long a request is good for.
        patience: seconds that a sending waits, at most, for a limit on requests to pass.
        now: Unix milliseconds. ``sleep``: for so many seconds.
    """

    def __init__(
        self,
        name: str,
        wallet: Wallet,
        currency: Asset,
        spot: ExchangeAdapter,
        futures: ExchangeAdapter,
        *,
        window_ms: int = 5_000,
        patience: float = 2.0,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self._wallet = wallet
        self._currency = currency
        self._venues = (spot, futures)
        self._kinds = {(spot.name, futures.name): TO_FUTURES, (futures.name, spot.name): TO_SPOT}
        self._window = window_ms
        self._patience = patience
        self._now = now
        self._sleep = sleep
        self._asset = ""
        self._unsent: set[str] = set()
        self._open: dict[str, WalletRequest] = {}
        self._answered: dict[str, str] = {}
        self._taken: list[Movement] = []
        self._ended: dict[str, Report] = {}

    @property
    def name(self) -> str:
        """The name by which run files and mandates know it."""
        return self._name

    def carries(self, source: str, target: str) -> bool:
        """Whether these are the two venues."""
        return (source, target) in self._kinds

    async def start(self) -> None:
        """Find the exchange's code of the currency, and check what the key may do.

        Raises:
            ExecutionError: if both venues do not know one code, or the key may not move money.
        """
        codes = [venue.code(self._currency) for venue in self._venues]
        if codes[0] != codes[1]:
            fix = "they are different assets: a transfer cannot make one the other"
            raise ExecutionError(f"{self._currency.symbol} of {self._name}", codes, fix)
        try:
            permitted = await self._wallet.permitted()
        except Failure as failure:
            fix = "is it reachable, and is the key right?"
            raise ExecutionError(f"start of {self._name}", failure.reason, fix) from None
        if not permitted:
            fix = "let it permit universal transfers, and never withdrawals"
            raise ExecutionError(f"API key of {self._name}", "it moves no money", fix)
        self._asset = codes[0]

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        """It is free; None for what is too fine, and while the exchange wants to be left alone.

        Nobody but the venues themselves has the money meanwhile.
        """
        if not self.carries(source, target) or self._wallet.connection.wait:
            return None
        if amount <= 0 or not self._expressible(amount):
            return None
        until = self._now() + _VALID
        return TransferQuote(source, target, amount, amount, 0, until, _SECONDS)

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        """The request, with the moment at which it is signed; nothing is sent.

        Raises:
            ExecutionError: if it cannot be made; nothing has left its source then.
        """
        leg, transfer = transit.transfer_id, transit.transfer
        subject, kind = f"transfer {leg}", self._kinds.get((transfer.source, transfer.target))
        if kind is None:
            pair = (transfer.source, transfer.target)
            raise ExecutionError(subject, pair, f"{self._name} serves {sorted(self._kinds)}")
        if not 0 < min_received <= transfer.amount:
            fix = f"ask for something, and no more than the {transfer.amount} that leave"
            raise ExecutionError(subject, min_received, fix)
        if not self._expressible(transfer.amount):
            fix = f"{self._asset} has {PLACES} decimals: move a multiple of its smallest unit"
            raise ExecutionError(subject, transfer.amount, fix)
        amount = self._currency.amount(transfer.amount)
        try:
            told = await self._wallet.now()
            rows = await self._wallet.history(kind, told - SLACK_MS, told + _VALID, told)
        except Failure as failure:
            fix = "nothing was sent; ask again when it answers"
            raise ExecutionError(subject, failure.reason, fix) from None
        window = min(self._window, deadline * 1000 - told)
        if window <= 0:
            fix = f"at the exchange it is {told} ms: leave it more time"
            raise ExecutionError(subject, deadline, fix)
        request = WalletRequest(kind, self._asset, amount, told, told + window)
        others = (*rows, *self._taken)
        request = replace(request, known=frozenset(o.tran_id for o in others if request.made(o)))
        self._require_alone(leg, request)
        self._unsent.add(leg)
        notes = request.notes() | {"units": str(transfer.amount)}
        return Prepared(leg, request.reference, request.payload(), request.void, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send it, unless it was sent, or may have been; then only ask."""
        leg = prepared.leg_id
        if leg not in self._unsent:
            return await self.status(prepared)
        patience = self._patience
        while True:
            self._unsent.discard(leg)  # from here on it may arrive, whatever becomes of this call
            try:
                self._answered[leg] = await self._wallet.transfer(json.loads(prepared.payload))
            except NotTaken as failure:
                # Turned away unread: nothing can come of this sending.
                self._unsent.add(leg)
                if failure.clock:  # too late for it, as a rule
                    return await self.status(prepared)
                if failure.wait > patience or not failure.wait:
                    return _unknown(leg, f"not accepted: {failure.reason}")
                patience -= failure.wait
                await self._sleep(failure.wait)
            except Refused as failure:
                return self._over(Report(leg, LegState.REJECTED, detail=failure.reason))
            except Failure as failure:
                return _unknown(leg, failure.reason)
            else:
                return await self.status(prepared)

    async def status(self, prepared: Prepared) -> Report:
        """From the history."""
        leg, request = prepared.leg_id, WalletRequest.read(prepared.notes)
        if leg in self._ended:
            return self._ended[leg]
        self._open.setdefault(leg, request)
        try:
            # The clock first: what the history does not show then, had not happened by that time.
            told = await self._wallet.now()
            if leg in self._unsent and told > request.until:
                why = "nothing of it was accepted, and it is void"
                return self._over(Report(leg, LegState.CANCELED, detail=why))
            start, end = request.since - SLACK_MS, request.until + SLACK_MS
            rows = await self._wallet.history(request.kind, start, end, told)
        except Failure as failure:
            return _unknown(leg, failure.reason)
        found = [row for row in rows if request.made(row)]
        answered = self._answered.get(leg)
        if answered is not None:
            found = [row for row in found if row.tran_id == answered]
            if not found:
                detail = f"accepted as transfer {answered}, and not in the history yet"
                return Report(leg, LegState.SUBMITTED, detail=detail)
        elif told <= request.until + AHEAD_MS:
            return _unknown(leg, f"what was sent may still be acted on; {len(found)} such so far")
        elif not found and told > request.forgotten:
            why = "it never arrived, and cannot any more"
            return self._over(Report(leg, LegState.CANCELED, detail=why))
        elif not found:
            return _unknown(leg, "it is not in the history; it may still come to be seen there")
        elif len(found) > 1:
            return _unknown(leg, _several(request, found))
        return self._told(prepared, found[0])

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """None: there is no fee."""
        return None

    async def close(self) -> None:
        """Let go of the connections; what was sent stays sent."""
        await self._wallet.connection.close()

    def _told(self, prepared: Prepared, row: Movement) -> Report:
        leg, detail = prepared.leg_id, f"transfer {row.tran_id}: {row.status}"
        if row.status == PENDING:
            return Report(leg, LegState.SUBMITTED, detail=detail)
        if row.status not in (CONFIRMED, FAILED):
            return _unknown(leg, detail)
        self._taken.append(row)
        if row.status == FAILED:
            return self._over(Report(leg, LegState.REJECTED, detail=detail))
        units = int(prepared.notes["units"])
        return self._over(Report(leg, LegState.SETTLED, received=units, detail=detail))

    def _require_alone(self, leg: str, request: WalletRequest) -> None:
        """Refuse what could not be told from another transfer that may still happen."""
        for other, its in self._open.items():
            if its.what == request.what and request.since <= its.forgotten:
                fix = f"transfer {other} is the same and under way: wait, or move another amount"
                raise ExecutionError(f"transfer {leg}", request.reference, fix)
        self._open[leg] = request

    def _over(self, report: Report) -> Report:
        self._unsent.discard(report.leg_id)
        self._open.pop(report.leg_id, None)
        self._answered.pop(report.leg_id, None)
        self._ended[report.leg_id] = report
        return report

    def _expressible(self, amount: int) -> bool:
        return amount % int(10 ** max(0, self._currency.scale - PLACES)) == 0


def _several(request: WalletRequest, found: Sequence[Movement]) -> str:
    ids = ", ".join(f"{row.tran_id} ({row.status})" for row in found)
    return (
        f"transfers {ids} are all as {request.reference}, and one of them at most is the fund's: "
        "look at who made them, and at both balances"
    )


def _unknown(leg: str, reason: str) -> Report:
    return Report(leg, LegState.UNKNOWN, detail=reason)
