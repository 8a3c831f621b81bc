"""The bytes that ``contracts/LeafVerifier.sol`` reads: a form and a stress set as varints.

Plain integers in, one spelling out; unsigned LEB128, signed numbers in zigzag. The certificate is
not encoded here: the contract reads the kernel's own compact bytes of a leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data

Hinge = tuple[int, int, int, int]
"""weight, driver, slope, offset."""
Row = tuple[Sequence[tuple[int, int]], int]
"""(driver, coefficient) pairs, drivers increasing; bound."""


def encode_form(constant: int, linear: Sequence[int], hinges: Sequence[Hinge]) -> bytes:
    """A form.

    Raises:
        ExecutionError: for what has no spelling, such as a driver below zero.
    """
    out = bytearray()
    _signed(constant, out)
    _unsigned(len(linear), out, "linear")
    for coefficient in linear:
        _signed(coefficient, out)
    _unsigned(len(hinges), out, "hinges")
    for weight, driver, slope, offset in hinges:
        _signed(weight, out)
        _unsigned(driver, out, "hinge's driver")
        _signed(slope, out)
        _signed(offset, out)
    return bytes(out)


def encode_stress(box: Sequence[tuple[int, int]], rows: Iterable[Row]) -> bytes:
    """A stress set: a (low, high) pair a driver, and the rows.

    Raises:
        ExecutionError: for what has no spelling: a box or a row without 0, drivers out of order.
    """
    out = bytearray()
    _unsigned(len(box), out, "box")
    for low, high in box:
        _unsigned(-low, out, "lower end")
        _unsigned(high, out, "upper end")
    listed = list(rows)
    _unsigned(len(listed), out, "rows")
    for terms, bound in listed:
        _unsigned(len(terms), out, "terms")
        last = -1
        for driver, coefficient in terms:
            _unsigned(driver - last - 1, out, "row's driver")
            _signed(coefficient, out)
            last = driver
        _unsigned(bound, out, "row's bound")
    return bytes(out)


def proved_bound_call(form: bytes, stress: bytes, certificate: bytes) -> bytes:
    """The calldata of the contract's ``provedBound``; the answer is one int256."""
    return call_data("provedBound(bytes,bytes,bytes)", form, stress, certificate)


def check_call(form: bytes, stress: bytes, certificate: bytes, bound: int) -> bytes:
    """The calldata of the contract's ``check``; the answer is one bool."""
    return call_data("check(bytes,bytes,bytes,int256)", form, stress, certificate, bound)


def _unsigned(value: int, out: bytearray, subject: str) -> None:
    if value < 0:
        raise ExecutionError(subject, value, "it is negative here, or out of order")
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _signed(value: int, out: bytearray) -> None:
    _unsigned(2 * value if value >= 0 else -2 * value - 1, out, "number")
