"""RouteTerms: what a router is told about time, tolerance and risk; nothing has a default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.money import ceil_div, require_int
from agent_fund.execution.errors import ExecutionError

HOUR = 3600


@dataclass(frozen=True)
class RouteTerms:
    """How routes are looked for and priced.

    Attributes:
        time_out: seconds for all answers of one search together; a duration, so it may be a float.
        parts: into how many parts a goal may be split over venues; 1 never splits.
        tolerance: how far beyond an indicative quote a leg's limit may lie, as a share of its
            price; a firm quote concedes nothing, and nothing goes beyond the goal's own limit.
        risk_per_hour: what an hour under way is taken to cost, as a share of the amount.
        fee: share of a purchase's notional that is kept ready for fees at least; the mandate's
            own, because its guard asks for as much.
        settles: by venue name, seconds from a trade until its proceeds can be used.
        step: base units of the currency; only multiples of it are moved, since a token may have
            fewer decimals than the fund's currency.
    """

    time_out: float
    parts: int
    tolerance: Fraction
    risk_per_hour: Fraction
    fee: Fraction
    settles: Mapping[str, int]
    step: int

    def __post_init__(self) -> None:
        require_int(self.parts, "parts of a split", minimum=1)
        require_int(self.step, "step of what is moved", minimum=1)
        if not self.time_out > 0:
            raise ExecutionError("time-out of quotes", self.time_out, "write positive seconds")
        shares = {
            "tolerance": self.tolerance,
            "risk per hour": self.risk_per_hour,
            "fee kept ready": self.fee,
        }
        for name, share in shares.items():
            if not isinstance(share, Fraction) or not 0 <= share < 1:
                raise ExecutionError(name, share, "write a Fraction from 0 to below 1")
        for venue, seconds in self.settles.items():
            require_int(seconds, f"seconds until {venue} settles", minimum=0)

    def risk(self, amount: int, seconds: int) -> int:
        """The price of ``amount`` base units under way for ``seconds``, rounded up."""
        rate = self.risk_per_hour
        return ceil_div(amount * seconds * rate.numerator, HOUR * rate.denominator)

    def fees(self, notional: int) -> int:
        """What is kept ready for the fees of a purchase of ``notional``, rounded up."""
        return ceil_div(notional * self.fee.numerator, self.fee.denominator)
