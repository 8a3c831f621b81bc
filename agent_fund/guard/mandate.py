"""A mandate: guardrails, the stress set they are proved against, and what trading may cost.

A mandate file is a short Python file in ``guardrails/`` that sets ``mandate = Mandate(...)``. At
the start of a run it is resolved, with prices from before the test window, to canonical JSON with
a hash; that JSON is what the log holds and what auditors check. Nobody else runs the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_name
from agent_fund.guard.calibration import Calibration
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.stress import Stress

VERSION = 2


def calibrated(
    multiple: Exact,
    *,
    factors: Mapping[str, Mapping[str, Exact]] | None = None,
    horizon: int | str = "auto",
    basis: Mapping[str, str] | None = None,
    basis_multiple: Exact | None = None,
    lose: str | Sequence[str] = (),
) -> Calibration:
    """A stress set of ``multiple`` times the worst move before the test window.

    Args:
        multiple: e.g. ``"2"``; declared beforehand, never fitted to the test window.
        factors: baskets by name, each a mapping of symbol to share; shares sum to 1.
        horizon: bar opens covered; ``"auto"`` takes the way out that the venue implies.
        basis: ``{"BTC-PERP": "BTC"}``: the first follows the second, within a calibrated basis; its
            box is that of the second and the basis together.
        basis_multiple: of the worst move of a basis, if another than ``multiple``.
        lose: venues of which any one may fail within the horizon; ``"any"``: every one of the run.
    """
    if horizon != "auto" and (type(horizon) is not int or horizon < 3):
        raise DomainError("horizon", horizon, 'write "auto" or a number of opens, at least 3')
    baskets = {
        name: {s: ratio(w, f"weight of {s} in {name}") for s, w in weights.items()}
        for name, weights in (factors or {}).items()
    }
    return Calibration(
        _multiple(multiple, "stress multiple"),
        baskets,
        None if horizon == "auto" else int(horizon),
        dict(basis or {}),
        None if basis_multiple is None else _multiple(basis_multiple, "basis multiple"),
        (lose,) if isinstance(lose, str) else tuple(lose),
    )


def _multiple(value: Exact, subject: str) -> Fraction:
    found = ratio(value, subject)
    if found <= 0:
        raise DomainError(subject, str(value), "write a positive number")
    return found


def costs(*, fee: Exact, slippage: Exact, legging: Exact = "0%") -> Costs:
    """The highest fee and slippage that the mandate allows for, as shares of the notional.

    Args:
        legging: what a leg may lose while the others of its way out are not yet filled: where
            instruments have different latencies or venues, legs do not close at one time.
    """
    return Costs(
        ratio(fee, "highest fee"),
        ratio(slippage, "highest slippage"),
        ratio(legging, "legging allowance"),
    )


@dataclass(frozen=True)
class Mandate:
    """A mandate as written, not yet resolved.

    Attributes:
        name: short name without spaces.
        guardrails: exactly one max_drawdown; other kinds at most once each.
        reduce_to: share of the largest book that certifies to which a reduction goes.
        band: half-width of the price band that one certificate of a held book covers.
    """

    name: str
    stress: Calibration
    costs: Costs
    guardrails: Sequence[Guardrail]
    reduce_to: Exact = "80%"
    band: Exact = "1%"

    def __post_init__(self) -> None:
        require_name(self.name, "mandate name")
        kinds = [g.kind for g in self.guardrails]
        if kinds.count("max_drawdown") != 1:
            raise DomainError("guardrails", kinds, "give exactly one max_drawdown")
        if len(set(kinds)) != len(kinds):
            raise DomainError("guardrails", kinds, "give each kind once")
        object.__setattr__(self, "guardrails", tuple(self.guardrails))
        _share("reduce_to", ratio(self.reduce_to, "reduce_to"), Fraction(1))
        _share("band", ratio(self.band, "band"), Fraction(1, 2))

    def resolve(self, stress: Stress, exit_bars: int) -> ResolvedMandate:
        """The mandate over a resolved stress set and venue."""
        return ResolvedMandate(
            self.name,
            tuple(self.guardrails),
            stress,
            self.costs,
            ratio(self.reduce_to),
            ratio(self.band),
            exit_bars,
        )


def _share(name: str, value: Fraction, most: Fraction) -> None:
    if not 0 <= value <= most:
        raise DomainError(name, str(value), f"write a share from 0% to {most * 100}%")


@dataclass(frozen=True)
class ResolvedMandate:
    """A mandate with nothing left open: what the guard enforces and the auditor reads."""

    name: str
    guardrails: tuple[Guardrail, ...]
    stress: Stress
    costs: Costs
    reduce_to: Fraction
    band: Fraction
    exit_bars: int = 1

    def guardrail(self, kind: str) -> Guardrail | None:
        """The guardrail of that kind, if the mandate has it."""
        return next((g for g in self.guardrails if g.kind == kind), None)

    @cached_property
    def drawdown(self) -> Guardrail:
        """The max_drawdown guardrail."""
        found = self.guardrail("max_drawdown")
        if found is None:
            raise DomainError("mandate", self.name, "give exactly one max_drawdown")
        return found

    @cached_property
    def margin_multiple(self) -> Fraction:
        """What the equity of a margin account must be of its maintenance; 1 if nothing is said."""
        found = self.guardrail("margin_safety")
        return Fraction(1) if found is None else found.limit

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(dumps(self.to_json())).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON values."""
        return {
            "v": VERSION,
            "name": self.name,
            "guardrails": [g.to_json() for g in self.guardrails],
            "stress": self.stress.to_json(),
            "costs": {
                "fee": str(self.costs.fee),
                "slippage": str(self.costs.slippage),
                "legging": str(self.costs.legging),
            },
            "reduce_to": str(self.reduce_to),
            "band": str(self.band),
            "exit_bars": self.exit_bars,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ResolvedMandate:
        """The mandate that ``to_json`` wrote.

        Raises:
            DomainError: for another version, or content that does not re-encode identically.
        """
        if value.get("v") != VERSION:
            raise DomainError("mandate version", value.get("v"), f"this code reads {VERSION}")
        mandate = cls(
            value["name"],
            tuple(Guardrail.from_json(g) for g in value["guardrails"]),
            Stress.from_json(value["stress"]),
            Costs(*(ratio(value["costs"][name]) for name in ("fee", "slippage", "legging"))),
            ratio(value["reduce_to"]),
            ratio(value["band"]),
            value["exit_bars"],
        )
        if mandate.to_json() != value:
            raise DomainError("mandate", value.get("name"), "it is not in canonical form")
        return mandate
