"""The checker: the smallest bound that a certificate proves, in exact integers.

Soundness, for a leaf on the box [lo, hi]: every hinge lies below its line on the box, and all
multipliers y are >= 0; so for every x in the box that satisfies the rows

    value(x) <= constant + sum offsets + y . bounds + max over the box of (residual . x)

where ``residual = linear + slopes of the lines - y . rows``. Any y >= 0 is sound, because the box
absorbs the residual: a rounded multiplier costs tightness, never soundness. A split covers its
box by its two halves. So whoever found the certificate need not be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, SHIFT, Certificate, Leaf, Split
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
    total = form.constant << SHIFT
    residual = [coefficient << SHIFT for coefficient in form.linear]
    concave = 0
    for hinge in form.hinges:
        if hinge.weight < 0:
            if concave == len(leaf.tangents):
                raise KernelError(f"only {concave} tangents for the concave hinges")
            slope, offset = tangent(hinge, leaf.tangents[concave])
            concave += 1
        else:
            slope, offset = chord(hinge, *box[hinge.driver])
        residual[hinge.driver] += slope
        total += offset
    if concave != len(leaf.tangents):
        raise KernelError(f"{len(leaf.tangents)} tangents for {concave} concave hinges")
    rows, last = stress.rows, -1
    for index, multiplier in leaf.multipliers:
        if type(index) is not int or type(multiplier) is not int or multiplier <= 0:
            raise KernelError(f"multiplier {multiplier!r} of row {index!r} is no positive integer")
        if not last < index < len(rows):
            raise KernelError(f"row {index} is out of order, or not among {len(rows)}")
        row, last = rows[index], index
        total += multiplier * row.bound
        for driver, coefficient in row.terms:
            residual[driver] -= multiplier * coefficient
    for coefficient, (low, high) in zip(residual, box, strict=True):
        total += coefficient * (high if coefficient > 0 else low)
    return -(-total >> SHIFT)  # rounded up


def chord(hinge: Hinge, low: int, high: int) -> tuple[int, int]:
    """Slope and offset of the line through a convex hinge's two ends, rounded up above both."""
    slope, offset, weight = hinge.slope, hinge.offset, hinge.weight
    left, right = slope * low + offset, slope * high + offset
    if left >= 0 <= right:
        return weight * slope << SHIFT, weight * offset << SHIFT
    if left <= 0 >= right:
        return 0, 0
    left, right = weight * max(0, left) << SHIFT, weight * max(0, right) << SHIFT
    rise = (right - left) // (high - low)
    return rise, max(left - rise * low, right - rise * high)


def tangent(hinge: Hinge, share: int) -> tuple[int, int]:
    """Slope and offset of the line ``share`` of the way from zero to a concave hinge's own line."""
    if type(share) is not int or not 0 <= share <= ONE:
        raise KernelError(f"tangent {share!r} is no integer from 0 to {ONE}")
    weight = share * hinge.weight
    return weight * hinge.slope, weight * hinge.offset
