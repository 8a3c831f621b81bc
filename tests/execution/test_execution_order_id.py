from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.order_id import client_order_id

INTENT = bytes(range(32))


def test_it_is_the_base32_of_the_documented_bytes() -> None:
    message = b"agent-fund/clordid/v1\x00" + INTENT + b"\0" * 7 + b"\x02" + b"\0" * 7 + b"\x01"
    digest = hashlib.sha256(message).digest()
    found = client_order_id(INTENT, 2, 1)
    assert re.fullmatch("[a-z2-7]{32}", found)
    assert base64.b32decode(found.upper()) == digest[:20]


numbers = st.integers(0, 2**53 - 1)
triples = st.tuples(st.binary(min_size=32, max_size=32), numbers, numbers)


@given(triples, triples)
def test_two_ids_are_equal_only_for_the_same_attempt(
    one: tuple[bytes, int, int], other: tuple[bytes, int, int]
) -> None:
    assert (client_order_id(*one) == client_order_id(*other)) == (one == other)


def test_leg_and_attempt_do_not_run_together() -> None:
    assert client_order_id(INTENT, 1, 0) != client_order_id(INTENT, 0, 1)


def test_it_refuses_what_is_not_a_leaf_hash_or_a_count() -> None:
    with pytest.raises(ExecutionError, match="32 bytes"):
        client_order_id(INTENT[:31], 0, 0)
    with pytest.raises(ExecutionError, match="below 2"):
        client_order_id(INTENT, 2**53, 0)
    with pytest.raises(DomainError):
        client_order_id(INTENT, 0, -1)
