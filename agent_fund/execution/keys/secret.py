"""Secret: bytes that no repr, format, log, pickle, copy, JSON or traceback can show.

The one way to the bytes is ``reveal()``, for the moment in which they are used. ``wipe`` is best
effort: Python and its libraries may have made copies of what was revealed.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

_MASK = "<secret>"


class Secret:
    """A value to be used and never shown.

    Args:
        value: copied; a ``bytearray`` given is the caller's to clear.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | bytearray) -> None:
        self._value: bytearray | None = bytearray(value)

    def reveal(self) -> bytes:
        """The bytes; keep them no longer than the call that needs them.

        Raises:
            ValueError: after ``wipe``.
        """
        if self._value is None:
            raise ValueError("this secret was wiped; open its source again")
        return bytes(self._value)

    def wipe(self) -> None:
        """Overwrite the bytes with zeros and forget them; ``reveal`` raises from now on."""
        if self._value is not None:
            self._value[:] = bytes(len(self._value))
            self._value = None

    def __len__(self) -> int:
        return 0 if self._value is None else len(self._value)

    def __eq__(self, other: object) -> bool:
        """In a time that does not depend on where two secrets of one length differ."""
        if not isinstance(other, Secret) or self._value is None or other._value is None:
            return False
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash of it would be a way to guess it

    def __repr__(self) -> str:
        return _MASK

    def __str__(self) -> str:
        return _MASK

    def __format__(self, specification: str) -> str:
        return _MASK

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled; pass the object itself")

    def __copy__(self) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled; pass the object itself")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled; pass the object itself")
