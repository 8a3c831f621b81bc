"""Compact bytes of a certificate: one version, one spelling, nothing of the day's prices.

    certificate = VERSION tree
    tree        = 1 driver at tree tree            a split; at is signed (zigzag)
                | 0 count tangent* count weight*   a leaf
    tangent     = 0 for zero, 1 for ONE, else its share + 1
    weight      = rows skipped, exponent, odd mantissa: multiplier = mantissa * 2**exponent

Every number is an unsigned LEB128 varint in its shortest spelling. A leaf over 200 instruments
takes some 1,200 bytes, because multipliers need few digits: rounding one costs tightness only.
"""

from __future__ import annotations

from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import KernelError

VERSION = 2
MAX_BITS = 1400
MAX_COUNT = 1 << 20


def pack(certificate: Certificate) -> bytes:
    """The compact bytes of ``certificate``."""
    out = bytearray([VERSION])
    _pack(certificate, out)
    return bytes(out)


def unpack(data: bytes) -> Certificate:
    """The certificate that ``pack`` wrote.

    Raises:
        KernelError: for anything else, down to a number spelt longer than it needs.
    """
    reader = _Reader(data)
    version = reader.number()
    if version != VERSION:
        raise KernelError(f"certificate version {version} is not {VERSION}")
    certificate = _unpack(reader, MAX_DEPTH)
    if reader.at != len(data):
        raise KernelError(f"{len(data) - reader.at} bytes are left after the certificate")
    return certificate


def _pack(certificate: Certificate, out: bytearray) -> None:
    if isinstance(certificate, Split):
        at = certificate.at
        _write(1, out)
        _write(certificate.driver, out)
        _write(2 * at if at >= 0 else -2 * at - 1, out)
        _pack(certificate.left, out)
        _pack(certificate.right, out)
        return
    _write(0, out)
    _write(len(certificate.tangents), out)
    for share in certificate.tangents:
        if not 0 <= share <= ONE:
            raise KernelError(f"tangent {share} is no integer from 0 to {ONE}")
        _write({0: 0, ONE: 1}.get(share, share + 1), out)
    _write(len(certificate.multipliers), out)
    last = -1
    for row, multiplier in certificate.multipliers:
        if multiplier <= 0:
            raise KernelError(f"multiplier {multiplier} of row {row} is not positive")
        exponent = (multiplier & -multiplier).bit_length() - 1
        _write(row - last - 1, out)
        _write(exponent, out)
        _write(multiplier >> exponent, out)
        last = row


def _unpack(reader: _Reader, depth: int) -> Certificate:
    if depth < 0:
        raise KernelError(f"the certificate is deeper than {MAX_DEPTH}")
    kind = reader.number()
    if kind == 1:
        driver, at = reader.number(), reader.number()
        at = -(at + 1) // 2 if at % 2 else at // 2
        return Split(driver, at, _unpack(reader, depth - 1), _unpack(reader, depth - 1))
    if kind != 0:
        raise KernelError(f"{kind} is neither a leaf nor a split")
    tangents = []
    for _ in range(reader.count()):
        share = reader.number()
        if share > ONE:
            raise KernelError(f"a tangent of {share - 1} is no share of {ONE}")
        tangents.append(share - 1 if share > 1 else share * ONE)
    multipliers, row = [], -1
    for _ in range(reader.count()):
        row += reader.number() + 1
        exponent, mantissa = reader.number(), reader.number()
        if not mantissa % 2 or exponent > MAX_BITS:
            raise KernelError(f"multiplier {mantissa} * 2**{exponent} is not in canonical form")
        multipliers.append((row, mantissa << exponent))
    return Leaf(tuple(tangents), tuple(multipliers))


def _write(value: int, out: bytearray) -> None:
    if value < 0:
        raise KernelError(f"{value} cannot be written: it is out of order or negative")
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


class _Reader:
    """Bytes, and how far they are read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self) -> int:
        """The next varint."""
        value = shift = 0
        while True:
            if self.at == len(self.data):
                raise KernelError("the certificate ends early")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift > MAX_BITS:
                raise KernelError(f"a number of more than {MAX_BITS} bits")
        if not byte and shift > 7:
            raise KernelError("a number is spelt longer than it needs")
        return value

    def count(self) -> int:
        """The next varint as a number of things that follow; each takes a byte at least."""
        value = self.number()
        if value > min(MAX_COUNT, len(self.data) - self.at):
            raise KernelError(f"{value} things cannot follow")
        return value
