"""The checker: the smallest bound that a certificate proves, in exact integers.

Soundness, for a leaf on the box [lo, hi]: if each line lies above its hinge on the box and all
multipliers y are >= 0, then for every x in the box that satisfies the rows

    value(x) <= constant + sum offsets + y . bounds + max over the box of (residual . x)

where ``residual = linear + majorant slopes - y . rows``. Any y >= 0 is sound, because the box
absorbs the residual: a rounded multiplier costs tightness, never soundness. A split covers its
box by its two halves. So whoever found the certificate need not be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.guard.kernel.certificate import MAX_DEPTH, SHIFT, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import Form, Hinge, KernelError, StressSet

Box = Sequence[tuple[int, int]]


def proved_bound(form: Form, stress: StressSet, certificate: Certificate) -> int:
    """The least integer B for which ``certificate`` proves value(x) <= B on all of ``stress``.

    Raises:
        KernelError: if the certificate is malformed or proves nothing; the message says where.
    """
    if len(form.linear) != len(stress.box):
        raise KernelError(
            f"the form has {len(form.linear)} drivers, the stress set {len(stress.box)}"
        )
    return _bound(form, stress, certificate, list(stress.box), MAX_DEPTH)


def check(form: Form, stress: StressSet, certificate: Certificate, bound: int) -> bool:
    """Whether ``certificate`` proves value(x) <= ``bound`` on all of ``stress``."""
    return proved_bound(form, stress, certificate) <= bound


def _bound(
    form: Form, stress: StressSet, certificate: Certificate, box: list[tuple[int, int]], depth: int
) -> int:
    if isinstance(certificate, Leaf):
        return leaf_bound(form, stress, certificate, box)
    if not isinstance(certificate, Split):
        raise KernelError(f"{type(certificate).__name__} is no certificate")
    if depth == 0:
        raise KernelError(f"the certificate is deeper than {MAX_DEPTH}")
    driver, at = certificate.driver, certificate.at
    if type(driver) is not int or type(at) is not int or not 0 <= driver < len(box):
        raise KernelError(f"a split names driver {driver!r} at {at!r}")
    low, high = box[driver]
    if not low < at < high:
        raise KernelError(f"a split of driver {driver} at {at} is outside ({low}, {high})")
    left, right = list(box), list(box)
    left[driver], right[driver] = (low, at), (at, high)
    return max(
        _bound(form, stress, certificate.left, left, depth - 1),
        _bound(form, stress, certificate.right, right, depth - 1),
    )


def leaf_bound(form: Form, stress: StressSet, leaf: Leaf, box: Box) -> int:
    """What one leaf proves on ``box``, a part of the stress set's own box."""
    if len(leaf.majorants) != len(form.hinges):
        raise KernelError(f"{len(leaf.majorants)} majorants for {len(form.hinges)} hinges")
    if len(leaf.multipliers) != len(stress.rows):
        raise KernelError(f"{len(leaf.multipliers)} multipliers for {len(stress.rows)} rows")
    total = form.constant << SHIFT
    residual = [coefficient << SHIFT for coefficient in form.linear]
    for hinge, (slope, offset) in zip(form.hinges, leaf.majorants, strict=True):
        low, high = box[hinge.driver]
        _require_majorant(hinge, slope, offset, low, high)
        residual[hinge.driver] += slope
        total += offset
    for row, multiplier in zip(stress.rows, leaf.multipliers, strict=True):
        if type(multiplier) is not int or multiplier < 0:
            raise KernelError(f"multiplier {multiplier!r} is not a nonnegative integer")
        if multiplier:
            total += multiplier * row.bound
            for driver, coefficient in enumerate(row.coefficients):
                residual[driver] -= multiplier * coefficient
    for coefficient, (low, high) in zip(residual, box, strict=True):
        total += coefficient * (high if coefficient > 0 else low)
    return -(-total >> SHIFT)  # rounded up


def _require_majorant(hinge: Hinge, slope: int, offset: int, low: int, high: int) -> None:
    """The line lies above the hinge on [low, high]: at both ends, and at the kink if concave."""
    if type(slope) is not int or type(offset) is not int:
        raise KernelError(f"majorant ({slope!r}, {offset!r}) is not made of integers")
    for x in (low, high):
        if slope * x + offset < hinge.at(x) << SHIFT:
            raise KernelError(f"majorant ({slope}, {offset}) is below its hinge at {x}")
    if hinge.weight < 0 and hinge.slope:
        # A concave hinge peaks at its kink -offset/slope, where it is 0; multiply by |slope|.
        kink, unit = -hinge.offset, hinge.slope
        if unit < 0:
            kink, unit = -kink, -unit
        if low * unit < kink < high * unit and slope * kink + offset * unit < 0:
            raise KernelError(f"majorant ({slope}, {offset}) is below its hinge at the kink")
