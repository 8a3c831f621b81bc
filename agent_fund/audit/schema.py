"""The form of every record: which keys it has and of which type; anything else is refused."""

from __future__ import annotations

from typing import Any

from agent_fund.audit.canonical import decode
from agent_fund.audit.errors import AuditError

_SITUATION: dict[str, type] = {
    "kind": str,
    "act": str,
    "bar": int,
    "mandate": str,
    "book": dict,
    "prices": dict,
    "nav": str,
    "mark": str,
    "capacity": dict,
}
_LEGS: dict[str, type] = {"legs": list, "ordered": bool, "transfers": list}
_CERTIFIED: dict[str, type] = {
    **_LEGS,
    "band": dict,
    "bounds": dict,
    "latest": int,
    "proof": str,
    "subject": str,
}
_DECISION: dict[str, type] = {
    "proposal": int,
    "outcome": str,
    "theta": str,
    "findings": list,
    "broken": list,
}
_WAY_OUT: dict[str, type] = {"why": dict, "fraction": str, "legs": list}
_FLOW: dict[str, type] = {"due": int, "amount": str, "name": str}

ACTS: dict[str, tuple[dict[str, type], ...]] = {
    "decide": (_SITUATION | _DECISION | _CERTIFIED, _SITUATION | _DECISION | _LEGS),
    "look": (_SITUATION | _CERTIFIED,),
    "reduce": (_SITUATION | _WAY_OUT,),
    "exit": (_SITUATION | _WAY_OUT,),
    "kill": (_SITUATION | {"why": dict},),
    "done": (_SITUATION | {"why": dict},),
    "hold": (_SITUATION | {"why": dict},),
    "settle": (_SITUATION | {"why": dict, "order": str},),
    "adjust": (_SITUATION | {"why": dict, "place": str, "units": dict, "value": str},),
    "resume": (_SITUATION | {"why": dict} | _CERTIFIED,),
    "flow": (_SITUATION | _FLOW | _CERTIFIED,),
    "flow_queued": (_SITUATION | _FLOW,),
}

KINDS: dict[str, dict[str, type]] = {
    "genesis": {
        "kind": str,
        "v": int,
        "fund": str,
        "guarded": bool,
        "mode": str,
        "config": str,
        "mandate": str,
        "currency": dict,
        "cash": str,
        "capital": dict,
        "instruments": list,
        "data": dict,
        "strategy": str,
        "model": dict,
        "code": str,
        "lock": str,
        "secret": dict,
    },
    "gap": {"kind": str, "after": int, "before": int, "missing": list},
    "mark": {"kind": str, "rows": list},
    "intent": {
        "kind": str,
        "bar": int,
        "time": int,
        "id": str,
        "commitment": str,
        "fields": str,
    },
    "call": {"kind": str, "intent": int, "raw": str, "canonical": str},
    "response": {"kind": str, "intent": int, "failure": str, "body": str, "digest": str},
    "abort": {"kind": str, "bar": int, "intent": int, "reason": str},
    "proposal": {
        "kind": str,
        "bar": int,
        "intent": int,
        "legs": list,
        "ordered": bool,
        "transfers": list,
        "reason": str,
    },
    "order": {
        "kind": str,
        "guard": int,
        "leg": int,
        "id": str,
        "instrument": str,
        "side": str,
        "quantity": str,
        "limit": str,
        "purpose": str,
        "expires": int,
        "waits_for": str,
    },
    "fill": {
        "kind": str,
        "bar": int,
        "exec": str,
        "order": str,
        "quantity": str,
        "price": str,
        "fee": str,
    },
    "transfer": {
        "kind": str,
        "guard": int,
        "id": str,
        "source": str,
        "target": str,
        "amount": str,
        "cost": str,
        "due": int,
    },
    "arrival": {"kind": str, "bar": int, "id": str, "received": str, "returned": bool},
    "funding": {
        "kind": str,
        "bar": int,
        "instrument": str,
        "quantity": str,
        "mark": str,
        "rate": str,
        "amount": str,
    },
    "liquidation": {
        "kind": str,
        "bar": int,
        "when": str,
        "instrument": str,
        "quantity": str,
        "mark": str,
        "fee": str,
        "cover": str,
    },
    "forced": {
        "kind": str,
        "bar": int,
        "when": str,
        "exec": str,
        "instrument": str,
        "quantity": str,
        "price": str,
        "fee": str,
    },
    "status": {"kind": str, "bar": int, "order": str, "status": str},
    "close": {
        "kind": str,
        "bars": int,
        "nav": str,
        "mark": str,
        "mode": str,
        "breaches": list,
    },
}


def parse(leaf: bytes) -> dict[str, Any]:
    """The record in ``leaf``.

    Raises:
        AuditError: if it is not canonical JSON of a known form.
    """
    record = decode(leaf)
    if not isinstance(record, dict):
        raise AuditError("record", record, "a record is a JSON object")
    kind = record.get("kind")
    if kind == "guard":
        forms = ACTS.get(str(record.get("act")), ())
    else:
        forms = (KINDS[kind],) if isinstance(kind, str) and kind in KINDS else ()
    if not any(_fits(record, form) for form in forms):
        raise AuditError("record", sorted(record), f"no form of kind {kind!r} has these keys")
    return record


def _fits(record: dict[str, Any], form: dict[str, type]) -> bool:
    return record.keys() == form.keys() and all(
        type(record[key]) is kind for key, kind in form.items()
    )


def number(text: object) -> int:
    """The integer that a decimal string states, in its one spelling.

    Raises:
        AuditError: for anything else.
    """
    if isinstance(text, str) and len(text) <= 200:
        digits = text[1:] if text.startswith("-") else text
        if digits.isascii() and digits.isdigit() and str(int(text)) == text:
            return int(text)
    raise AuditError("integer", text, "write a decimal string without leading zeros")
