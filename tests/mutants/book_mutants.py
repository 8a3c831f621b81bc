"""Mutants of the books, the legs of orders and transfers, routes and what operators say."""

from __future__ import annotations

from mutant import Mutant

BOOK_MUTANTS = (
    Mutant(
        "a balance below zero",
        "agent_fund/execution/balances.py",
        "changed[account] < 0 and account.bounded",
        "changed[account] < 0 and not account",
        (
            "tests/execution/test_execution_derivatives.py::"
            "test_what_needs_no_margin_cannot_be_sold_short"
        ),
    ),
    Mutant(
        "a fill booked twice",
        "agent_fund/execution/ledger.py",
        ("        if self.has_fill(fill):\n            return False\n        after"),
        "        after",
        (
            "tests/execution/test_execution_ledger.py::"
            "test_a_fill_counts_once_also_after_its_order_has_ended"
        ),
    ),
    Mutant(
        "an id that stands for two entries",
        "agent_fund/execution/balances.py",
        "known is not None and known != request",
        "known is request and known != request",
        (
            "tests/execution/test_execution_ledger.py::"
            "test_the_same_entry_counts_once_and_its_id_stands_for_nothing_else"
        ),
    ),
    Mutant(
        "an entry that does not sum to zero",
        "agent_fund/execution/entry.py",
        "            if total:\n",
        "            if total > 0 and not total:\n",
        (
            "tests/execution/test_execution_ledger.py::"
            "test_an_entry_exists_only_if_its_postings_sum_to_zero"
        ),
    ),
    Mutant(
        "what an ended order held stays reserved",
        "agent_fund/execution/desk.py",
        "        self._ledger.release(order)\n",
        "",
        (
            "tests/execution/test_execution_desk.py::"
            "test_an_order_expires_at_the_close_of_its_last_bar_with_the_legs_behind_it"
        ),
    ),
    Mutant(
        "orders sent before anything is reserved",
        "agent_fund/execution/desk.py",
        "        self._ledger.reserve([(order, self._at(order).maximum_fee(order)) for order in orders])\n",
        "",
        (
            "tests/execution/test_execution_derivatives.py::"
            "test_what_needs_no_margin_is_paid_in_cash_and_sold_again"
        ),
    ),
    Mutant(
        "a report that moves the book",
        "agent_fund/execution/desk.py",
        "agreed = report.filled == order.filled and report.status not in (",
        "agreed = report.status not in (",
        (
            "tests/execution/test_execution_desk.py::"
            "test_a_status_that_the_fills_do_not_explain_makes_the_order_unknown"
        ),
    ),
    Mutant(
        "a cancel believed without a confirmation",
        "agent_fund/execution/desk.py",
        "report.status is Status.CANCELED and report.filled == order.filled",
        "report.filled == order.filled",
        (
            "tests/execution/test_execution_desk.py::"
            "test_an_unconfirmed_cancel_stays_open_and_counted_but_its_successors_end"
        ),
    ),
    Mutant(
        "a purchase that reserves no fee",
        "agent_fund/execution/reservation.py",
        "self.fee - fill.fee if buy else 0",
        "self.fee if buy else 0",
        (
            "tests/execution/test_execution_ledger.py::"
            "test_a_buy_below_its_limit_frees_the_difference_at_once_and_the_fee_at_the_end"
        ),
    ),
    Mutant(
        "bytes sent before they are durable",
        "agent_fund/execution/live/leg_driver.py",
        "        self._legs.keep(prepared)\n        return self._submit(prepared)",
        (
            "        sent = self._submit(prepared)\n"
            "        self._legs.keep(prepared)\n"
            "        return sent"
        ),
        (
            "tests/live/test_live_leg_driver.py::"
            "test_what_nobody_has_seen_is_sent_again_as_it_was_after_some_patience"
        ),
    ),
    Mutant(
        "an intent prepared twice after a crash",
        "agent_fund/execution/live/leg_driver.py",
        (
            "        if self._legs.knows(leg_id):\n"
            "            return self._again(self._legs.leg(leg_id))\n"
        ),
        "",
        (
            "tests/live/test_live_leg_driver.py::"
            "test_an_intent_without_bytes_never_left_and_never_will"
        ),
    ),
    Mutant(
        "an unwanted leg sent again",
        "agent_fund/execution/live/leg_driver.py",
        (
            "            if leg.leg_id in self._unwanted:\n"
            "                self.cancel(prepared)\n"
            "                continue\n"
        ),
        "",
        (
            "tests/live/test_live_leg_driver.py::"
            "test_an_unwanted_leg_is_cancelled_and_not_sent_again"
        ),
    ),
    Mutant(
        "a leg sent after its deadline",
        "agent_fund/execution/live/leg_driver.py",
        ("            if leg.deadline and now >= leg.deadline:\n                continue\n"),
        "",
        ("tests/live/test_live_leg_driver.py::test_nothing_is_sent_again_at_its_deadline_or_later"),
    ),
    Mutant(
        "a step that no leg can make",
        "agent_fund/execution/live/leg_store.py",
        "        if not follows(before, report.state):\n",
        "        if follows(before, report.state) and not follows(before, report.state):\n",
        (
            "tests/live/test_live_leg_store.py::"
            "test_an_ended_leg_stays_as_it_ended_and_a_report_of_anything_else_is_an_alarm"
        ),
    ),
    Mutant(
        "a final trade that reads otherwise",
        "agent_fund/execution/live/leg_store.py",
        "(found[0][4] and found[0][1:4] != told)",
        "(not found[0][4] and found[0][1:4] != told)",
        (
            "tests/live/test_live_leg_store.py::"
            "test_a_final_trade_that_reads_otherwise_later_is_a_doubt_and_stays_as_it_was"
        ),
    ),
    Mutant(
        "a trade told twice",
        "agent_fund/execution/live/told_trades.py",
        "if trade.final and trade.exec_id not in told]",
        "if trade.final]",
        (
            "tests/live/test_live_doubts.py::"
            "test_a_time_out_after_a_final_trade_takes_nothing_back_and_is_no_alarm"
        ),
    ),
    Mutant(
        "a trade told before it is final",
        "agent_fund/execution/live/told_trades.py",
        "if trade.final and trade.exec_id not in told]",
        "if trade.exec_id not in told]",
        "tests/live/test_live_machine.py::TestLives",
    ),
    Mutant(
        "a fee of any size",
        "agent_fund/execution/live/told_trades.py",
        "            self._require_fee(trade, order, fees)\n",
        "",
        (
            "tests/live/test_live_doubts.py::"
            "test_a_trade_with_a_fee_beyond_what_was_reserved_is_a_doubt_and_not_a_crash"
        ),
    ),
    Mutant(
        "an answer heard before it is written",
        "agent_fund/execution/live/live_venue.py",
        (
            "        told = ask()\n"
            "        self._tape.answer(Answer(self.name, call, bar, key, told))\n"
            "        return told"
        ),
        "        return ask()",
        "tests/live/test_live_machine.py::TestLives",
    ),
    Mutant(
        "orders of a halted fund",
        "agent_fund/execution/live/live_venue.py",
        "stopped = self._alarms.frozen(self.name) or self.halted()",
        "stopped = self._alarms.frozen(self.name)",
        (
            "tests/paper/test_paper_stops.py::"
            "test_an_order_that_had_no_bytes_when_the_halt_came_never_leaves"
        ),
    ),
    Mutant(
        "orders at a venue in quarantine",
        "agent_fund/execution/live/live_venue.py",
        "stopped = self._alarms.frozen(self.name) or self.halted()",
        "stopped = self.halted()",
        (
            "tests/faults/test_faults_exchange.py::"
            "test_a_venue_that_says_less_than_the_books_takes_no_orders_but_the_guards_way_out"
        ),
    ),
    Mutant(
        "a route never looked at under way",
        "agent_fund/fund/routing.py",
        '        yield Point(f"{where}, under way", self._look(_with_book(situation, left)))\n',
        "",
        (
            "tests/route/test_route_certify.py::"
            "test_a_route_of_three_stages_is_certified_at_each_point"
        ),
    ),
    Mutant(
        "a route looked at as quoted alone",
        "agent_fund/fund/routing.py",
        "        for worst in (True, False):",
        "        for worst in (False,):",
        (
            "tests/route/test_route_certify.py::"
            "test_a_route_of_three_stages_is_certified_at_each_point"
        ),
    ),
    Mutant(
        "a refused route that is taken",
        "agent_fund/fund/routing.py",
        "        if verdict.admitted and not expired:",
        "        if not expired:",
        (
            "tests/route/test_route_certify.py::"
            "test_a_cheaper_route_loses_if_its_intermediary_cannot_be_lost"
        ),
    ),
    Mutant(
        "a venue that lies about a balance",
        "agent_fund/paper/reconcile.py",
        "            if there < booked:\n",
        "            if there < booked < 0:\n",
        (
            "tests/paper/test_paper_reconcile_blind.py::"
            "test_a_trade_in_doubt_is_an_alarm_and_hides_no_missing_cash"
        ),
    ),
    Mutant(
        "an order of strangers",
        "agent_fund/paper/reconcile.py",
        '                self._alarms.quarantine(venue, reference, "an order of no name of ours rests here")\n',
        "",
        (
            "tests/faults/test_faults_exchange.py::"
            "test_an_order_that_is_not_ours_is_put_aside_and_neither_adopted_nor_cancelled"
        ),
    ),
    Mutant(
        "a board that cannot be read says go on",
        "agent_fund/fund/control.py",
        "return Standing(max(self._last, Stance.HALT, key=_CARE.index), (), self._fault)",
        "return Standing(self._last, (), self._fault)",
        (
            "tests/control/test_control_board.py::"
            "test_an_unreadable_board_is_a_halt_and_heals_into_one_that_only_a_person_ends"
        ),
    ),
    Mutant(
        "a transfer during a halt",
        "agent_fund/execution/live/live_carriage.py",
        'why = why or ("operators have halted the fund" if self.halted() else "")',
        'why = why or ""',
        (
            "tests/live/test_live_doubts.py::"
            "test_a_transfer_does_not_begin_in_a_halted_fund_and_one_under_way_goes_on"
        ),
    ),
    Mutant(
        "a transfer past an alarm",
        "agent_fund/execution/live/live_carriage.py",
        '        why = f"an alarm about {\', \'.join(frozen)} is open" if frozen else ""\n',
        '        why = ""\n',
        (
            "tests/live/test_live_doubts.py::"
            "test_a_transfer_by_a_carrier_with_an_open_alarm_comes_back_at_once"
        ),
    ),
    Mutant(
        "more arrives than left",
        "agent_fund/execution/live/live_carriage.py",
        "        return min(leg.received, amount)\n",
        "        return leg.received\n",
        (
            "tests/live/test_live_doubts.py::"
            "test_more_than_left_is_never_booked_and_less_than_agreed_is_with_an_alarm"
        ),
    ),
    Mutant(
        "a payment told twice",
        "agent_fund/execution/live/live_clearing.py",
        "                r for r in receipts if not self._is_known(name, _FUNDING, r.payment_id)\n",
        "                r for r in receipts\n",
        "tests/live/test_live_clearing.py::TestAccounts",
    ),
    Mutant(
        "a forced trade beyond the position",
        "agent_fund/execution/live/live_clearing.py",
        "            if 0 < trade.quantity * position <= position * position:\n",
        "            if trade.quantity:\n",
        "tests/live/test_live_clearing.py::TestAccounts",
    ),
    Mutant(
        "a payment forgotten by a crash",
        "agent_fund/execution/live/live_clearing.py",
        '            self._tape.answer(Answer(_tape_name(name), call, bar, "", told))\n',
        "",
        "tests/live/test_live_clearing.py::TestAccounts",
    ),
    Mutant(
        "a cover for another Safe's leg",
        "agent_fund/paper/covers.py",
        "        if transfer.source != venue:\n            return None\n",
        "",
        "tests/paper/test_paper_covers.py::test_a_transfer_is_covered_at_its_source_alone",
    ),
)
