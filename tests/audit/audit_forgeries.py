"""One forgery for each thing that a record states: what is changed, and where it must be noticed.

A forgery changes the records that a ``Forger`` holds and returns the index that a verifier must
name: of the forged record, or of the first one that no longer fits what stands before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from audit_forger import Forger

from agent_fund.guard.kernel.certificate import Leaf
from agent_fund.guard.kernel.codec import decode_certificate, encode_certificate

Forge = Callable[[Forger], int]


@dataclass(frozen=True)
class Forgery:
    """What is forged in the run ``run``; ``said`` is in the words of the refusal."""

    run: str
    said: str
    forge: Forge

    @property
    def name(self) -> str:
        """Of the function that forges."""
        return self.forge.__name__


FORGERIES: list[Forgery] = []


def forgery(run: str, said: str) -> Callable[[Forge], Forge]:
    """Adds the function to FORGERIES."""

    def add(forge: Forge) -> Forge:
        FORGERIES.append(Forgery(run, said, forge))
        return forge

    return add


def edits(run: str, of: str, said: str, named: str, nth: int = 0, **values: object) -> None:
    """A forgery that writes ``values`` into one record."""

    def forge(forger: Forger) -> int:
        index = forger.find(of, nth)
        record = forger.records[index]
        assert all(record[key] != value for key, value in values.items())
        record.update(values)
        return index

    forge.__name__ = named
    FORGERIES.append(Forgery(run, said, forge))


def more(text: str, by: int = 1) -> str:
    """The number in ``text``, larger."""
    return str(int(text) + by)


# -- marks ------------------------------------------------------------------------------------


def row_of(forger: Forger, index: int, at: int = 0) -> list:
    """One row of a mark: bar, times, opens, closes, NAV at open and close, marks at the open."""
    return forger.records[index]["rows"][at]


def held(forger: Forger) -> int:
    """A mark of one bar that follows a fill: something is held, and a look comes next."""
    return forger.after(forger.find("fill"), "mark")


@forgery("trend", "NAV at the close")
def nav_of_a_mark(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[6] = more(row_of(forger, index)[6])
    return index


@forgery("trend", "NAV at the open")
def nav_at_the_open_of_a_mark(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[5] = more(row_of(forger, index)[5])
    return index


@forgery("trend", "NAV at the close")
def price_of_what_is_held(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[4][0] = more(row_of(forger, index)[4][0])
    return index


@forgery("trend", "prices of the guard")
def price_that_the_guard_saw(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[4][1] = more(row_of(forger, index)[4][1])
    return index + 1


@forgery("trend", "prices are positive")
def price_of_nothing(forger: Forger) -> int:
    row_of(forger, 1)[4][1] = "0"
    return 1


@forgery("trend", "decimal string")
def price_with_a_leading_zero(forger: Forger) -> int:
    row_of(forger, 1)[4][1] = "0" + row_of(forger, 1)[4][1]
    return 1


@forgery("trend", "one positive price an instrument")
def price_of_a_third_instrument(forger: Forger) -> int:
    row_of(forger, 1)[3].append("1")
    return 1


@forgery("trend", "comes next")
def a_bar_left_out(forger: Forger) -> int:
    index = long_mark(forger)
    del forger.records[index]["rows"][1]
    return index


@forgery("trend", "comes next")
def a_bar_twice(forger: Forger) -> int:
    index = long_mark(forger)
    rows = forger.records[index]["rows"]
    rows.insert(1, rows[1])
    return index


def long_mark(forger: Forger) -> int:
    """A mark of several bars."""
    return forger.where(lambda r: r["kind"] == "mark" and len(r["rows"]) > 3)


@forgery("ordered", "comes next")
def true_for_a_bar(forger: Forger) -> int:
    index = forger.where(lambda r: r["kind"] == "mark" and r["rows"][0][0] == 1)
    row_of(forger, index)[0] = True
    return index


@forgery("trend", "it comes later than")
def a_bar_that_overlaps_the_one_before(forger: Forger) -> int:
    index = long_mark(forger)
    row_of(forger, index, 2)[1] = row_of(forger, index, 1)[2] - 1
    return index


@forgery("trend", "it comes later than")
def a_bar_that_ends_before_it_begins(forger: Forger) -> int:
    index = long_mark(forger)
    row_of(forger, index, 2)[2] = row_of(forger, index, 2)[1]
    return index


@forgery("trend", "outside the test window")
def a_bar_before_the_test_window(forger: Forger) -> int:
    row = row_of(forger, 1)
    row[1], row[2] = row[1] - 20 * 86_400_000, row[2] - 20 * 86_400_000
    return 1


@forgery("trend", "it has no rows")
def a_mark_without_rows(forger: Forger) -> int:
    forger.insert(1, {"kind": "mark", "rows": []})
    return 1


@forgery("trend", "malformed")
def a_row_with_a_field_too_many(forger: Forger) -> int:
    row_of(forger, 1).append("0")
    return 1


# -- orders -----------------------------------------------------------------------------------

for _name, _values in {
    "limit": {"limit": "1"},
    "quantity": {"quantity": "1"},
    "side": {"side": "sell"},
    "instrument": {"instrument": "NASDAQ"},
    "id": {"id": "a" * 32},
    "purpose": {"purpose": "exit"},
}.items():
    edits("trend", "order", "not the admitted leg", f"{_name}_of_an_order", **_values)
edits("trend", "order", "its place among the legs", "leg_of_an_order", leg=1)
edits("ordered", "order", "its place among the legs", "predecessor_of_an_order", 1, waits_for="")
edits("trend", "order", "no verdict covers it", "verdict_of_an_order", guard=1)
edits("trend", "order", "another life", "a_longer_life_of_an_order", expires=9999)
edits("way_out", "order", "another life", "a_way_out_that_never_ends", 2, expires=9999)


@forgery("trend", "no verdict covers it")
def an_order_without_a_verdict(forger: Forger) -> int:
    index = forger.find("order") + 1
    forger.insert(index, {**forger.records[index - 1], "id": "b" * 32})
    return index


@forgery("trend", "orders must come first")
def an_order_left_out(forger: Forger) -> int:
    index = forger.find("order")
    forger.drop(index)
    return index


# -- fills ------------------------------------------------------------------------------------


@forgery("trend", "fee of fill")
def fee_of_a_fill(forger: Forger) -> int:
    index = forger.find("fill")
    forger.records[index]["fee"] = more(forger.records[index]["fee"], -1)
    return index


@forgery("trend", "fee of fill")
def price_of_a_fill(forger: Forger) -> int:
    index = forger.find("fill")
    forger.records[index]["price"] = more(forger.records[index]["price"])
    return index


def reprice(forger: Forger, index: int, price: int) -> None:
    """Another price for a fill, with the fee that goes with it."""
    fill = forger.records[index]
    notional = int(fill["quantity"]) * price * 10**4
    fill["price"], fill["fee"] = str(price), str(-(-notional * 2 // 10_000))


@forgery("trend", "price of fill")
def a_fill_better_than_the_open(forger: Forger) -> int:
    index = forger.find("fill")
    mark = forger.after(index, "mark")
    reprice(forger, index, int(row_of(forger, mark)[3][0]) - 1)
    return mark


@forgery("trend", "NAV at the open")
def a_fill_worse_than_it_was(forger: Forger) -> int:
    index = forger.find("fill")
    reprice(forger, index, int(forger.records[index]["price"]) + 1)
    return forger.after(index, "mark")


@forgery("trend", "the limit is")
def a_fill_beyond_its_limit(forger: Forger) -> int:
    index = forger.find("fill")
    reprice(forger, index, int(forger.records[forger.find("order")]["limit"]) + 1)
    return index


@forgery("trend", "at most")
def a_fill_larger_than_its_order(forger: Forger) -> int:
    index = forger.find("fill")
    fill = forger.records[index]
    fill["quantity"] = more(fill["quantity"])
    reprice(forger, index, int(fill["price"]))
    return index


@forgery("trend", "NAV at the open")
def a_fill_smaller_than_it_was(forger: Forger) -> int:
    index = forger.find("fill")
    fill = forger.records[index]
    fill["quantity"] = more(fill["quantity"], -1)
    reprice(forger, index, int(fill["price"]))
    return forger.after(index, "mark")


@forgery("trend", "or a duplicate")
def a_fill_twice(forger: Forger) -> int:
    index = forger.find("fill") + 1
    forger.insert(index, dict(forger.records[index - 1]))
    return index


@forgery("trend", "no open order")
def a_fill_of_a_filled_order(forger: Forger) -> int:
    index = forger.find("fill") + 1
    forger.insert(index, {**forger.records[index - 1], "exec": "another"})
    return index


edits("trend", "fill", "no open order", "order_of_a_fill", order="c" * 32)
edits("trend", "fill", "comes next", "bar_of_a_fill", bar=0)


@forgery("slow", "comes next")
def a_fill_before_the_venue_had_the_order(forger: Forger) -> int:
    fill = forger.records[forger.find("fill")]
    index = forger.where(lambda r: r["kind"] == "order" and r["id"] == fill["order"]) + 1
    forger.insert(index, {**fill, "bar": forger.records[index - 2]["bar"] + 1})
    return index


@forgery("trend", "NAV at the open")
def a_fill_left_out(forger: Forger) -> int:
    index = forger.find("fill")
    forger.drop(index)
    return index


def second_leg(forger: Forger) -> tuple[int, dict]:
    """Where the first fill of a leg that waits for another stands, and the fill."""
    waiting = {r["id"] for r in forger.records if r["kind"] == "order" and r["waits_for"]}
    index = forger.where(lambda r: r["kind"] == "fill" and r["order"] in waiting)
    return index, forger.records[index]


@forgery("ordered", "the leg before it is not filled")
def a_fill_before_its_predecessor(forger: Forger) -> int:
    _, fill = second_leg(forger)
    order = forger.where(lambda r: r["kind"] == "order" and r["id"] == fill["order"])
    first = forger.after(order, "fill")
    forger.insert(first, {**fill, "bar": forger.records[first]["bar"]})
    return first


@forgery("ordered", "only the guard or a kill cancels")
def a_fill_after_its_predecessor_was_cancelled(forger: Forger) -> int:
    _, fill = second_leg(forger)
    index = forger.where(lambda r: r["kind"] == "order" and r["id"] == fill["order"])
    order = forger.records[index]
    bar = forger.records[order["guard"]]["bar"]
    ended = {"kind": "status", "bar": bar, "order": order["waits_for"], "status": "canceled"}
    forger.insert(index + 1, ended)
    forger.insert(index + 2, {**fill, "bar": bar + 1})
    return index + 2


# -- statuses ---------------------------------------------------------------------------------

edits("slow", "status", "no open order", "status_of_an_unknown_order", order="d" * 32)
edits("slow", "status", "its last bar is", "a_status_that_fills", status="filled")
edits("slow", "status", "its last bar is", "a_status_that_opens_again", status="new")
edits("slow", "status", "is not a valid Status", "a_status_of_no_kind", status="lost")
edits("slow", "status", "or the one after it", "bar_of_a_status", bar=10_000)


@forgery("slow", "its last bar is")
def an_order_that_expires_early(forger: Forger) -> int:
    index = forger.find("order") + 1
    order = forger.records[index - 1]
    bar = forger.records[order["guard"]]["bar"]
    forger.insert(index, {"kind": "status", "bar": bar, "order": order["id"], "status": "expired"})
    return index


# -- the guard: certificates ------------------------------------------------------------------


def bounded(name: str, by: int) -> None:
    """A forgery of one proved bound, by a little."""

    def forge(forger: Forger) -> int:
        index = forger.find("look", 3)
        bounds = forger.records[index]["bounds"]
        bounds[name] = more(bounds[name], by)
        return index

    forge.__name__ = f"{name}_bound_{'raised' if by > 0 else 'lowered'}"
    FORGERIES.append(Forgery("trend", "the certificates prove", forge))


for _bound in ("loss", "gain", "costs"):
    bounded(_bound, -1)
    bounded(_bound, 1)
bounded("shortfall", 1)


@forgery("hedged", "certificates for")
def proof_of_another_record(forger: Forger) -> int:
    index = decision(forger, "admitted")
    forger.records[index]["proof"] = forger.records[forger.find("look")]["proof"]
    return index


@forgery("trend", "not in the log")
def proof_that_nobody_kept(forger: Forger) -> int:
    index = forger.find("look", 2)
    forger.records[index]["proof"] = "e" * 64
    return index


def proved(name: str, said: str, body: Callable[[bytes], bytes]) -> None:
    """A forgery of the body of a proof."""

    def forge(forger: Forger) -> int:
        index = forger.find("look", 2)
        record = forger.records[index]
        record["proof"] = forger.put(body(forger.blob(record["proof"])))
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("trend", said, forge))


proved("proof_with_spaces", "not in canonical form", lambda body: body.replace(b",", b", "))
proved(
    "proof_of_no_cases",
    "certificates for",
    lambda body: b'{"certificates":[],"demands":[],"v":3}',
)
proved("proof_of_another_version", "v = 3", lambda body: body.replace(b'"v":3', b'"v":2'))
proved("proof_that_is_no_json", "malformed", lambda body: b"{")
proved("proof_that_is_no_text", "malformed", lambda body: b"\xff\xfe")
proved("proof_nested_without_end", "malformed", lambda body: b"[" * 100_000)
proved(
    "proof_with_a_number_of_many_digits",
    "more than 1400 bits",
    lambda body: re.sub(rb'"Ag[^"]*"', b'"Av' + b"/" * 9998 + b'"', body, count=1),
)


def banded(name: str, low: int, high: int, said: str) -> None:
    """A forgery of the prices that a certificate covers, its subject made to match."""

    def forge(forger: Forger) -> int:
        index = forger.find("look", 3)
        band = forger.records[index]["band"]
        assert band
        for pair in band.values():
            pair[:] = [more(pair[0], low), more(pair[1], high)]
        forger.relink()
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("trend", said, forge))


# A band that is only widened downward proves the same of a long book: that is no lie.
banded("band_widened_both_ways", -100, 100, "guard look")
banded("band_widened_up", 0, 100, "guard look")
banded("band_beside_the_price", 10**6, 10**6, "the price is")


@forgery("trend", "it must cover")
def band_of_nothing(forger: Forger) -> int:
    index = forger.find("look", 3)
    forger.records[index]["band"] = {}
    forger.relink()
    return index


def extended(run: str, act: str, by: int, nth: int = 0) -> None:
    """A forgery of how long a certificate lives, its subject made to match."""

    def forge(forger: Forger) -> int:
        index = forger.where(lambda r: r.get("act") == act and "latest" in r, nth)
        forger.records[index]["latest"] += by
        forger.relink()
        return index

    forge.__name__ = f"latest_of_a_{act}_by_{by}_in_{run}"
    FORGERIES.append(Forgery(run, "latest", forge))


extended("trend", "look", 1)
extended("trend", "look", -5000)
extended("trend", "decide", 1)
extended("exact", "look", 1)

edits("trend", "look", "subject", "subject_of_a_certificate", subject="f" * 64)
edits("trend", "look", "mandate of the guard", "mandate_of_a_guard_record", mandate="0" * 64)
edits("trend", "look", "nav of the guard", "nav_of_a_guard_record", 2, nav="1")
edits("trend", "look", "mark of the guard", "mark_of_a_guard_record", 2, mark="1")
edits("trend", "look", "bar of the guard", "bar_of_a_guard_record", 2, bar=1)
edits("trend", "look", "prices of the guard", "prices_of_a_guard_record", 2, prices={})
edits("trend", "look", "a look proposes nothing", "a_look_that_trades", 2, ordered=True)


@forgery("trend", "book of the guard")
def book_of_a_guard_record(forger: Forger) -> int:
    index = forger.find("look", 2)
    book = forger.records[index]["book"]
    book["cash"] = more(book["cash"])
    return index


@forgery("trend", "the held book needs one")
def a_look_left_out(forger: Forger) -> int:
    index = forger.after(forger.find("fill"), "look")
    forger.drop(index)
    return index


@forgery("trend", "one look a bar")
def a_look_twice(forger: Forger) -> int:
    index = forger.find("look", 2) + 1
    forger.insert(index, forger.records[index - 1])
    return index


# -- the guard: decisions ---------------------------------------------------------------------


def decision(forger: Forger, outcome: str, nth: int = 0) -> int:
    """The index of a verdict."""
    return forger.find("decide", nth, outcome=outcome)


def legged(name: str, said: str, *path: object) -> None:
    """A forgery of a leg of a verdict and of its order, which match each other."""

    def forge(forger: Forger) -> int:
        index = decision(forger, "admitted")
        leg, order = forger.records[index]["legs"][0], forger.records[index + 1]
        key, value = path
        leg[key] = order[key] = value if isinstance(value, str) else more(leg[key], value)
        forger.relink()
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("trend", said, forge))


legged("legs_larger_than_proposed", "of what was proposed", "quantity", 1)
legged("legs_smaller_than_proposed", "of what was proposed", "quantity", -1)
legged("legs_at_another_limit", "of what was proposed", "limit", 1)
legged("legs_that_nobody_proposed", "of what was proposed", "instrument", "NASDAQ")


def decides(name: str, said: str, of: str, **values: object) -> None:
    """A forgery that writes ``values`` into a verdict."""

    def forge(forger: Forger) -> int:
        index = decision(forger, of)
        forger.records[index].update(values)
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("ordered" if of == "refused" else "trend", said, forge))


decides("theta_of_a_repair", "of what was proposed", "repaired", theta="1/2")
decides("theta_of_a_repair_above_one", "no share", "repaired", theta="3/2")
decides("theta_that_is_no_share", "write a decimal number", "repaired", theta="half")
decides("theta_in_other_words", "no share", "repaired", theta="2/1024")
decides("theta_of_what_was_admitted", "no share", "admitted", theta="1023/1024")
decides("theta_of_a_refusal", "sends nothing", "refused", theta="1")
decides("repair_called_admitted", "no share", "repaired", outcome="admitted")
decides("admission_called_repair", "no share", "admitted", outcome="repaired")
decides("refusal_called_admission", "has a proof", "refused", outcome="admitted")
decides("refusal_called_nothing", "has a proof", "refused", outcome="waived")
decides("admission_called_refusal", "sends nothing", "admitted", outcome="refused")
decides("order_of_legs", "order of legs was changed", "admitted", ordered=True)
decides("proposal_of_a_verdict", "the proposal is record", "admitted", proposal=0)
decides("broken_hidden", "the limits say", "repaired", broken=[])
decides("broken_of_a_refusal_hidden", "the limits say", "refused", broken=[])
decides("broken_that_are_no_findings", "comes last", "repaired", broken=[1, 2, 3, 4])
decides("findings_hidden", "comes last", "repaired", findings=[])
decides("findings_that_are_none", "comes last", "admitted", findings=["held", {}])


def found(name: str, outcome: str, key: str, at: int, value: object) -> None:
    """A forgery of one word of a finding."""

    def forge(forger: Forger) -> int:
        index = decision(forger, outcome)
        record = forger.records[index]
        finding = record["findings"][at]
        assert finding[key] != value
        finding[key] = value
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("trend", "the limits say", forge))


for _outcome in ("admitted", "repaired"):
    for _key, _value in (("value", "0.00%"), ("limit", "at most 1%"), ("holds", False)):
        for _at in (0, 2, -1):
            found(f"{_key}_of_finding_{_at}_{_outcome}", _outcome, _key, _at, _value)


@forgery("trend", "the limits say")
def a_reason_that_was_none(forger: Forger) -> int:
    index = decision(forger, "admitted")
    record = forger.records[index]
    record["broken"] = [{**record["findings"][-1], "holds": False}]
    return index


@forgery("trend", "the limits say")
def a_limit_that_was_broken_hidden(forger: Forger) -> int:
    index = decision(forger, "repaired")
    record = forger.records[index]
    del record["broken"][0]
    return index


@forgery("locked", "locked out")
def a_decision_while_reducing(forger: Forger) -> int:
    index = forger.where(
        lambda r: r.get("act") == "decide" and r["findings"][0]["guardrail"] == "mode"
    )
    verdict = forger.records[index]
    proof = forger.records[forger.find("look")]
    proposal = forger.records[verdict["proposal"]]
    verdict |= {key: proof[key] for key in ("band", "bounds", "latest", "proof", "subject")}
    verdict |= {"outcome": "admitted", "theta": "1", "legs": proposal["legs"]}
    return index


@forgery("locked", "locked out")
def another_reason_for_being_locked_out(forger: Forger) -> int:
    index = forger.where(
        lambda r: r.get("act") == "decide" and r["findings"][0]["guardrail"] == "mode"
    )
    forger.records[index]["broken"] = []
    return index


@forgery("trend", "the proposal is record")
def a_verdict_without_a_proposal(forger: Forger) -> int:
    index = forger.find("proposal")
    verdict = forger.records.pop(index + 1)
    verdict["proposal"] = index + 1
    forger.records.insert(index - 1, verdict)
    return index - 1


@forgery("trend", "the question of record")
def a_proposal_after_its_verdict(forger: Forger) -> int:
    index = forger.find("proposal", 1)
    records = forger.records
    records[index], records[index + 1] = records[index + 1], records[index]
    records[index]["proposal"] = index + 1
    return index


@forgery("trend", "the proposal is record")
def two_verdicts_on_one_proposal(forger: Forger) -> int:
    first = forger.find("decide")
    index = forger.find("fill") + 2
    assert forger.records[index]["kind"] == "guard"
    forger.insert(index + 1, {**forger.records[first], "proposal": first - 1})
    record, look = forger.records[index + 1], forger.records[index]
    record |= {key: look[key] for key in ("bar", "book", "prices", "nav", "mark")}
    forger.relink()
    return index + 1


@forgery("ordered", "the guard must judge it")
def a_refusal_left_out(forger: Forger) -> int:
    index = forger.find("decide", outcome="refused")
    forger.drop(index)
    return index


# -- the guard: its own acts ------------------------------------------------------------------


@forgery("way_out", "no verdict covers it")
def a_reduction_left_out(forger: Forger) -> int:
    index = forger.find("reduce")
    forger.drop(index)
    return index


def dropped_with_orders(run: str, act: str, said: str, where: str = "") -> None:
    """A forgery that leaves out an act of the guard, and its orders and fills."""

    def forge(forger: Forger) -> int:
        index = forger.find(act)
        sent = {r["id"] for r in forger.records if r["kind"] == "order" and r["guard"] == index}
        of_it = [r for r in forger.records if sent & {r.get("id", ""), r.get("order", "")}]
        for record in [forger.records[index], *of_it]:
            forger.drop(next(i for i, r in enumerate(forger.records) if r is record))
        return index

    forge.__name__ = f"a_whole_{act}_left_out{where}"
    FORGERIES.append(Forgery(run, said, forge))


dropped_with_orders("way_out", "reduce", "the held book needs one")
dropped_with_orders("way_out", "exit", "the way out must go on")
dropped_with_orders("crash", "kill", "a kill must come first")
dropped_with_orders("crash", "done", "the way out must go on")


@forgery("way_out", "takes")
def a_reduction_that_buys(forger: Forger) -> int:
    index = forger.find("reduce")
    for leg in forger.records[index]["legs"]:
        leg["side"] = "buy"
    for record in forger.records[index + 1 : index + 3]:
        record["side"] = "buy"
    forger.relink()
    return index


@forgery("way_out", "takes")
def the_size_of_a_reduction(forger: Forger) -> int:
    index = forger.find("reduce")
    leg, order = forger.records[index]["legs"][0], forger.records[index + 1]
    leg["quantity"] = order["quantity"] = str(int(leg["quantity"]) - 1)
    forger.relink()
    return index


@forgery("way_out", "takes")
def a_reduction_that_sends_nothing(forger: Forger) -> int:
    index = forger.find("reduce")
    forger.records[index]["legs"] = []
    return index


@forgery("way_out", "at least")
def a_reduction_that_is_too_small(forger: Forger) -> int:
    index = forger.find("reduce")
    forger.records[index]["fraction"] = "1/100"
    forger.relink()
    return index


@forgery("way_out", "nobody cancels the guard's own orders")
def a_way_out_that_is_called_off(forger: Forger) -> int:
    index = forger.find("reduce")
    orders = len(forger.records[index]["legs"])
    order, bar = forger.records[index + orders], forger.records[index]["bar"]
    ended = {"kind": "status", "bar": bar, "order": order["id"], "status": "canceled"}
    forger.insert(index + orders + 1, ended)
    return index + orders + 1


@forgery("way_out", "it closes 1 at least")
def an_exit_without_a_reduction(forger: Forger) -> int:
    index = forger.find("reduce")
    forger.records[index]["act"] = "exit"
    forger.relink()
    return index


@forgery("way_out", "it ends in bar")
def a_way_out_that_does_not_end(forger: Forger) -> int:
    index = forger.after(forger.find("reduce"), "fill")
    forger.stand_still(index, 2)
    return index + 1


@forgery("way_out", "while the way out is open")
def a_look_while_the_way_out_is_open(forger: Forger) -> int:
    index = forger.after(forger.find("reduce"), "fill")
    look = forger.records[forger.find("look")]
    forger.stand_still(index, 1)
    forger.records.append(look)
    return index + 1


edits("crash", "kill", "no form of kind", "a_kill_without_a_reason", why="")


@forgery("crash", "killed already")
def a_kill_twice(forger: Forger) -> int:
    index = forger.find("kill") + 1
    forger.insert(index, forger.records[index - 1])
    return index


@forgery("way_out", "only a kill ends in a halt")
def a_halt_without_a_kill(forger: Forger) -> int:
    look = forger.after(forger.find("exit"), "look")
    record = forger.records[look]
    keys = ("kind", "bar", "mandate", "book", "prices", "nav", "mark", "capacity")
    forger.records[look] = {key: record[key] for key in keys}
    forger.records[look] |= {"act": "done", "why": {"text": "flat"}}
    return look


# -- the genesis record -----------------------------------------------------------------------

edits("trend", "genesis", "of version 3", "version_of_the_genesis", v=1)
edits("trend", "genesis", "of version 3", "an_unguarded_run", guarded=False)
edits("trend", "genesis", "cash of the fund", "cash_of_the_genesis", cash="1")
edits("trend", "genesis", "fund of the fund", "fund_of_the_genesis", fund="another")
edits("trend", "genesis", "not in the log", "mandate_of_the_genesis", mandate="0" * 64)
edits("trend", "genesis", "not in the log", "config_of_the_genesis", config="0" * 64)
edits("trend", "genesis", "malformed", "secret_of_the_genesis", secret={})
edits("trend", "genesis", "currency of the fund", "currency", currency={"symbol": "X", "scale": 8})
edits("trend", "genesis", "malformed", "currency_of_nothing", currency={})


@forgery("trend", "instruments of the fund")
def lot_of_an_instrument(forger: Forger) -> int:
    forger.records[0]["instruments"][0]["lot"] = "10"
    return 0


@forgery("trend", "instruments of the fund")
def an_instrument_with_a_footnote(forger: Forger) -> int:
    forger.records[0]["instruments"][0]["note"] = "best in class"
    return 0


def committed(name: str) -> None:
    """A forgery of a digest of the genesis record, which every commitment repeats."""

    def forge(forger: Forger) -> int:
        forger.records[0][name] = {"before": "1", "test": "2"} if name == "data" else "1" * 64
        return forger.find("intent")

    forge.__name__ = f"{name}_of_the_genesis"
    FORGERIES.append(Forgery("trend", f"committed {name}", forge))


for _name in ("code", "lock", "strategy", "data"):
    committed(_name)


def reworded(name: str, said: str, key: str, change: Callable[[bytes], bytes]) -> None:
    """A forgery of the mandate or the run file behind the genesis record."""

    def forge(forger: Forger) -> int:
        body = change(forger.blob(forger.records[0][key]))
        forger.records[0][key] = forger.put(body)
        return 0

    forge.__name__ = name
    FORGERIES.append(Forgery("trend", said, forge))


def decoy(body: bytes) -> bytes:
    """One value to a reader that keeps the last of two keys, another to who reads the first."""
    return body.replace(b'"band":', b'"band":"1/2","band":', 1)


reworded("mandate_with_a_decoy", "not in canonical form", "mandate", decoy)
reworded("mandate_that_is_a_list", "malformed", "mandate", lambda body: b"[]")
reworded("mandate_without_a_stress_set", "malformed", "mandate", lambda body: b'{"v":3}')
reworded("config_that_is_a_list", "malformed", "config", lambda body: b"[]")
reworded("config_nested_without_end", "malformed", "config", lambda body: b"[" * 100_000)
reworded(
    "config_with_other_cash",
    "cash of the fund",
    "config",
    lambda body: body.replace(b'"cash":"1000000"', b'"cash":"2000000"'),
)


@forgery("trend", "committed mandate")
def a_limit_raised_in_the_mandate(forger: Forger) -> int:
    value = json.loads(forger.blob(forger.records[0]["mandate"]))
    value["guardrails"][0]["limit"] = "1/2"
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    digest = forger.put(body)
    for record in forger.records:
        if "mandate" in record:
            record["mandate"] = digest
    forger.relink()
    return forger.find("intent")


# -- intents, calls, responses ----------------------------------------------------------------

edits("model", "intent", "the fields make another one", "commitment", commitment="0" * 64)
edits("model", "intent", "it is", "id_of_an_intent", id="best of three")
edits("model", "intent", "it is", "time_of_an_intent", time=1)
edits("model", "intent", "has just closed", "bar_of_an_intent", bar=1)
edits("model", "intent", "not in the log", "fields_that_nobody_kept", fields="0" * 64)
edits("model", "call", "another request was committed", "another_request", raw="0" * 64)
edits("model", "call", "open is", "intent_of_a_call", intent=0)
edits("model", "response", "it is not the body's", "digest_of_a_response", digest="0" * 64)
edits("model", "response", "not in the log", "body_that_nobody_kept", body="0" * 64)
edits("model", "proposal", "has just closed", "bar_of_a_proposal", bar=10_000)
edits("model", "proposal", "open is", "intent_of_a_proposal", intent=0)
edits("model", "abort", "has just closed", "bar_of_an_abort", bar=10_000)
edits("model", "abort", "asked once", "an_abort_of_nothing", intent=-1)


@forgery("model", "the fields make another one")
def fields_behind_a_commitment(forger: Forger) -> int:
    index = forger.find("intent")
    fields = json.loads(forger.blob(forger.records[index]["fields"]))
    fields["seed"] += 1
    body = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    forger.records[index]["fields"] = forger.put(body.encode())
    return index


def recommitted(name: str, value: object) -> None:
    """A forgery of a field that is committed to anew, all order ids made to match."""

    def forge(forger: Forger) -> int:
        index = forger.find("intent", 2)
        forger.recommit(index, **{name: value})
        forger.relink()
        return index

    forge.__name__ = f"{name}_committed_anew"
    FORGERIES.append(Forgery("model", f"committed {name}", forge))


for _name, _value in (
    ("mandate", "0" * 64),
    ("fund", "another"),
    ("code", "0" * 64),
    ("strategy", "0" * 64),
    ("as_of", 1),
    ("model", "a-better-model"),
):
    recommitted(_name, _value)


@forgery("model", "another request was committed")
def request_committed_anew(forger: Forger) -> int:
    index = forger.find("intent")
    forger.recommit(index, request="0" * 64)
    forger.relink()
    return index + 1


@forgery("model", "open is")
def a_response_without_a_call(forger: Forger) -> int:
    index = forger.find("call")
    forger.drop(index)
    return index


@forgery("model", "open is")
def a_proposal_without_a_response(forger: Forger) -> int:
    index = forger.find("response")
    assert forger.records[index + 1]["kind"] == "proposal"
    forger.drop(index)
    return index


@forgery("model", "it must close within its bar")
def an_intent_that_never_closes(forger: Forger) -> int:
    index = forger.find("abort")
    forger.drop(index)
    return index


@forgery("model", "asked once")
def a_second_question_at_one_close(forger: Forger) -> int:
    index = forger.find("abort") + 1
    forger.insert(index, {**forger.records[forger.find("intent", 1)], "id": "again"})
    return index


@forgery("model", "asked once")
def a_question_out_of_turn(forger: Forger) -> int:
    index = forger.find("intent")
    mark = forger.after(index, "mark")
    bar, time = row_of(forger, mark)[0], row_of(forger, mark)[2]
    look = mark + 1 if "act" in forger.records[mark + 1] else mark
    forger.insert(look + 1, {**forger.records[index], "bar": bar, "time": time, "id": "extra"})
    return look + 1


@forgery("crash", "not while halted")
def a_question_while_halted(forger: Forger) -> int:
    index = forger.find("done") + 1
    bar = forger.records[index - 1]["bar"]
    forger.insert(index, {"kind": "abort", "bar": bar, "intent": -1, "reason": "no view"})
    return index


# -- money in and out -------------------------------------------------------------------------

edits("flows", "flow", "does not state it", "amount_of_a_flow", amount="99999999999999")
edits("flows", "flow", "does not state it", "name_of_a_flow", name="friend")
edits("flows", "flow", "does not state it", "date_of_a_flow", due=1)
edits("flows", "flow_queued", "does not state it", "a_flow_that_waits", name="friend")


@forgery("flows", "due and was not tried")
def a_flow_left_out(forger: Forger) -> int:
    index = forger.find("flow")
    forger.drop(index)
    return index


@forgery("flows", "due and was not tried")
def a_flow_that_waits_left_out(forger: Forger) -> int:
    index = forger.find("flow_queued")
    forger.drop(index)
    return index


@forgery("flows", "does not state it as the next")
def a_flow_twice(forger: Forger) -> int:
    index = forger.find("flow") + 1
    forger.insert(index, forger.records[index - 1])
    again = forger.records[index]
    nav, amount = int(again["nav"]), int(again["amount"])
    again["book"] = forger.after_flow(again["book"], amount)
    again["nav"], again["mark"] = (
        more(again["nav"], amount),
        str(-(-int(again["mark"]) * (nav + amount) // nav)),
    )
    return index


# -- margin accounts: funding -----------------------------------------------------------------

edits("hedged", "funding", "the rate makes", "amount_of_a_funding", amount="1")
edits("hedged", "funding", "is held", "quantity_of_a_funding", quantity="1")
edits("hedged", "funding", "is held", "a_funding_of_spot", instrument="COIN")
edits("hedged", "funding", "once, before the fills", "bar_of_a_funding", bar=1)
edits("hedged", "funding", "malformed", "a_funding_of_nothing", instrument="TULIP")


def refunded(forger: Forger, index: int, **values: int) -> None:
    """Other terms of a payment, with the amount that goes with them."""
    record = forger.records[index]
    record.update({key: str(value) for key, value in values.items()})
    terms = forger.records[0]["instruments"][1]
    scale = forger.records[0]["currency"]["scale"] - terms["asset_scale"] - terms["price_scale"]
    owed = int(record["quantity"]) * int(record["mark"]) * 10**scale * int(record["rate"])
    record["amount"] = str(-owed // 10**12)


@forgery("hedged", "NAV at the open")
def rate_of_a_funding_with_its_amount(forger: Forger) -> int:
    index = forger.find("funding")
    refunded(forger, index, rate=int(forger.records[index]["rate"]) + 10**8)
    return forger.after(index, "mark")


@forgery("hedged", "the mark of bar")
def mark_of_a_funding_with_its_amount(forger: Forger) -> int:
    index = forger.find("funding")
    refunded(forger, index, mark=int(forger.records[index]["mark"]) + 10**6)
    return forger.after(index, "mark")


@forgery("hedged", "NAV at the open")
def a_funding_left_out(forger: Forger) -> int:
    index = forger.find("funding")
    forger.drop(index)
    return forger.after(index - 1, "mark")


@forgery("hedged", "once, before the fills")
def a_funding_twice(forger: Forger) -> int:
    index = forger.find("funding") + 1
    forger.insert(index, forger.records[index - 1])
    return index


@forgery("hedged", "once, before the fills")
def a_funding_after_the_fills(forger: Forger) -> int:
    return swapped(forger, "funding", "fill")


def swapped(forger: Forger, first: str, second: str) -> int:
    """Two records of one bar in another order; the index of the second place."""
    index = forger.where(lambda r: r["kind"] == second) - 1
    while forger.records[index]["kind"] != first or forger.records[index + 1]["kind"] != second:
        index += 1
    records = forger.records
    records[index], records[index + 1] = records[index + 1], records[index]
    return index + 1


# -- margin accounts: liquidation -------------------------------------------------------------


def liquidated(name: str, said: str, **values: str) -> None:
    """A forgery of a liquidation, which shows where its prices do."""

    def forge(forger: Forger) -> int:
        index = forger.find("liquidation")
        record = forger.records[index]
        assert all(record[key] != value for key, value in values.items())
        record.update(values)
        return forger.after(index, "mark")

    forge.__name__ = name
    FORGERIES.append(Forgery("liquidated", said, forge))


liquidated("fee_of_a_liquidation", "liquidations at the close", fee="0")
liquidated("cover_of_a_liquidation", "liquidations at the close", cover="12345")
liquidated("quantity_of_a_liquidation", "liquidations at the close", quantity="1")
liquidated("mark_of_a_liquidation", "liquidations at the close", mark="1")
liquidated("a_liquidation_at_the_open", "liquidations at the open", when="open")
edits("liquidated", "liquidation", "comes next", "bar_of_a_liquidation", bar=1)
edits("liquidated", "liquidation", "comes next", "when_of_a_liquidation", when="noon")
edits("liquidated", "close", "the log makes", "a_liquidation_that_was_no_breach", breaches=[])


@forgery("liquidated", "nobody cancels the guard's own orders")
def a_liquidation_in_another_account(forger: Forger) -> int:
    index = forger.find("liquidation")
    forger.records[index]["instrument"] = "COIN"
    return index + 1


@forgery("liquidated", "liquidations at the close")
def a_liquidation_left_out(forger: Forger) -> int:
    index = forger.find("liquidation")
    while forger.records[index]["kind"] in ("liquidation", "status"):
        forger.drop(index)
    return forger.after(index - 1, "mark")


@forgery("liquidated", "nobody cancels the guard's own orders")
def a_liquidation_that_is_only_seen_in_the_orders_it_ended(forger: Forger) -> int:
    index = forger.find("liquidation")
    forger.drop(index)
    assert forger.records[index]["kind"] == "status"
    return index


@forgery("liquidated", "book of the guard")
def an_order_that_outlives_its_account(forger: Forger) -> int:
    index = forger.find("liquidation") + 1
    assert forger.records[index]["kind"] == "status"
    forger.drop(index)
    return forger.after(index, "kill")


@forgery("liquidated", "liquidations at the close")
def a_liquidation_twice(forger: Forger) -> int:
    index = forger.find("liquidation") + 1
    forger.insert(index, forger.records[index - 1])
    return forger.after(index, "mark")


@forgery("hedged", "liquidations at the open")
def a_liquidation_that_never_was(forger: Forger) -> int:
    index = forger.find("funding") + 1
    paid = forger.records[index - 1]
    names = ("bar", "instrument", "quantity", "mark")
    gone = {key: paid[key] for key in names} | {"fee": "1", "cover": "0"}
    forger.insert(index, {"kind": "liquidation", "when": "open", **gone})
    return forger.after(index, "mark")


dropped_with_orders("liquidated", "kill", "a kill must follow", "_after_a_liquidation")


# -- margin accounts: marks and money ---------------------------------------------------------


@forgery("hedged", "it trades at")
def mark_of_spot(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[7][0] = more(row_of(forger, index)[7][0])
    return index


@forgery("hedged", "NAV at the open")
def mark_of_what_is_held(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[7][1] = more(row_of(forger, index)[7][1])
    return index


@forgery("hedged", "one positive mark an instrument")
def marks_left_out(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[7].clear()
    return index


@forgery("trend", "spot is valued at")
def marks_where_there_are_none(forger: Forger) -> int:
    index = held(forger)
    row_of(forger, index)[7].extend(row_of(forger, index)[3])
    return index


for _name, _values in {
    "amount": {"amount": "1"},
    "source": {"source": "wallet"},
    "target": {"target": "futures"},
    "due": {"due": 9999},
    "id": {"id": "a" * 32},
}.items():
    edits("hedged", "transfer", "was admitted", f"{_name}_of_a_transfer", **_values)
edits("hedged", "transfer", "no verdict covers it", "verdict_of_a_transfer", guard=1)
edits("hedged", "arrival", "no such transfer is due", "id_of_an_arrival", id="b" * 32)
edits("hedged", "arrival", "no such transfer is due", "bar_of_an_arrival", bar=9999)


@forgery("hedged", "no verdict covers it")
def a_transfer_without_a_verdict(forger: Forger) -> int:
    index = forger.find("transfer") + 1
    forger.insert(index, {**forger.records[index - 1], "id": "b" * 32})
    return index


@forgery("hedged", "transfers must come first")
def a_transfer_left_out(forger: Forger) -> int:
    index = forger.find("transfer")
    forger.drop(index)
    return index


@forgery("hedged", "the transfers were changed")
def a_transfer_that_nobody_proposed(forger: Forger) -> int:
    index = forger.find("decide", outcome="admitted")
    moved = {"source": "futures", "target": "wallet", "amount": "1"}
    forger.records[index]["transfers"] = [moved]
    forger.relink()
    return index


def moved(forger: Forger) -> int:
    """The verdict on a proposal that only moves money."""
    return forger.where(lambda r: r.get("act") == "decide" and r["transfers"] and not r["legs"])


@forgery("hedged", "the limits say")
def a_transfer_of_more_with_its_verdict(forger: Forger) -> int:
    index = moved(forger)
    verdict, transfer = forger.records[index], forger.records[index + 1]
    amount = str(int(transfer["amount"]) + 10**12)
    transfer["amount"] = amount
    for record in (verdict, forger.records[verdict["proposal"]]):
        record["transfers"][0]["amount"] = amount
    forger.relink()
    return index


@forgery("hedged", "it has amount, cost, source and target")
def a_transfer_with_a_footnote(forger: Forger) -> int:
    index = moved(forger)
    for record in (forger.records[index], forger.records[index - 1]):
        record["transfers"][0]["note"] = "urgent"
    return index


@forgery("hedged", "no such transfer is due")
def an_arrival_before_it_is_due(forger: Forger) -> int:
    arrival = forger.records[forger.find("arrival")]
    index = forger.find("transfer") + 1
    forger.drop(forger.find("arrival"))
    forger.insert(index, {**arrival, "bar": arrival["bar"] - 1})
    return index


@forgery("hedged", "has not arrived")
def an_arrival_that_comes_late(forger: Forger) -> int:
    index = forger.find("arrival")
    arrival = forger.records[index]
    mark = forger.after(index, "mark")
    forger.drop(index)
    forger.insert(mark, {**arrival, "bar": arrival["bar"] + 1})
    return mark - 1


@forgery("hedged", "no such transfer is due")
def an_arrival_twice(forger: Forger) -> int:
    index = forger.find("arrival") + 1
    forger.insert(index, forger.records[index - 1])
    return index


@forgery("hedged", "has not arrived")
def an_arrival_left_out(forger: Forger) -> int:
    index = forger.find("arrival")
    forger.drop(index)
    return forger.after(index - 1, "mark")


@forgery("hedged", "before funding and fills")
def an_arrival_after_the_funding(forger: Forger) -> int:
    return swapped(forger, "arrival", "funding")


@forgery("hedged", "book of the guard")
def places_of_a_guard_record(forger: Forger) -> int:
    index = forger.find("look", 2)
    places = forger.records[index]["book"]["places"]
    places["wallet"], places["futures"] = more(places["wallet"]), more(places["futures"], -1)
    forger.relink()
    return index


@forgery("hedged", "book of the guard")
def money_under_way_left_out_of_a_book(forger: Forger) -> int:
    index = forger.where(lambda r: r.get("act") == "look" and r["book"]["transit"])
    forger.records[index]["book"]["transit"] = []
    forger.relink()
    return index


@forgery("hedged", "book of the guard")
def money_under_way_that_comes_sooner(forger: Forger) -> int:
    index = forger.where(lambda r: r.get("act") == "look" and r["book"]["transit"])
    forger.records[index]["book"]["transit"][0][5] -= 1
    forger.relink()
    return index


@forgery("hedged", "capital of the fund")
def capital_at_another_venue(forger: Forger) -> int:
    capital = forger.records[0]["capital"]
    capital["wallet"], capital["futures"] = more(capital["wallet"]), more(capital["futures"], -1)
    return 0


def termed(name: str, said: str, key: str, value: object) -> None:
    """A forgery of the margin terms of the genesis record."""

    def forge(forger: Forger) -> int:
        margin = forger.records[0]["instruments"][1]["margin"]
        assert margin[key] != value
        margin[key] = value
        return 0

    forge.__name__ = name
    FORGERIES.append(Forgery("hedged", said, forge))


termed("initial_margin", "instruments of the fund", "initial", "1/20")
termed("liquidation_fee", "instruments of the fund", "liquidation_fee", "0")
termed("maintenance_tiers", "instruments of the fund", "tiers", [["0", "1/100"]])


# -- margin accounts: certificates ------------------------------------------------------------


def reproved(name: str, said: str, change: Callable[[list], None]) -> None:
    """A forgery of the list of certificates behind a look at a hedged book."""

    def forge(forger: Forger) -> int:
        index = forger.where(
            lambda r: r.get("act") == "look" and "PERP" in r["book"]["positions"], 1
        )
        record = forger.records[index]
        body = json.loads(forger.blob(record["proof"]))
        assert len(body["certificates"]) == 3  # loss, gain, the one margin account
        change(body["certificates"])
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        record["proof"] = forger.put(text.encode())
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("hedged", said, forge))


def loosened(certificates: list) -> None:
    """Another multiplier is a certificate too, of less."""
    leaf = decode_certificate(certificates[2])
    assert isinstance(leaf, Leaf)
    certificates[2] = encode_certificate(Leaf(leaf.tangents, ((0, 1 << 240),)))


reproved("certificate_of_the_margin_left_out", "2 certificates for 3", lambda c: c.pop())
reproved("certificate_too_many", "4 certificates for 3", lambda c: c.append(c[0]))
reproved("certificates_of_loss_and_gain_swapped", "guard look", lambda c: c.insert(0, c.pop(1)))
reproved("certificates_of_gain_and_margin_swapped", "guard look", lambda c: c.insert(1, c.pop()))
reproved("shortfall_lower_than_proved", "the certificates prove", loosened)


@forgery("hedged", "what is proved comes last")
def margin_safety_left_out_of_the_findings(forger: Forger) -> int:
    index = decision(forger, "admitted")
    findings = forger.records[index]["findings"]
    assert findings.pop()["guardrail"] == "margin_safety"
    return index


@forgery("hedged", "the limits say")
def more_margin_than_there_is(forger: Forger) -> int:
    index = decision(forger, "admitted")
    finding = forger.records[index]["findings"][1]
    assert finding["guardrail"] == "initial_margin"
    finding["value"] = "0 USD of initial margin and fees"
    return index


@forgery("hedged", "what is proved comes last")
def another_reason_for_a_repair(forger: Forger) -> int:
    index = decision(forger, "repaired")
    broken = forger.records[index]["broken"]
    assert broken[-1]["guardrail"] == "margin_safety"
    broken.append({**broken[-1], "guardrail": "the_weather"})
    return index


# -- gaps -------------------------------------------------------------------------------------

edits("gaps", "gap", "the last bar closed at", "a_gap_that_begins_later", after=1)


@forgery("gaps", "the gap ends at")
def a_gap_that_ends_earlier(forger: Forger) -> int:
    index = forger.find("gap")
    forger.records[index]["before"] -= 1
    return index + 1


@forgery("trend", "does not skip gaps")
def a_gap_in_a_run_that_has_none(forger: Forger) -> int:
    forger.insert(1, {"kind": "gap", "after": 0, "before": 1, "missing": []})
    return 1


# -- the end, and the order of things ---------------------------------------------------------

edits("trend", "close", "the log makes", "bars_of_the_close", bars=1)
edits("trend", "close", "the log makes", "nav_of_the_close", nav="1")
edits("trend", "close", "the log makes", "mark_of_the_close", mark="1")
edits("trend", "close", "the log makes", "mode_of_the_close", mode="halted")
edits("crash", "close", "the log makes", "breaches_hidden", breaches=[])


@forgery("trend", "without its close record")
def a_tail_cut_off(forger: Forger) -> int:
    forger.records.pop()
    return len(forger.records)


@forgery("trend", "nothing follows the close")
def a_record_after_the_close(forger: Forger) -> int:
    forger.records.append(forger.records[1])
    return len(forger.records) - 1


@forgery("trend", "comes next")
def two_marks_in_another_order(forger: Forger) -> int:
    first = forger.find("mark", 4)
    second = forger.find("mark", 5)
    records = forger.records
    records[first], records[second] = records[second], records[first]
    return first


@forgery("trend", "it has no place here")
def a_second_genesis(forger: Forger) -> int:
    forger.insert(5, forger.records[0])
    return 5


@forgery("trend", "a log begins with one")
def no_genesis(forger: Forger) -> int:
    forger.drop(0)
    return 0


edits("trend", "look", "no form of kind", "an_act_of_no_kind", act="waive")
edits("trend", "mark", "no form of kind", "a_record_of_no_kind", kind="remark")
edits("trend", "fill", "no form of kind", "a_field_of_another_type", price=1)


@forgery("trend", "no form of kind")
def a_record_with_a_footnote(forger: Forger) -> int:
    index = forger.find("fill")
    forger.records[index]["note"] = "best price"
    return index


def demanded(name: str, said: str, change: Callable[[list], object], act: str = "decide") -> None:
    """A forgery of what was proved of a trade for the mandate's own clauses."""

    def forge(forger: Forger) -> int:
        index = decision(forger, "repaired") if act == "decide" else forger.find(act, 2)
        record = forger.records[index]
        body = json.loads(forger.blob(record["proof"]))
        change(body["demands"])
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        record["proof"] = forger.put(text.encode())
        return index

    forge.__name__ = name
    FORGERIES.append(Forgery("clauses", said, forge))


def weighed(demands: list) -> None:
    demands[0] = encode_certificate(Leaf((), ((0, 1 << 240),)))


demanded("demands_left_out", "0 certificates for 1 demands", lambda demands: demands.clear())
demanded("demands_twice", "2 certificates for 1 demands", lambda d: d.append(d[0]))
demanded("demand_that_proves_less", "the limit is", weighed)
demanded(
    "demands_of_a_look",
    "a look proves nothing of a trade",
    lambda demands: demands.append(encode_certificate(Leaf((), ()))),
    act="look",
)


@forgery("clauses", "the limits say")
def less_of_a_clause(forger: Forger) -> int:
    index = decision(forger, "repaired")
    finding = forger.records[index]["findings"][-1]
    assert finding["guardrail"] == "coin"
    finding["value"] = "within 0.99% of NAV of it at worst"
    return index


@forgery("clauses", "its limits are")
def another_limit_of_a_clause(forger: Forger) -> int:
    index = decision(forger, "refused")
    finding = forger.records[index]["findings"][-1]
    assert finding["guardrail"] == "coin"
    finding["limit"] = "loss(COIN) ≤ 2% · NAV"
    return index


@forgery("clauses", "what is proved comes last")
def a_clause_left_out_of_the_findings(forger: Forger) -> int:
    index = decision(forger, "repaired")
    assert forger.records[index]["findings"].pop()["guardrail"] == "coin"
    return index
