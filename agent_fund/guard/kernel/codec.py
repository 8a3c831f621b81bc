"""The certificate file: strict JSON in which every integer is a decimal string.

    {"bound": "B", "form": {...}, "stress": {...}, "certificate": {...}, "v": 1}

What does not re-encode to the same bytes is refused, so a file has one reading.
"""

from __future__ import annotations

import json
import re
from typing import Any

from agent_fund.guard.kernel.certificate import MAX_DEPTH, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import Form, Hinge, KernelError, Row, StressSet

VERSION = 1
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
MAX_DIGITS = 400


def dumps(value: Any) -> bytes:
    """Canonical bytes of a JSON value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def encode_form(form: Form) -> dict[str, Any]:
    """``form`` as JSON."""
    return {
        "constant": str(form.constant),
        "linear": [str(c) for c in form.linear],
        "hinges": [[str(v) for v in (h.weight, h.driver, h.slope, h.offset)] for h in form.hinges],
    }


def decode_form(value: Any) -> Form:
    """The Form that ``encode_form`` wrote, or KernelError."""
    _keys(value, {"constant", "linear", "hinges"}, "form")
    hinges = [Hinge(*_integers(h, "hinge", 4)) for h in _list(value["hinges"], "hinges")]
    return Form(
        _integer(value["constant"], "constant"),
        _integers(value["linear"], "linear"),
        tuple(hinges),
    )


def encode_stress(stress: StressSet) -> dict[str, Any]:
    """``stress`` as JSON."""
    return {
        "box": [[str(low), str(high)] for low, high in stress.box],
        "rows": [[[str(c) for c in row.coefficients], str(row.bound)] for row in stress.rows],
    }


def decode_stress(value: Any) -> StressSet:
    """The StressSet that ``encode_stress`` wrote, or KernelError."""
    _keys(value, {"box", "rows"}, "stress")
    box = []
    for pair in _list(value["box"], "box"):
        low, high = _integers(pair, "box", 2)
        box.append((low, high))
    rows = []
    for row in _list(value["rows"], "rows"):
        if len(_list(row, "row")) != 2:
            raise KernelError("a row is [coefficients, bound]")
        rows.append(Row(_integers(row[0], "row"), _integer(row[1], "row bound")))
    return StressSet(tuple(box), tuple(rows))


def encode_certificate(certificate: Certificate) -> dict[str, Any]:
    """``certificate`` as JSON."""
    if isinstance(certificate, Leaf):
        return {
            "majorants": [[str(s), str(o)] for s, o in certificate.majorants],
            "multipliers": [str(m) for m in certificate.multipliers],
        }
    return {
        "driver": str(certificate.driver),
        "at": str(certificate.at),
        "left": encode_certificate(certificate.left),
        "right": encode_certificate(certificate.right),
    }


def decode_certificate(value: Any, depth: int = MAX_DEPTH) -> Certificate:
    """The Certificate that ``encode_certificate`` wrote, or KernelError."""
    if depth < 0:
        raise KernelError(f"the certificate is deeper than {MAX_DEPTH}")
    if isinstance(value, dict) and "at" in value:
        _keys(value, {"driver", "at", "left", "right"}, "split")
        return Split(
            _integer(value["driver"], "driver"),
            _integer(value["at"], "at"),
            decode_certificate(value["left"], depth - 1),
            decode_certificate(value["right"], depth - 1),
        )
    _keys(value, {"majorants", "multipliers"}, "leaf")
    majorants = []
    for pair in _list(value["majorants"], "majorants"):
        slope, offset = _integers(pair, "majorant", 2)
        majorants.append((slope, offset))
    return Leaf(tuple(majorants), _integers(value["multipliers"], "multipliers"))


def encode_file(form: Form, stress: StressSet, certificate: Certificate, bound: int) -> bytes:
    """A self-contained certificate file."""
    return dumps(
        {
            "v": VERSION,
            "form": encode_form(form),
            "stress": encode_stress(stress),
            "certificate": encode_certificate(certificate),
            "bound": str(bound),
        }
    )


def decode_file(data: bytes) -> tuple[Form, StressSet, Certificate, int]:
    """What ``encode_file`` wrote.

    Raises:
        KernelError: for anything that does not re-encode to exactly ``data``.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KernelError(f"not JSON: {error}") from None
    _keys(value, {"v", "form", "stress", "certificate", "bound"}, "file")
    if value["v"] != VERSION:
        raise KernelError(f"version {value['v']!r} is not {VERSION}")
    result = (
        decode_form(value["form"]),
        decode_stress(value["stress"]),
        decode_certificate(value["certificate"]),
        _integer(value["bound"], "bound"),
    )
    if encode_file(*result) != data:
        raise KernelError("the file is not in canonical form")
    return result


def _keys(value: Any, keys: set[str], place: str) -> None:
    if not isinstance(value, dict) or set(value) != keys:
        raise KernelError(f"{place} needs exactly the keys {sorted(keys)}")


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise KernelError(f"{place} is not a list")
    return value


def _integer(value: Any, place: str) -> int:
    if not isinstance(value, str) or len(value) > MAX_DIGITS or not _INTEGER.fullmatch(value):
        raise KernelError(f"{place}: {value!r} is not a canonical decimal integer")
    return int(value)


def _integers(value: Any, place: str, count: int | None = None) -> tuple[int, ...]:
    numbers = tuple(_integer(v, place) for v in _list(value, place))
    if count is not None and len(numbers) != count:
        raise KernelError(f"{place} needs {count} integers, not {len(numbers)}")
    return numbers
