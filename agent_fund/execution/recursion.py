"""Python's own limit of recursion, kept: text from outside may be nested as deeply as it likes.

``py_ecc``, which the libraries of Ethereum bring along, raises the limit to 100,000 for the whole
process when it is imported. A few kilobytes of ``[[[[`` in a model's answer, or in a venue's, then
overrun the C stack and end the process, instead of being refused. Every module that imports such a
library imports this one too; whichever comes first, the limit stands afterwards.
"""

from __future__ import annotations

import sys

import py_ecc  # noqa: F401 - so that it is not imported later

_RAISED, _DEFAULT = 100_000, 1_000

if sys.getrecursionlimit() == _RAISED:
    sys.setrecursionlimit(_DEFAULT)
