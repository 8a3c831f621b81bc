"""Mutants of exchanges and signed intents."""

from __future__ import annotations

from mutant import Mutant

VENUE_MUTANTS = (
    Mutant(
        "a violated invariant that nobody reads",
        "agent_fund/execution/near/verifier.py",
        "        if found is None:\n            violated",
        "        if found is not None and found is None:\n            violated",
        (
            "tests/near/test_near_rehearsal.py::"
            "test_a_rehearsal_of_something_else_publishes_nothing_and_ends_nothing"
        ),
    ),
    Mutant(
        "another intent's execution",
        "agent_fund/execution/near/settlement.py",
        (
            "            if one.intent_hash == prepared.reference:\n"
            "                return self._filled(\n"
        ),
        "            if one:\n                return self._filled(\n",
        ("tests/near/test_near_intents_belief.py::test_the_fill_of_another_order_is_not_this_ones"),
    ),
    Mutant(
        "a failed receipt's log",
        "agent_fund/execution/near/verifier.py",
        (
            "            if receipt.executor != self.contract_id or receipt.failure:\n"
            "                continue\n"
            "            events"
        ),
        (
            "            if receipt.executor != self.contract_id:\n"
            "                continue\n"
            "            events"
        ),
        (
            "tests/near/test_near_intents_belief.py::"
            "test_the_events_of_a_failed_transaction_are_no_fill"
        ),
    ),
    Mutant(
        "an order sent again while the first may arrive",
        "agent_fund/execution/exchange/placement.py",
        "            if self._under_way(leg) and not self._api.repeatable:\n",
        "            if self._under_way(leg) and leg is None:\n",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_a_placement_that_never_arrived_is_unknown_then_canceled_and_was_sent_once"
        ),
    ),
    Mutant(
        "an order sent again without a question",
        "agent_fund/execution/exchange/placement.py",
        (
            "            known = await self._ask(prepared)\n"
            "            if known is not None:\n"
            "                return known\n"
            "            if self._under_way"
        ),
        "            if self._under_way",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_a_placement_without_an_answer_is_found_by_client_id_and_never_sent_again"
        ),
    ),
    Mutant(
        "an order sent after its deadline",
        "agent_fund/execution/exchange/placement.py",
        ("            if self._late(prepared):\n                return self._absent(prepared)\n"),
        "",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_a_request_is_void_at_the_deadline_of_its_order"
        ),
    ),
    Mutant(
        "a cancelled order sent again",
        "agent_fund/execution/exchange/placement.py",
        ("        if leg in self._withdrawn:\n            return await self.status(prepared)\n"),
        "",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_a_placement_that_never_arrived_is_unknown_then_canceled_and_was_sent_once"
        ),
    ),
    Mutant(
        "an order that was seen counted as never arrived",
        "agent_fund/execution/exchange/placement.py",
        "        self._void_at[prepared.leg_id] = MAY_EXIST\n        return await",
        "        return await",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_an_order_that_was_seen_is_never_taken_for_one_that_did_not_arrive"
        ),
    ),
    Mutant(
        "a refusal believed without a question",
        "agent_fund/execution/exchange/placement.py",
        "                known = await self._ask(prepared)\n                return known or self._over",
        "                known = None\n                return known or self._over",
        (
            "tests/exchange/test_exchange_faults.py::"
            "test_a_refusal_because_of_a_duplicate_finds_the_order_that_is_there"
        ),
    ),
    Mutant(
        "a void window that begins before the answer",
        "agent_fund/execution/exchange/placement.py",
        (
            "            placed = await self._api.place(prepared.payload, prepared.deadline)\n"
            "            void_at = self._monotonic() + self._api.lifetime\n"
        ),
        (
            "            placed = await self._api.place(prepared.payload, prepared.deadline)\n"
            "            void_at = before\n"
        ),
        (
            "tests/exchange/test_exchange_placement.py::"
            "test_an_accepted_order_that_is_not_found_yet_is_in_doubt_until_its_window_has_passed"
        ),
    ),
    Mutant(
        "a rebate booked as nothing",
        "agent_fund/execution/exchange/booking.py",
        "    if commission < 0:\n",
        "    if commission < 0 and not coin and coin:\n",
        (
            "tests/exchange/test_exchange_booking.py::"
            "test_what_cannot_be_booked_exactly_is_a_doubt_with_its_reason"
        ),
    ),
    Mutant(
        "a price rounded in the fund's favour",
        "agent_fund/execution/exchange/booking.py",
        "Fraction(floor(price) if trade.buy else ceil(price))",
        "Fraction(ceil(price) if trade.buy else floor(price))",
        (
            "tests/exchange/test_exchange_booking.py::"
            "test_a_trade_at_a_price_finer_than_the_funds_is_booked_exactly"
        ),
    ),
    Mutant(
        "a trade in two versions",
        "agent_fund/execution/exchange/booking.py",
        "        if seen.setdefault(trade.exec_id, trade) != trade:\n",
        "        if seen.setdefault(trade.exec_id, trade) is None:\n",
        "tests/exchange/test_exchange_booking.py::test_one_trade_in_two_versions_is_a_doubt",
    ),
    Mutant(
        "an offer beyond the limit",
        "agent_fund/execution/near/adapter.py",
        "(offer.swap.money - limit) * order.side.sign > 0",
        "(offer.swap.money - limit) * order.side.sign > limit",
        (
            "tests/near/test_near_intents_adapter.py::"
            "test_an_order_beyond_its_limit_is_refused_before_anything_is_signed"
        ),
    ),
    Mutant(
        "a rehearsal that may do anything",
        "agent_fund/execution/near/adapter.py",
        "        if found.hashes != (prepared.reference,) or dict(found.missing) != expected:\n",
        "        if found.hashes != (prepared.reference,) and dict(found.missing) != expected:\n",
        (
            "tests/near/test_near_rehearsal.py::"
            "test_a_rehearsal_of_something_else_publishes_nothing_and_ends_nothing"
        ),
    ),
    Mutant(
        "a nonce that is used counted as free",
        "agent_fund/execution/near/settlement.py",
        (
            "            if await self._verifier.nonce_used(self._account_id, nonce, block.height):\n"
            "                return await self._by_nonce(prepared, nonce, block)\n"
            "            return await self._unused"
        ),
        "            return await self._unused",
        (
            "tests/near/test_near_intents_belief.py::"
            "test_a_fill_is_found_on_the_chain_whatever_the_relay_says"
        ),
    ),
    Mutant(
        "a fill of other amounts",
        "agent_fund/execution/near/settlement.py",
        "        if one.diffs != (swap.diff,):\n",
        "        if not one.diffs:\n",
        (
            "tests/near/test_near_intents_belief.py::"
            "test_a_fill_of_other_amounts_than_remembered_is_a_doubt"
        ),
    ),
    Mutant(
        "the relay's word for the chain's",
        "agent_fund/execution/near/settlement.py",
        (
            "        if doubted or said.status in (relayed.FAILED, relayed.NOT_FOUND):\n"
            '            reason = doubted or f"relay: {said.status}"\n'
            "            return await self._still_possible(prepared, block, reason)\n"
        ),
        (
            "        if doubted or said.status in (relayed.FAILED, relayed.NOT_FOUND):\n"
            "            return Report(prepared.leg_id, LegState.CANCELED)\n"
        ),
        (
            "tests/near/test_near_intents_faults.py::"
            "test_an_intent_in_the_very_block_of_its_deadline_still_counts"
        ),
    ),
    Mutant(
        "a key that is not registered",
        "agent_fund/execution/near/adapter.py",
        "        if not await self._verifier.has_key(self._account_id, key):\n",
        "        if not await self._verifier.has_key(self._account_id, key) and not key:\n",
        (
            "tests/near/test_near_intents_adapter.py::"
            "test_a_key_that_the_verifier_does_not_know_is_refused_at_the_start"
        ),
    ),
    Mutant(
        "an order without a verdict's hash",
        "agent_fund/execution/cow/adapter.py",
        "app_data(verdict := self._verdict_of(order.order_id))",
        "app_data(verdict := bytes(32))",
        "tests/cow/test_cow_adapter.py::test_the_verdict_can_be_read_from_the_order_on_chain",
    ),
    Mutant(
        "an order posted after it was given up",
        "agent_fund/execution/cow/adapter.py",
        "            if told is None and prepared.leg_id not in self._given_up:\n",
        "            if told is None:\n",
        (
            "tests/cow/test_cow_adapter.py::"
            "test_an_api_that_has_no_such_order_to_cancel_has_not_canceled_it"
        ),
    ),
    Mutant(
        "an order posted before its allowance is mined",
        "agent_fund/execution/cow/adapter.py",
        "        if outcome.state is not BatchState.MINED:\n            if not",
        "        if outcome.state is BatchState.REVERTED:\n            if not",
        (
            "tests/cow/test_cow_adapter.py::"
            "test_an_order_given_up_before_it_was_posted_is_never_posted"
        ),
    ),
    Mutant(
        "an allowance that outlives its order",
        "agent_fund/execution/cow/adapter.py",
        "                await self._allowance.ended(prepared.leg_id)\n",
        "                pass\n",
        (
            "tests/cow/test_cow_adapter.py::"
            "test_an_order_whose_limit_the_market_does_not_reach_rests_and_is_canceled_by_time"
        ),
    ),
)
