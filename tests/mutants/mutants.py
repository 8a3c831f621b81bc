"""Every way that the project was broken on purpose, and the test that sees it.

``make mutants`` breaks a copy of the project with each in turn and asks that its test turns red.
"""

from __future__ import annotations

from book_mutants import BOOK_MUTANTS
from chain_mutants import CHAIN_MUTANTS
from guard_mutants import GUARD_MUTANTS
from venue_mutants import VENUE_MUTANTS

MUTANTS = (*GUARD_MUTANTS, *BOOK_MUTANTS, *CHAIN_MUTANTS, *VENUE_MUTANTS)
