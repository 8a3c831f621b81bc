r"""A commitment to a decision: one root binds all its fields, hides them, and opens them singly.

The root is an RFC 6962 root over the fields sorted by name (by UTF-8 bytes). The leaf of a field is

    "agent-fund/field/v1\0" || salt (32 bytes) || JCS([name, value])

Binding: another value needs a collision of SHA-256. Hiding: without its salt a field cannot be
guessed and tried, as long as the secret behind the salts stays secret. One opening shows that the
field is in the tree; that no second field bears the same name is shown only by opening all fields
and committing again, since ``commit`` takes a mapping.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.audit.canonical import JSON, encode
from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import (
    inclusion_proof,
    leaf_hash,
    nodes_over,
    root_of,
    verify_inclusion,
)

FIELD_PREFIX = b"agent-fund/field/v1\x00"

SALT_BYTES = 32


@dataclass(frozen=True)
class Opening:
    """One field of a commitment, with what proves it.

    Attributes:
        name, value, salt: the field and the 32 bytes that hid it.
        index, size: its place among the fields sorted by name, and how many there are.
        proof: RFC 6962 inclusion proof, 32 bytes a hash.
    """

    name: str
    value: JSON
    salt: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]


def salt_for(secret: bytes, intent: str, field: str) -> bytes:
    """The salt of one field of one intent: HMAC-SHA256(secret, intent || 0x00 || field).

    Args:
        secret: at least 32 random bytes, kept by the fund until it reveals.
        intent: identifier of the intent, used for no other decision.
        field: name of the field.

    Raises:
        AuditError: for a shorter secret, or a NUL in ``intent``, which would let two pairs share
            a salt.
    """
    if len(secret) < SALT_BYTES:
        raise AuditError(
            "length of the salt secret", len(secret), f"use at least {SALT_BYTES} random bytes"
        )
    if "\x00" in intent:
        raise AuditError("intent", intent, "write it without NUL")
    return hmac.digest(secret, _utf8(intent) + b"\x00" + _utf8(field), "sha256")


def field_leaf(salt: bytes, name: str, value: JSON) -> bytes:
    """The leaf of one field, before hashing.

    Raises:
        AuditError: if the salt is not 32 bytes or the field is not canonical JSON.
    """
    if len(salt) != SALT_BYTES:
        raise AuditError(f"salt length of {name}", len(salt), f"use {SALT_BYTES} bytes")
    return FIELD_PREFIX + salt + encode([name, value])


def commit(fields: Mapping[str, JSON], salts: Mapping[str, bytes]) -> bytes:
    """The root, 32 bytes, over ``fields``, each under its own salt.

    Raises:
        AuditError: if there is no field, or ``salts`` has other names than ``fields``.
    """
    return root_of(_leaf_hashes(fields, salts))


def open_field(fields: Mapping[str, JSON], salts: Mapping[str, bytes], name: str) -> Opening:
    """What shows field ``name`` to a holder of ``commit(fields, salts)``, and no other field.

    Raises:
        AuditError: if there is no such field, or ``commit`` would refuse the arguments.
    """
    hashes = _leaf_hashes(fields, salts)
    if name not in fields:
        raise AuditError("field", name, f"the commitment holds: {', '.join(sorted(fields))}")
    index = sorted(fields, key=_utf8).index(name)
    proof = inclusion_proof(index, len(hashes), nodes_over(hashes))
    return Opening(name, fields[name], salts[name], index, len(hashes), tuple(proof))


def verify_opening(root: bytes, opening: Opening) -> bool:
    """Whether ``opening`` shows a field of the commitment ``root``."""
    try:
        leaf = field_leaf(opening.salt, opening.name, opening.value)
    except AuditError:
        return False
    return verify_inclusion(opening.index, opening.size, leaf_hash(leaf), opening.proof, root)


def _leaf_hashes(fields: Mapping[str, JSON], salts: Mapping[str, bytes]) -> list[bytes]:
    if not fields:
        raise AuditError("fields of a commitment", {}, "commit to at least one")
    unpaired = sorted(fields.keys() ^ salts.keys())
    if unpaired:
        raise AuditError("fields of a commitment", unpaired, "give each field one salt")
    return [
        leaf_hash(field_leaf(salts[name], name, fields[name])) for name in sorted(fields, key=_utf8)
    ]


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise AuditError("name", text, "write well-formed Unicode") from error
