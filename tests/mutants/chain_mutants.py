"""Mutants of what is signed for chains and covered there, and of what became of it."""

from __future__ import annotations

from mutant import Mutant

CHAIN_MUTANTS = (
    Mutant(
        "an allowance beyond the amount",
        "agent_fund/execution/evm/account.py",
        "_approve(action, action.max_in)",
        "_approve(action, 2**256 - 1)",
        "tests/evm/test_evm_swap.py::test_the_allowance_is_the_limit_and_not_more",
    ),
    Mutant(
        "an allowance left standing",
        "agent_fund/execution/evm/account.py",
        "action.call, reset]",
        "action.call]",
        (
            "tests/evm/test_evm_faults.py::"
            "test_a_reorganisation_takes_a_fill_back_and_it_fills_again_once"
        ),
    ),
    Mutant(
        "a block's word taken for final",
        "agent_fund/execution/evm/outcome.py",
        "all(done is None or done.block <= settled for done in receipts)",
        "True",
        (
            "tests/evm/test_evm_evidence.py::"
            "test_what_stands_in_a_block_that_is_not_final_is_not_final"
        ),
    ),
    Mutant(
        "a missing receipt taken for nothing",
        "agent_fund/execution/evm/outcome.py",
        "            await _require_other(chain, batch.sender, one, settled)\n",
        "            pass\n",
        (
            "tests/evm/test_evm_evidence.py::"
            "test_a_filled_swap_whose_receipts_the_node_lost_is_a_doubt_and_not_cancelled"
        ),
    ),
    Mutant(
        "a nonce given out twice",
        "agent_fund/execution/evm/next_nonce.py",
        "        self._next = max(self._next, last + 1)\n",
        "        self._next = max(self._next, last)\n",
        (
            "tests/evm/test_evm_faults.py::"
            "test_a_sandwich_makes_an_order_with_a_tight_limit_revert_and_moves_nothing"
        ),
    ),
    Mutant(
        "other bytes for a cancelled order",
        "agent_fund/execution/evm/lane.py",
        "(held if cancelled else batch).transactions",
        "batch.transactions",
        (
            "tests/evm/test_evm_tending.py::"
            "test_a_cancelled_batch_is_not_undone_by_sending_it_after_the_pool_lost_it"
        ),
    ),
    Mutant(
        "coin promised twice",
        "agent_fund/execution/evm/lane.py",
        "await self._chain.coin(self.address) - committed - needed",
        "await self._chain.coin(self.address) - needed",
        "tests/evm/test_evm_tending.py::test_coin_is_reserved_for_all_that_is_under_way",
    ),
    Mutant(
        "a fill by the deposit's number alone",
        "agent_fund/execution/across/relay.py",
        'keccak(encode([RELAY_TUPLE, "uint256"], [self.data, self.destination_chain]))',
        'keccak(encode(["uint256", "uint256"], [self.deposit_id, self.destination_chain]))',
        "tests/across/test_across_adversary.py::test_every_field_belongs_to_the_relay",
    ),
    Mutant(
        "a refund before the deadline is final",
        "agent_fund/execution/across/delivery.py",
        "        passed = last.time > relay.fill_deadline\n",
        "        passed = True\n",
        (
            "tests/across/test_across_adversary.py::"
            "test_a_fill_with_another_amount_or_recipient_never_counts"
        ),
    ),
    Mutant(
        "a verdict for any target",
        "agent_fund/execution/custody/cover.py",
        "        if call.to not in self.venues:\n",
        "        if call.to not in self.venues and not self.venues:\n",
        (
            "tests/contracts/test_contracts_custody.py::"
            "test_what_the_order_does_not_cover_is_not_signed"
        ),
    ),
    Mutant(
        "a verdict that spends more",
        "agent_fund/execution/custody/cover.py",
        "if not 0 <= action.max_in <= self.most_in:",
        "if not 0 <= action.max_in:",
        (
            "tests/contracts/test_contracts_custody.py::"
            "test_what_the_order_does_not_cover_is_not_signed"
        ),
    ),
    Mutant(
        "a verdict for any words",
        "agent_fund/execution/custody/cover.py",
        "        self.calldata.require(call.data)\n",
        "",
        (
            "tests/contracts/test_contracts_custody.py::"
            "test_what_the_order_does_not_cover_is_not_signed"
        ),
    ),
    Mutant(
        "two legs in one nonce",
        "agent_fund/execution/evm/held.py",
        "        if held is None and not self.takes(batch):",
        "        if held is None and batch is None:",
        (
            "tests/evm/test_evm_tending.py::"
            "test_no_leg_is_given_the_bytes_of_another_one_in_its_nonces"
        ),
    ),
    Mutant(
        "an older version that takes the place of a later",
        "agent_fund/execution/evm/held.py",
        "        if held is None or _knows(batch, held):",
        "        if held is None or _kin(batch, held):",
        (
            "tests/evm/test_evm_lane.py::"
            "test_a_later_version_is_known_to_whoever_asks_about_an_earlier_one"
        ),
    ),
    Mutant(
        "coin for the cheapest version alone",
        "agent_fund/execution/evm/held.py",
        "max(self.cost(one.nonce), _cost(one))",
        "min(self.cost(one.nonce) or _cost(one), _cost(one))",
        "tests/evm/test_evm_tending.py::test_what_the_dearest_version_can_cost_is_reserved",
    ),
    Mutant(
        "a token that takes more",
        "agent_fund/execution/evm/terms.py",
        "        if spent > self.action.max_in:\n",
        "        if spent > 2 * self.action.max_in:\n",
        ("tests/evm/test_evm_swap_tolls.py::test_a_sale_that_takes_more_than_is_sold_is_refused"),
    ),
    Mutant(
        "a token that keeps a part",
        "agent_fund/execution/evm/terms.py",
        "        if arrived < self.action.min_out:\n",
        "        if arrived < 0:\n",
        (
            "tests/evm/test_evm_swap_tolls.py::"
            "test_a_sale_of_which_a_part_is_kept_must_still_bring_its_limit"
        ),
    ),
    Mutant(
        "a fee above the cap",
        "agent_fund/execution/evm/fees.py",
        "        if raised.maximum > most:\n",
        "        if raised.maximum > 2 * most:\n",
        (
            "tests/evm/test_evm_fees.py::"
            "test_whatever_was_bid_or_bumped_can_be_cancelled_under_the_cap_however_dear_gas_is"
        ),
    ),
    Mutant(
        "a bid that cannot be cancelled",
        "agent_fund/execution/evm/fees.py",
        "        return self.cap * 8 // 9\n",
        "        return self.cap\n",
        ("tests/evm/test_evm_fees.py::test_no_bid_is_above_the_cap_or_below_the_next_blocks_price"),
    ),
    Mutant(
        "a replacement at the fee that is asked now",
        "agent_fund/execution/evm/fees.py",
        "return Fees(ceil_div(self.maximum * 9, 8), ceil_div(self.tip * 9, 8))",
        "return Fees(self.maximum, self.tip)",
        (
            "tests/evm/test_evm_evidence.py::"
            "test_a_version_that_no_record_kept_is_a_doubt_and_not_cancelled"
        ),
    ),
    Mutant(
        "a cancel that swaps",
        "agent_fund/execution/evm/replacement.py",
        "            if cancels and not one.approval:\n",
        "            if cancels and one.approval:\n",
        (
            "tests/evm/test_evm_evidence.py::"
            "test_a_cancelled_order_is_found_cancelled_after_a_crash_by_what_stands_in_its_place"
        ),
    ),
    Mutant(
        "a cancel that leaves the allowance",
        "agent_fund/execution/evm/replacement.py",
        "            if cancels and not one.approval:\n",
        "            if cancels:\n",
        "tests/evm/test_evm_lane.py::test_a_cancel_keeps_the_approvals_and_replaces_the_rest",
    ),
    Mutant(
        "a call that reverts in the simulation",
        "agent_fund/execution/evm/simulation.py",
        '        if int(done["status"], 16) != 1:\n',
        '        if int(done["status"], 16) > 1:\n',
        "tests/evm/test_evm_lane.py::test_the_reason_of_a_revert_is_told",
    ),
    Mutant(
        "balances that nobody compares",
        "agent_fund/execution/evm/simulation.py",
        "    if terms is not None:\n        terms.require(",
        "    if terms is not None and not asked:\n        terms.require(",
        (
            "tests/evm/test_evm_swap_tolls.py::"
            "test_a_sale_of_which_a_part_is_kept_must_still_bring_its_limit"
        ),
    ),
    Mutant(
        "a batch signed after its deadline",
        "agent_fund/execution/evm/lane.py",
        "            if now >= deadline:\n",
        "            if now >= 2 * deadline:\n",
        ("tests/evm/test_evm_lane.py::test_a_deadline_that_has_passed_is_refused_before_signing"),
    ),
    Mutant(
        "a swap without a least amount",
        "agent_fund/execution/evm/swap.py",
        "            terms = Terms(self._account.address, action)\n",
        "            terms = None\n",
        (
            "tests/evm/test_evm_swap_tolls.py::"
            "test_a_sale_of_which_a_part_is_kept_must_still_bring_its_limit"
        ),
    ),
    Mutant(
        "a fill believed before the deposit is final",
        "agent_fund/execution/across/delivery.py",
        "            final = opened and head - fill.block >= there.chain.finality\n",
        "            final = head - fill.block >= there.chain.finality\n",
        (
            "tests/across/test_across_carrier.py::"
            "test_a_fill_before_the_deposit_is_final_is_provisional"
        ),
    ),
    Mutant(
        "a fill believed at once",
        "agent_fund/execution/across/delivery.py",
        "            final = opened and head - fill.block >= there.chain.finality\n",
        "            final = opened\n",
        (
            "tests/across/test_across_carrier.py::"
            "test_a_transfer_and_its_way_back_leave_the_ledger_equal_to_the_chains"
        ),
    ),
    Mutant(
        "a refund for two deposits",
        "agent_fund/execution/across/refunds.py",
        "        open_claims = [claim for claim in open_claims if claim not in chosen]\n",
        "",
        (
            "tests/across/test_across_refunds.py::"
            "test_a_payment_goes_to_the_claim_of_its_amount_with_the_earliest_deadline"
        ),
    ),
    Mutant(
        "a refund of what may have been filled",
        "agent_fund/execution/across/refunds.py",
        ("        if not all(claim.certain for claim in chosen or due):\n            break\n"),
        "",
        "tests/across/test_across_refunds.py::test_a_doubtful_claim_stops_what_it_may_be_owed",
    ),
    Mutant(
        "a refund before its deposit",
        "agent_fund/execution/across/refunds.py",
        "if claim.block < payment.block]",
        "if claim.block < payment.block or claim]",
        (
            "tests/across/test_across_refunds.py::"
            "test_a_payment_goes_to_the_claim_of_its_amount_with_the_earliest_deadline"
        ),
    ),
    Mutant(
        "stuck for ever without an alarm",
        "agent_fund/execution/across/delivery.py",
        (
            "        if late:\n"
            '            return LegState.STUCK, None, "no fill, and no refund in time"\n'
        ),
        "",
        (
            "tests/across/test_across_carrier.py::"
            "test_a_silent_hub_leaves_the_leg_stuck_until_the_refund_comes"
        ),
    ),
    Mutant(
        "a cover that counts what has filled",
        "agent_fund/execution/custody/cover.py",
        "money = instrument.notional(order.remaining, order.limit)",
        "money = instrument.notional(order.quantity, order.limit)",
        (
            "tests/contracts/test_contracts_custody.py::"
            "test_an_order_of_which_nothing_remains_covers_nothing"
        ),
    ),
)
