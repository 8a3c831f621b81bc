"""Mutants of the kernel, the compiler and the machine."""

from __future__ import annotations

from mutant import Mutant

KERNEL = "agent_fund/guard/kernel"
GUARD = "agent_fund/guard"

_CHECKERS = "tests/guard/test_guard_kernel.py::test_two_checkers_agree_on_every_certificate"
AGREE = f"{_CHECKERS}_and_on_its_bound"
LEAF = "tests/guard/test_guard_kernel.py::test_a_corrupt_leaf_is_refused"
SAFE = "tests/guard/test_guard_machine.py::test_safe_is_the_formula_of_the_guarantee"
_LOOK = "tests/guard/test_guard_relation.py::test_the_look_at_every_bar_decides"
LOOK = f"{_LOOK}_at_the_edge_of_safe"
RELATION = "tests/guard/test_guard_relation.py::test_no_sequence_of_calls_leaves_the_relation"

GUARD_MUTANTS = (
    # The checker.
    Mutant(
        "a bound rounded down",
        f"{KERNEL}/check.py",
        "return -(-total >> SHIFT)",
        "return total >> SHIFT",
        AGREE,
    ),
    Mutant(
        "the support of the box at its better end",
        f"{KERNEL}/check.py",
        "coefficient * (high if coefficient > 0 else low)",
        "coefficient * (low if coefficient > 0 else high)",
        AGREE,
    ),
    Mutant(
        "negative multipliers",
        f"{KERNEL}/check.py",
        "or multiplier <= 0:",
        "or multiplier == 0:",
        LEAF,
    ),
    Mutant(
        "multipliers that are no integers",
        f"{KERNEL}/check.py",
        "type(index) is not int or type(multiplier) is not int or ",
        "",
        LEAF,
    ),
    Mutant(
        "a row weighed without its bound",
        f"{KERNEL}/check.py",
        "        total += multiplier * row.bound\n",
        "",
        AGREE,
    ),
    Mutant(
        "a row weighed with the wrong sign",
        f"{KERNEL}/check.py",
        "residual[driver] -= multiplier * coefficient",
        "residual[driver] += multiplier * coefficient",
        AGREE,
    ),
    Mutant(
        "a row twice, or out of order",
        f"{KERNEL}/check.py",
        "if not last < index < len(rows):",
        "if not 0 <= index < len(rows):",
        LEAF,
    ),
    Mutant(
        "tangents steeper than the hinge",
        f"{KERNEL}/check.py",
        "or not 0 <= share <= ONE:",
        "or not 0 <= share:",
        LEAF,
    ),
    Mutant(
        "tangents below zero",
        f"{KERNEL}/check.py",
        "or not 0 <= share <= ONE:",
        "or not share <= ONE:",
        LEAF,
    ),
    Mutant(
        "tangents too many",
        f"{KERNEL}/check.py",
        "    if concave != len(leaf.tangents):\n",
        "    if concave > len(leaf.tangents):\n",
        LEAF,
    ),
    Mutant(
        "the chord of a concave hinge",
        f"{KERNEL}/check.py",
        "        if hinge.weight < 0:",
        "        if hinge.weight < -(10**30):",
        AGREE,
    ),
    Mutant(
        "a chord through its left end only",
        f"{KERNEL}/check.py",
        "return rise, max(left - rise * low, right - rise * high)",
        "return rise, left - rise * low",
        AGREE,
    ),
    Mutant(
        "a hinge taken for zero where it begins below it",
        f"{KERNEL}/check.py",
        "    if left <= 0 >= right:",
        "    if left <= 0:",
        AGREE,
    ),
    Mutant(
        "a split that proves its better half",
        f"{KERNEL}/check.py",
        "    return max(\n        _bound(form, stress, certificate.left",
        "    return min(\n        _bound(form, stress, certificate.left",
        AGREE,
    ),
    Mutant(
        "a split outside the box",
        f"{KERNEL}/check.py",
        "    if not low < at < high:\n",
        "    if not isinstance(at, int):\n",
        "tests/guard/test_guard_kernel.py::test_a_split_outside_the_box_is_refused",
    ),
    Mutant(
        "a right half that forgets where it begins",
        f"{KERNEL}/check.py",
        "left[driver], right[driver] = (low, at), (at, high)",
        "left[driver], right[driver] = (low, at), (at, at)",
        AGREE,
    ),
    Mutant(
        "a tree without an end",
        f"{KERNEL}/check.py",
        "    if depth == 0:\n",
        "    if depth == -9:\n",
        "tests/guard/test_guard_kernel.py::test_depth_is_limited_exactly",
    ),
    Mutant(
        "a form of other drivers",
        f"{KERNEL}/check.py",
        "    if len(form.linear) != len(stress.box):\n",
        "    if len(form.linear) > len(stress.box):\n",
        "tests/guard/test_guard_kernel.py::test_a_form_of_another_number_of_drivers_is_refused",
    ),
    # The normal form and the stress set.
    Mutant(
        "a stress set without the no-move scenario",
        f"{KERNEL}/form.py",
        "            if not -SCALE <= low <= 0 <= high:\n",
        "            if not -SCALE <= low <= high:\n",
        "tests/guard/test_guard_kernel.py::test_a_box_without_no_move_or_below_everything_lost"
        "_is_refused",
    ),
    Mutant(
        "rows that exclude the no-move scenario",
        f"{KERNEL}/form.py",
        "            if row.bound < 0:\n",
        "            if row.bound < -(10**30):\n",
        "tests/guard/test_guard_kernel.py::test_rows_that_exclude_no_move_or_do_not_fit_are_refused",
    ),
    Mutant(
        "floats in the kernel",
        f"{KERNEL}/form.py",
        "        if type(value) is not int:\n",
        "        if not isinstance(value, (int, float)):\n",
        "tests/guard/test_guard_kernel.py::test_forms_rows_and_hinges_read_integers_only",
    ),
    Mutant(
        "a file of several readings",
        f"{KERNEL}/codec.py",
        "    if encode_file(*result) != data:\n",
        "    if not result:\n",
        "tests/guard/test_guard_codec.py::test_what_is_not_canonical_is_refused",
    ),
    Mutant(
        "a certificate of several spellings",
        f"{KERNEL}/codec.py",
        "    if encode_certificate(certificate) != value:\n",
        "    if not value:\n",
        "tests/guard/test_guard_codec.py::test_base64_has_one_spelling",
    ),
    # The machine.
    Mutant(
        "no gain in Safe",
        f"{GUARD}/machine.py",
        "    peak = max(mark * SCALE, nav * SCALE + bounds.gain)\n    lowest",
        "    peak = mark * SCALE\n    lowest",
        SAFE,
    ),
    Mutant(
        "costs left out of Safe",
        f"{GUARD}/machine.py",
        "    return nav * SCALE - bounds.loss - bounds.costs * SCALE\n",
        "    return nav * SCALE - bounds.loss\n",
        SAFE,
    ),
    Mutant(
        "a mark that Safe forgets",
        f"{GUARD}/machine.py",
        "    peak = max(mark * SCALE, nav * SCALE + bounds.gain)\n    lowest",
        "    peak = nav * SCALE + bounds.gain\n    lowest",
        "tests/guard/test_guard_machine.py::test_an_older_mark_counts_and_not_only_nav",
    ),
    Mutant(
        "no gain in the look at every bar",
        f"{GUARD}/machine.py",
        "        peak = nav + bounds.gain\n",
        "        peak = nav\n",
        LOOK,
    ),
    Mutant(
        "no costs in the look at every bar",
        f"{GUARD}/machine.py",
        "        lowest = nav - bounds.loss - bounds.costs * SCALE\n",
        "        lowest = nav - bounds.loss\n",
        LOOK,
    ),
    Mutant(
        "a margin account that may fall short",
        f"{GUARD}/machine.py",
        "            or bounds.shortfall\n",
        "",
        LOOK,
    ),
    Mutant(
        "a mark that does not follow NAV",
        f"{GUARD}/machine.py",
        "            self.h = nav\n            return True\n",
        "            return True\n",
        RELATION,
    ),
    Mutant(
        "a breach that recovers",
        f"{GUARD}/machine.py",
        "            self.breached = True\n            return False\n        return True\n",
        "            self.breached = True\n            return False\n"
        "        self.breached = False\n        return True\n",
        RELATION,
    ),
    Mutant(
        "a decision after a breach",
        f"{GUARD}/machine.py",
        "            or self.breached\n",
        "",
        RELATION,
    ),
    Mutant(
        "a decision after a kill",
        f"{GUARD}/machine.py",
        "self.mode is Mode.HALTED or self.killed or self.breached:",
        "self.mode is Mode.HALTED or self.breached:",
        RELATION,
    ),
    Mutant(
        "a decision that is not Safe",
        f"{GUARD}/machine.py",
        "        if not self.safe(bounds):\n",
        "        if bounds.loss < 0:\n",
        RELATION,
    ),
    Mutant(
        "a way out from anywhere",
        f"{GUARD}/machine.py",
        "        if self.mode is not Mode.REDUCING:\n",
        "        if self.mode is Mode.HALTED:\n",
        RELATION,
    ),
    Mutant(
        "a halt with positions",
        f"{GUARD}/machine.py",
        "        if self.mode is not Mode.EXITING or not flat:\n",
        "        if self.mode is not Mode.EXITING:\n",
        "tests/guard/test_guard_machine.py::test_a_transition_that_does_not_exist_is_an_error"
        "_and_changes_nothing",
    ),
    Mutant(
        "a flow without a certificate",
        f"{GUARD}/machine.py",
        "        if not is_safe(self.limit, nav, mark, bounds, floor):\n",
        "        if nav < 0:\n",
        RELATION,
    ),
    Mutant(
        "a mark that a redemption leaves where it was",
        f"{GUARD}/machine.py",
        "    return ceil_div(mark * nav_after, nav)\n",
        "    return mark\n",
        RELATION,
    ),
    Mutant(
        "a mark rounded for the fund",
        f"{GUARD}/machine.py",
        "    return ceil_div(mark * nav_after, nav)\n",
        "    return mark * nav_after // nav\n",
        RELATION,
    ),
    # The compiler.
    Mutant(
        "a purchase counted at the band's low price",
        "agent_fund/guard/compile.py",
        "SCALE * (leg.limit - low) + high * received",
        "SCALE * (low - low) + high * received",
        (
            "tests/guard/test_guard_compile.py::"
            "test_every_admissible_history_stays_between_loss_and_gain"
        ),
    ),
    Mutant(
        "funding that a late fill did not get",
        "agent_fund/guard/compile.py",
        "(leg.limit - low) + high * received",
        "(leg.limit - low)",
        (
            "tests/guard/test_guard_margin.py::"
            "test_no_history_leaves_the_bounds_or_liquidates_an_account_found_safe"
        ),
    ),
    Mutant(
        "a sale's gain at the wrong end of the box",
        "agent_fund/guard/compile.py",
        "(size, -size * lowest) if",
        "(size, -size * highest) if",
        (
            "tests/guard/test_guard_compile.py::"
            "test_every_admissible_history_stays_between_loss_and_gain"
        ),
    ),
    Mutant(
        "a held book valued at the band's low price only",
        "agent_fund/guard/compile.py",
        "            if high != low:\n                terms.hinges",
        "            if high == low:\n                terms.hinges",
        (
            "tests/guard/test_guard_compile.py::"
            "test_every_admissible_history_stays_between_loss_and_gain"
        ),
    ),
    Mutant(
        "open legs taken for filled",
        "agent_fund/guard/compile.py",
        "[(leg, False) for leg in case.options]",
        "[(leg, True) for leg in case.options]",
        (
            "tests/guard/test_guard_compile.py::"
            "test_every_admissible_history_stays_between_loss_and_gain"
        ),
    ),
    Mutant(
        "an envelope's better side for what is held",
        "agent_fund/guard/compile.py",
        "curve.fall if sign * quantity < 0 else curve.rise",
        "curve.rise if sign * quantity < 0 else curve.fall",
        (
            "tests/guard/test_guard_derivatives.py::"
            "test_no_history_leaves_the_forms_in_its_own_scenario"
        ),
    ),
    Mutant(
        "money under way that no transfer takes from its source",
        "agent_fund/guard/obligations.py",
        "places.get(transfer.source, 0) - transfer.amount",
        "places.get(transfer.source, 0)",
        (
            "tests/guard/test_guard_limits.py::"
            "test_venue_exposure_counts_cash_positions_and_what_is_under_way"
        ),
    ),
    Mutant(
        "margin accounts that nobody looks at",
        "agent_fund/guard/obligations.py",
        "for account, symbols in _margined(after, case):",
        "for account, symbols in ():",
        (
            "tests/guard/test_guard_derivatives.py::"
            "test_no_history_leaves_what_the_kernel_proves_or_falls_below_maintenance"
        ),
    ),
    Mutant(
        "an exit without its fee",
        "agent_fund/guard/costs.py",
        "self.slippage + self.fee * (1 + self.slippage) + self.legging",
        "self.slippage + self.legging",
        (
            "tests/guard/test_guard_compile.py::"
            "test_all_trading_costs_until_flat_stay_within_the_cost_bound"
        ),
    ),
)
