"""The life of one leg that has left the house: its states, and the only steps between them.

A leg is one order, or one transfer of currency, at one venue. Everything before SETTLED is
provisional: a chain may take it back. UNKNOWN says that the venue must be asked before anything
else happens; STUCK, that both the deadline and the time for a refund have passed: an alarm, the
venue is frozen, and the exposure stays on the ledger until a person resolves it.
"""

from __future__ import annotations

import enum

from agent_fund.domain.order import Status


class LegState(enum.Enum):
    """Where a leg stands; ERC-7683 and FIX between them have no one list of these."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    ORIGIN_CONFIRMED = "origin_confirmed"
    FILLED = "filled"
    SETTLED = "settled"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REFUND_PENDING = "refund_pending"
    REFUNDED = "refunded"
    STUCK = "stuck"
    CANCELED = "canceled"
    REJECTED = "rejected"

    @property
    def ended(self) -> bool:
        """Whether nothing more can come of it: final at its venue."""
        return self in _ENDED

    @property
    def status(self) -> Status:
        """The FIX OrdStatus that the desk sees; a stuck leg stays open, and counted."""
        return _STATUS[self]


_ENDED = frozenset({LegState.SETTLED, LegState.REFUNDED, LegState.CANCELED, LegState.REJECTED})
_STATUS = {
    LegState.PENDING: Status.PENDING,
    LegState.SUBMITTED: Status.NEW,
    LegState.ORIGIN_CONFIRMED: Status.NEW,
    LegState.FILLED: Status.NEW,
    LegState.SETTLED: Status.FILLED,
    LegState.UNKNOWN: Status.UNKNOWN,
    LegState.EXPIRED: Status.NEW,
    LegState.REFUND_PENDING: Status.NEW,
    LegState.REFUNDED: Status.CANCELED,
    LegState.STUCK: Status.UNKNOWN,
    LegState.CANCELED: Status.CANCELED,
    LegState.REJECTED: Status.REJECTED,
}

_P, _S, _O, _F = LegState.PENDING, LegState.SUBMITTED, LegState.ORIGIN_CONFIRMED, LegState.FILLED
_U, _E, _R, _K = (
    LegState.UNKNOWN,
    LegState.EXPIRED,
    LegState.REFUND_PENDING,
    LegState.STUCK,
)
_DONE, _BACK, _OFF, _NO = (
    LegState.SETTLED,
    LegState.REFUNDED,
    LegState.CANCELED,
    LegState.REJECTED,
)

TRANSITIONS: dict[LegState, frozenset[LegState]] = {
    # Nothing has left: it may be sent, given up, or be found to have been sent after all.
    _P: frozenset({_S, _O, _F, _DONE, _U, _E, _R, _BACK, _K, _NO, _OFF}),
    # Between two questions a leg may have made several steps at once.
    _S: frozenset({_O, _F, _DONE, _U, _E, _R, _BACK, _K, _OFF, _NO}),
    # A reorganisation takes the confirmation, or a provisional fill, back.
    _O: frozenset({_S, _F, _DONE, _U, _E, _R, _BACK, _K, _OFF}),
    # Filled in part, an order may still be cancelled.
    _F: frozenset({_S, _O, _DONE, _U, _E, _R, _K, _OFF}),
    _U: frozenset({_S, _O, _F, _DONE, _E, _R, _BACK, _K, _OFF, _NO}),
    _E: frozenset({_S, _O, _F, _DONE, _U, _R, _BACK, _K, _OFF}),
    _R: frozenset({_O, _F, _DONE, _U, _BACK, _K}),
    _K: frozenset({_O, _F, _R, _DONE, _BACK, _OFF, _U}),
    _DONE: frozenset(),
    _BACK: frozenset(),
    _OFF: frozenset(),
    _NO: frozenset(),
}
"""What each state may become; a report of anything else is a doubt, never taken over."""


def follows(before: LegState, after: LegState) -> bool:
    """Whether ``after`` may follow ``before``; staying is allowed to all."""
    return before is after or after in TRANSITIONS[before]
