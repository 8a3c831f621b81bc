from __future__ import annotations

from agent_fund.audit.canonical import JSON, encode, sha256_hex
from agent_fund.audit.changed import changed


def genesis(config: JSON, **more: JSON) -> tuple[bytes, dict[str, bytes]]:
    body = encode(config)
    record = encode({"kind": "genesis", "config": sha256_hex(body), "cash": "5", **more})
    return record, {sha256_hex(body): body}


def test_what_a_run_file_says_otherwise_is_named_by_its_key_with_both_values() -> None:
    before, blobs = genesis({"strategy": {"parameters": {"fast": 2, "symbols": ["A", "B"]}}})
    after, more = genesis({"strategy": {"parameters": {"fast": 3, "symbols": ["A", "C"]}}})
    assert changed(before, after, (blobs | more).get) == (
        "strategy.parameters.fast was 2, and is 3; strategy.parameters.symbols.1 was B, and is C"
    )


def test_a_digest_whose_body_is_not_known_is_shown_short() -> None:
    before, _ = genesis(1)
    after, _ = genesis(2)
    said = changed(before, after, lambda digest: None)
    assert said == f"config was {sha256_hex(b'1')[:12]}…, and is {sha256_hex(b'2')[:12]}…"


def test_files_are_named_in_words_and_many_changes_are_counted() -> None:
    old: dict[str, JSON] = {"code": "a", "model": {"cassette": "b"}, "lock": None}
    new: dict[str, JSON] = {"code": "c", "model": {"cassette": "d"}, "lock": "e"}
    before, blobs = genesis({f"key{n}": 0 for n in range(3)}, **old)
    after, more = genesis({f"key{n}": "x" * 500 for n in range(3)}, **new)
    said = changed(before, after, (blobs | more).get)
    assert said.startswith("agent-fund's own code is another; key0 was 0, and is xxx")
    assert said.endswith("…; and 2 more")
    assert len(said) < 400


def test_records_of_other_kinds_or_none_at_all_are_told() -> None:
    guard, mark = encode({"kind": "guard", "bar": 3}), encode({"kind": "mark", "bar": 3})
    assert changed(guard, mark, {}.get) == "it is of kind mark, and was of kind guard"
    assert changed(guard, encode({"kind": "guard", "bar": 4}), {}.get) == "bar was 3, and is 4"
    assert changed(guard, b"no record", {}.get) == "it is of kind None, and was of kind guard"
