"""Places: where the fund's assets can stand; each place is all spot or one margin account."""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.execution.account import Account, Bucket, free_bucket
from agent_fund.execution.errors import LedgerError


class Places:
    """The places of a fund's instruments, in the order of the instruments.

    Raises:
        LedgerError: if two instruments share base asset and place, or trade the currency itself,
            or if spot and perpetuals share a venue or a place.
    """

    def __init__(self, currency: Asset, instruments: Mapping[str, Instrument]) -> None:
        self._currency = currency
        self._free: dict[str, Bucket] = {}
        self._symbols: dict[tuple[str, Asset], str] = {}
        venues: dict[str, Bucket] = {}
        for symbol, instrument in instruments.items():
            place, free = instrument.account, free_bucket(instrument)
            key = (place, instrument.base)
            if key in self._symbols or instrument.base == currency:
                raise LedgerError(
                    f"instrument {symbol}",
                    instrument.base.symbol,
                    "one asset at one place is one position; give it one instrument",
                )
            self._symbols[key] = symbol
            at_place = self._free.setdefault(place, free)
            at_venue = venues.setdefault(instrument.venue.name, free)
            if not at_place is at_venue is free:
                raise LedgerError(
                    f"instrument {symbol}",
                    instrument.venue.name,
                    "a venue has spot or perpetuals; give the two wallets two venue names",
                )
        self.names = tuple(self._free)

    def free(self, place: str) -> Bucket:
        """Where currency stands at ``place``: AVAILABLE, or MARGIN at a margin account.

        Raises:
            LedgerError: if the fund has no such place.
        """
        bucket = self._free.get(place)
        if bucket is None:
            known = ", ".join(self.names) or "none"
            raise LedgerError("place", place, f"the fund's places are: {known}")
        return bucket

    def symbol(self, place: str, asset: Asset) -> str:
        """The instrument whose position ``asset`` at ``place`` is."""
        return self._symbols[place, asset]

    def require_shown(self, account: Account) -> None:
        """Refuse a balance that no Book of this fund would show.

        Raises:
            LedgerError: for another place, another asset there, or a bucket of the other kind.
        """
        if not account.own:
            return
        free = self.free(account.place)
        held = account.asset == self._currency
        if account.bucket is not Bucket.IN_TRANSIT:
            held = held or (account.place, account.asset) in self._symbols
            held = held and account.bucket in (free, Bucket.RESERVED)
        if not held:
            raise LedgerError(
                f"{account.asset.symbol} at {account.place}",
                account.bucket.value,
                "hold an asset only where one of the fund's instruments trades it, "
                f"and there as {free.value}",
            )
