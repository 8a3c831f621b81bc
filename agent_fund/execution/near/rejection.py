"""What a refusal by the verifier means for a signed payload: never, not now, or used up already."""

from __future__ import annotations

import enum

from agent_fund.execution.live.leg_state import LegState


class Rejection(enum.Enum):
    """How final a refusal is."""

    NEVER = "never"
    NOT_NOW = "not now"
    USED = "used"

    @property
    def state(self) -> LegState:
        """The state of a leg whose payload has left the house and is refused like this.

        A payload that is refused only now stays executable until its deadline, by anybody who has
        it. One whose nonce is used up was executed, or cancelled: the chain must be asked.
        """
        return _STATES[self]


_STATES = {
    Rejection.NEVER: LegState.REJECTED,
    Rejection.NOT_NOW: LegState.SUBMITTED,
    Rejection.USED: LegState.UNKNOWN,
}
_NEVER = (
    "invalid signature",
    "wrong verifying_contract",
    "invalid salt",
    "deadline is greater than nonce",
    "invalid intent",
)


def classify(message: str) -> Rejection:
    """What the contract's panic ``message`` means; an unknown message is a refusal for now.

    An expired deadline is one for now too: the newest block has passed it, and only a final block
    decides.
    """
    if "nonce was already used" in message:
        return Rejection.USED
    if any(reason in message for reason in _NEVER):
        return Rejection.NEVER
    return Rejection.NOT_NOW
