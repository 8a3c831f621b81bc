"""What every kind of ready-made guardrail asks for, as templates: a sentence and two formulas.

Each says what its judge in ``guard/guardrails/`` computes; ``explained`` fills in the limits.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL = ("A1", "A2", "A3", "A4", "A5", "A6", "A7")
PROVED = "proved over the stress set"
PRE_TRADE = "pre-trade"
ALWAYS = "pre-trade, and at every look"
SENT = "pre-trade, of what is sent"

_FILLS = "after any fills of the trade and of the open orders"
_ORDERS = "Orders open in one instrument and on one side"
_ORDER_VALUE = "Σ quantity · max(limit price, price)"
_ORDER_VALUE_TEX = r"\sum \text{quantity} \cdot \max(\text{limit price}, \text{price})"


@dataclass(frozen=True)
class Wording:
    """How a kind is worded: templates for the sentence and for both formulas."""

    sentence: str
    unicode: str
    latex: str
    when: str
    assumes: tuple[str, ...]


WORDINGS = {
    "max_drawdown": Wording(
        "NAV stays within $limit of its high-water mark, whatever fills, in every scenario of the "
        "stress set",
        "(1 − $limit) · max(H, V + W⁺) ≤ V − W⁻ − C",
        r"(1 - $limit) \cdot \max(H,\; V + W^{+}) \le V - W^{-} - C",
        PROVED,
        ALL,
    ),
    "fixed_floor": Wording(
        "NAV never falls below $floor, whatever fills, in every scenario of the stress set",
        "F ≤ V − W⁻ − C, where F = $floor_formula",
        r"F \le V - W^{-} - C, \quad F = $floor_formula",
        PROVED,
        ALL,
    ),
    "margin_safety": Wording(
        "The equity of every margin account is at least $limit of its maintenance margin, whatever "
        "fills, in every scenario of the stress set",
        "equity(a, x) ≥ $limit · maintenance(a, x) for every margin account a and scenario x",
        r"\mathrm{equity}(a, x) \ge $limit \cdot \mathrm{maintenance}(a, x) \quad \forall\, a, x",
        PROVED,
        ALL,
    ),
    "gross_leverage": Wording(
        f"The long and the short side together are at most $limit of NAV, {_FILLS}",
        "gross ≤ $limit · NAV",
        r"\mathrm{gross} \le $limit \cdot \mathrm{NAV}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "net_exposure": Wording(
        f"The long side less the short side is at most $limit of NAV, either way, {_FILLS}",
        "|net| ≤ $limit · NAV",
        r"\left|\mathrm{net}\right| \le $limit \cdot \mathrm{NAV}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "concentration": Wording(
        f"Long and short side in any one $by are together at most $limit of NAV, {_FILLS}",
        "gross($by) ≤ $limit · NAV for every $by",
        r"\mathrm{gross}(\text{$by}) \le $limit \cdot \mathrm{NAV} \quad \forall\,\text{$by}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "hedge_coverage": Wording(
        "Of the long side of each of $assets, $at_least to $at_most is held short, missed by at "
        f"most $limit of NAV, {_FILLS}",
        "$at_least · long(a) − $limit · NAV ≤ short(a) ≤ $at_most · long(a) + $limit · NAV "
        "for a = $assets_list",
        r"$at_least \cdot \mathrm{long}(a) - $limit \cdot \mathrm{NAV} \le \mathrm{short}(a) "
        r"\le $at_most \cdot \mathrm{long}(a) + $limit \cdot \mathrm{NAV} "
        r"\quad \forall\, a \in \{\text{$assets_list}\}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "venue_exposure": Wording(
        "What stands at any one venue, cash and positions together, is at most $limit of NAV",
        "equity(venue) ≤ $limit · NAV for every venue",
        r"\mathrm{equity}(\text{venue}) \le $limit \cdot \mathrm{NAV} \quad \forall\,\text{venue}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "cash_floor": Wording(
        "Free cash is at least $limit of NAV once every purchase is paid at its limit and every "
        "position has its initial margin",
        "free cash ≥ $limit · NAV",
        r"\text{free cash} \ge $limit \cdot \mathrm{NAV}",
        PRE_TRADE,
        ("A4", "A6"),
    ),
    "liquidity": Wording(
        "Every position can be closed within $bars, at $limit of the volume of a bar",
        "|position(i)| ≤ $limit · volume(i) of $bars for every instrument i",
        r"\left|\mathrm{position}(i)\right| \le $limit \cdot \mathrm{volume}(i)"
        r"\text{ of $bars} \quad \forall\, i",
        "pre-trade, and it sets how long the way out may take",
        ("A2", "A4"),
    ),
    "price_collar": Wording(
        "The limit of every order lies within $limit of the decision price, above and below",
        "|limit price / price − 1| ≤ $limit",
        r"\left|\frac{\text{limit price}}{\text{price}} - 1\right| \le $limit",
        SENT,
        ("A6",),
    ),
    "slippage_cap": Wording(
        "No order concedes more than $limit of the decision price: a purchase above it, a sale "
        "below it",
        "side · (limit price / price − 1) ≤ $limit, where side is 1 to buy and −1 to sell",
        r"\text{side} \cdot \left(\frac{\text{limit price}}{\text{price}} - 1\right) \le $limit, "
        r"\quad \text{side} = \pm 1",
        SENT,
        ("A6",),
    ),
    "max_order_value": Wording(
        f"{_ORDERS} are together worth at most $size",
        f"{_ORDER_VALUE} ≤ $size_formula for every instrument and side",
        rf"{_ORDER_VALUE_TEX} \le $size_formula \quad \forall\,\text{{instrument, side}}",
        SENT,
        ("A4", "A6"),
    ),
    "max_order_volume": Wording(
        f"{_ORDERS} are together at most $volume",
        "Σ quantity ≤ $volume_formula for every instrument and side",
        r"\sum \text{quantity} \le $volume_formula \quad \forall\,\text{instrument, side}",
        SENT,
        ("A4",),
    ),
    "turnover_throttle": Wording(
        "Orders worth at most $size are sent at once, an allowance that refills within $bars",
        f"{_ORDER_VALUE} ≤ what is left of $size_formula, refilled within $bars",
        rf"{_ORDER_VALUE_TEX} \le \text{{what is left of }} $size_formula, "
        r"\ \text{refilled within $bars}",
        SENT,
        ("A6",),
    ),
    "message_throttle": Wording(
        "A trade causes at most $counted at once, an allowance that refills within $bars",
        "messages ≤ what is left of $count_limit, refilled within $bars",
        r"\text{messages} \le \text{what is left of } $count_limit, \ \text{refilled within $bars}",
        SENT,
        (),
    ),
    "repeated_execution_throttle": Wording(
        "At most $counted are sent at once in one instrument and on one side, an allowance that "
        "refills within $bars",
        "orders(instrument, side) ≤ what is left of $count_limit, refilled within $bars",
        r"\text{orders}(\text{instrument, side}) \le \text{what is left of } $count_limit, "
        r"\ \text{refilled within $bars}",
        SENT,
        (),
    ),
    "instrument_allow_list": Wording(
        "Orders go into $names only, by symbol or by underlying",
        "instrument ∈ {$names_list}",
        r"\text{instrument} \in \{\text{$names_list}\}",
        SENT,
        (),
    ),
    "destination_allow_list": Wording(
        "Orders and transfers go to $names only",
        "destination ∈ {$names_list}",
        r"\text{destination} \in \{\text{$names_list}\}",
        SENT,
        (),
    ),
    "reduce_only": Wording(
        f"No position grows or turns round, {_FILLS}",
        "|after(i)| ≤ |before(i)| and after(i) · before(i) ≥ 0 for every instrument i",
        r"\left|\mathrm{after}(i)\right| \le \left|\mathrm{before}(i)\right| \ \wedge\ "
        r"\mathrm{after}(i) \cdot \mathrm{before}(i) \ge 0 \quad \forall\, i",
        SENT,
        ("A4",),
    ),
}
