"""The certificate file: strict JSON in which every integer is a decimal string.

    {"bound": "B", "certificate": "...", "form": {...}, "stress": {...}, "v": 2}

The certificate itself is the base64 text of its compact bytes; see ``kernel.compact``. What does
not re-encode to the same bytes is refused, so a file has one reading.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.compact import pack, unpack
from agent_fund.guard.kernel.form import Form, Hinge, KernelError, Row, StressSet

VERSION = 2
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
        "rows": [[[[str(d), str(c)] for d, c in r.terms], str(r.bound)] for r in stress.rows],
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
            raise KernelError("a row is [terms, bound]")
        terms = []
        for term in _list(row[0], "row"):
            driver, coefficient = _integers(term, "row term", 2)
            terms.append((driver, coefficient))
        rows.append(Row(tuple(terms), _integer(row[1], "row bound")))
    return StressSet(tuple(box), tuple(rows))


def encode_certificate(certificate: Certificate) -> str:
    """``certificate`` as the base64 text of its compact bytes."""
    return base64.b64encode(pack(certificate)).decode()


def decode_certificate(value: Any) -> Certificate:
    """The Certificate that ``encode_certificate`` wrote, or KernelError."""
    if not isinstance(value, str):
        raise KernelError(f"a certificate is base64 text, not {type(value).__name__}")
    try:
        certificate = unpack(base64.b64decode(value.encode(), validate=True))
    except (ValueError, binascii.Error) as error:
        raise KernelError(f"not a certificate: {error}") from None
    if encode_certificate(certificate) != value:
        raise KernelError("the certificate is not in canonical form")
    return certificate


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
