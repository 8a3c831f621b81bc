"""What the market may do to a fund with margin accounts, event by event, in exact fractions.

It shares the domain's nouns and the stress set's declared numbers with the guard, and no formula: a
set is sampled from its intervals, a fund is cash by place and positions, and every fill, funding,
transfer, loss of a venue and slice of the way out moves money as a venue would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

USD = Asset("USD", 6)
SPOT, PERP = Venue("spot"), Venue("perp")
DOLLAR = 10**6
PRICES = {"BTC": 50_000, "ETH": 20_000, "BTC-P": 50_100, "ETH-P": 19_950, "BTC-I": 49_900}
SPOTS = ("BTC", "ETH")
FOLLOWS = {"BTC-P": "BTC", "ETH-P": "ETH", "BTC-I": "BTC"}
EIGHTHS = (0, 0, 0, 8, 8, 8, 1, 3, 5, 7)


@dataclass(frozen=True)
class Case:
    """A book, a trade, the band of decision prices, and the mandate under which it is judged."""

    mandate: ResolvedMandate
    book: Book
    proposal: Proposal
    band: Mapping[str, tuple[int, int]]

    @property
    def multiple(self) -> Fraction:
        rails = [g.limit for g in self.mandate.guardrails if g.kind == "margin_safety"]
        return rails[0] if rails else Fraction(1)


def instruments(rng: Random) -> dict[str, Instrument]:
    def margin(isolated: bool) -> Margin:
        tiers = [Tier(0, Fraction(rng.choice([1, 2, 5]), 100))]
        for floor in (200, 700):
            if rng.random() < 0.6:
                rise = Fraction(rng.choice([1, 3, 7]), 100)
                tiers.append(Tier(floor * DOLLAR + rng.randrange(3), tiers[-1].rate + rise))
        return Margin(Fraction(1, 10), tuple(tiers), Fraction(1, 100), isolated)

    def perpetual(
        symbol: str, scale: int, price: int, size: Fraction, isolated: bool
    ) -> Instrument:
        base = Asset(symbol, scale)
        under = symbol[:3]
        return Instrument(
            symbol, base, USD, PERP, price, 1, 5, Kind.PERPETUAL, under, size, margin(isolated)
        )

    return {
        "BTC": Instrument("BTC", Asset("BTC", 3), USD, SPOT, price_scale=2, lot=1, tick=5),
        "ETH": Instrument("ETH", Asset("ETH", 2), USD, SPOT, price_scale=3, lot=1, tick=10),
        "BTC-P": perpetual("BTC-P", 3, 2, Fraction(1), False),
        "ETH-P": perpetual("ETH-P", 0, 3, Fraction(1, 10), False),
        "BTC-I": perpetual("BTC-I", 3, 2, Fraction(1), True),
    }


def stress_set(rng: Random) -> Stress:
    """A box, ties of perpetuals to their coins, at times a factor, carry, and venues to lose."""
    box: dict[str, tuple[int, int]] = {}
    ties, carry = [], {}
    for symbol in PRICES:
        low, high = rng.choice([-50_000, -200_000, -400_000]), rng.choice([0, 70_000, 300_000])
        if symbol not in SPOTS:
            if rng.random() < 0.7:
                bounds = rng.choice([(0, 0), (3_000, 1_000), (20_000, 40_000), (0, 9_000)])
                carry[symbol] = bounds
            if rng.random() < 0.7:
                below, above = rng.choice([(-20_000, 5_000), (-1_000, 30_000), (0, 8_000)])
                ties.append(Tie(symbol, FOLLOWS[symbol], below, above))
                low, high = box[FOLLOWS[symbol]][0] + below, box[FOLLOWS[symbol]][1] + above
            # As calibration makes it: the price's box, and what funding does to a long on top.
            paid, received = carry.get(symbol, (0, 0))
            low, high = low - paid, high + received
        box[symbol] = low, high
    factors: tuple[Factor, ...] = ()
    intervals = list(box.values())
    if rng.random() < 0.3:
        third = Fraction(1, 3)
        weights = {"BTC": 1 - third, "ETH": third}
        betas = {s: rng.choice([800, 1_000, 1_300]) for s in PRICES}
        residuals = {s: rng.choice([30_000, 150_000]) for s in PRICES}
        factors = (Factor("coins", weights, betas, residuals),)
        intervals.append((-rng.choice([100_000, 350_000]), rng.choice([50_000, 300_000])))
    lost = tuple(v for v in ("spot", "perp") if rng.random() < 0.3)
    return Stress(tuple(PRICES), tuple(intervals), factors, 3, "", tuple(ties), carry, lost)


def random_case(rng: Random) -> Case:
    items = instruments(rng)
    stress = stress_set(rng)
    costs = Costs(
        Fraction(rng.choice([0, 1, 10]), 1000),
        Fraction(rng.choice([0, 2]), 1000),
        Fraction(rng.choice([0, 0, 1]), 100),
    )
    rails = [max_drawdown("50%")]
    if rng.random() < 0.4:
        rails.append(margin_safety(rng.choice(["100%", "150%", "4/3"])))
    mandate = ResolvedMandate(
        "random", tuple(rails), stress, costs, Fraction(4, 5), Fraction(1, 100), rng.randrange(1, 4)
    )
    width = rng.choice([0, 0, 100])
    band = {
        s: (p - p // 100 if width else p, p + p // 120 if width else p) for s, p in PRICES.items()
    }
    chosen = rng.sample(sorted(PRICES), rng.randrange(1, 5))
    positions = {}
    for symbol in chosen:
        dollars = rng.randrange(0, 1_000)
        unit = items[symbol].notional(1, PRICES[symbol])
        quantity = dollars * DOLLAR // unit
        sign = 1 if symbol in SPOTS else rng.choice([-1, -1, 1])
        if quantity and rng.random() < 0.8:
            positions[symbol] = sign * quantity
    places = {"spot": rng.randrange(0, 2_000) * DOLLAR, "perp": 0, "perp/BTC-I": 0}
    for symbol, quantity in positions.items():
        if symbol not in SPOTS:
            # A short's cash came in with the sale: equity is what was paid in.
            places[items[symbol].account] -= items[symbol].notional(quantity, PRICES[symbol])
    for place in ("perp", "perp/BTC-I"):
        places[place] += rng.choice([0, 30, 200, 900]) * DOLLAR + rng.randrange(50 * DOLLAR)
    transit = ()
    if rng.random() < 0.2:
        transit = (Transit("t", Transfer(rng.randrange(1, 300) * DOLLAR, "spot", "perp"), 2),)
    orders: list[Order] = []
    for number in range(rng.choice([0, 0, 0, 1, 2])):
        leg = random_leg(rng, items[rng.choice(chosen)])
        waits = orders[-1].order_id if orders and rng.random() < 0.5 else None
        order_id = f"o{number}"
        orders.append(
            Order(
                order_id, leg.instrument, leg.side, leg.quantity, leg.limit, Purpose.AGENT, 9, waits
            )
        )
    legs = tuple(random_leg(rng, items[s]) for s in chosen if rng.random() < 0.5)
    transfers = []
    if rng.random() < 0.3:
        source, target = rng.choice([("spot", "perp"), ("perp", "spot"), ("perp", "perp/BTC-I")])
        transfers.append(Transfer(rng.randrange(1, 200) * DOLLAR, source, target))
    cash = sum(places.values()) + sum(t.transfer.amount for t in transit)
    book = Book(USD, cash, items, positions, tuple(orders), places, transit)
    proposal = Proposal(legs, rng.random() < 0.5, "", tuple(transfers))
    return Case(mandate, book, proposal, band)


def random_leg(rng: Random, instrument: Instrument) -> Leg:
    quantity = max(
        1, rng.randrange(5, 500) * DOLLAR // instrument.notional(1, PRICES[instrument.symbol])
    )
    side = rng.choice(list(Side))
    percent = rng.choice([100, 100, 101, 99, 105, 95, 80, 125])
    limit = PRICES[instrument.symbol] * percent // 100 // instrument.tick * instrument.tick
    return Leg(instrument, side, quantity, limit)


def scenario(rng: Random, stress: Stress) -> dict[str, Fraction]:
    """All-in returns inside the set, in 1/SCALE, by the declared intervals alone."""
    box = dict(zip(stress.instruments, stress.box, strict=False))
    moves: dict[str, Fraction] = {}
    ties = {tie.first: tie for tie in stress.ties}
    for symbol in stress.instruments:  # a coin comes before what follows it
        low, high = box[symbol]
        if symbol in ties:
            tie = ties[symbol]
            low = max(low, int(moves[tie.second]) + tie.low)
            high = min(high, int(moves[tie.second]) + tie.high)
        moves[symbol] = Fraction(low + (high - low) * rng.choice(EIGHTHS) // 8)
    # The set is convex and holds no move, so a share of the way there is inside.
    for _ in range(12):
        if is_inside(stress, moves):
            return moves
        moves = {s: m * Fraction(3, 4) for s, m in moves.items()}
    return dict.fromkeys(moves, Fraction(0))


def is_inside(stress: Stress, moves: Mapping[str, Fraction]) -> bool:
    for symbol, (low, high) in zip(stress.instruments, stress.box, strict=False):
        if not low <= moves[symbol] <= high:
            return False
    for tie in stress.ties:
        if not tie.low <= moves[tie.first] - moves[tie.second] <= tie.high:
            return False
    for number, factor in enumerate(stress.factors):
        basket = sum((w * moves[s] for s, w in factor.weights.items()), Fraction(0))
        low, high = stress.box[len(stress.instruments) + number]
        if not low <= basket <= high:
            return False
        for symbol, beta in factor.betas.items():
            if abs(moves[symbol] - Fraction(beta, 1000) * basket) > factor.residuals[symbol]:
                return False
    return True


@dataclass
class Ticket:
    """A leg or an order that may still fill."""

    instrument: Instrument
    side: Side
    limit: int
    left: Fraction
    after: Ticket | None


@dataclass
class Fund:
    """One history under way."""

    case: Case
    rng: Random
    start: dict[str, int]
    cash: dict[str, Fraction]
    held: dict[str, Fraction]
    moving: list[Transfer]
    tickets: list[Ticket]
    paid: dict[str, Fraction] = field(default_factory=dict)
    mark: dict[str, Fraction] = field(default_factory=dict)
    last: dict[str, Fraction] = field(default_factory=dict)
    lost: str = ""

    @property
    def items(self) -> Mapping[str, Instrument]:
        return self.case.book.instruments

    def nav(self) -> Fraction:
        total = sum(self.cash.values(), Fraction(0))
        total += sum(t.amount for t in self.moving)
        return total + sum((self.worth(s) for s in self.held), Fraction(0))

    def worth(self, symbol: str) -> Fraction:
        return self.held[symbol] * self.mark[symbol] * self.items[symbol].multiplier

    def missing(self, account: str) -> Fraction:
        """What ``account`` lacks to ``multiple`` times its maintenance; negative: it has more."""
        equity, needs = self.cash[account], Fraction(0)
        for symbol in self.held:
            terms = self.items[symbol].margin
            if self.items[symbol].account == account and terms is not None:
                equity += self.worth(symbol)
                size = abs(self.worth(symbol))
                for number, tier in enumerate(terms.tiers):
                    ends = [t.floor for t in terms.tiers[number + 1 :]]
                    top = min([size, *ends[:1]])
                    needs += tier.rate * max(Fraction(0), top - tier.floor)
        return self.case.multiple * needs - equity

    def accounts(self) -> Iterator[str]:
        """Margin accounts that still stand and carry a position."""
        found = {self.items[s].account for s, q in self.held.items() if q and s not in SPOTS}
        for account in sorted(found):
            if account.split("/")[0] != self.lost:
                yield account

    def move(self) -> None:
        """A new open: funding falls due on what is held; marks and last prices move in the set."""
        stress = self.case.mandate.stress
        lasts, marks = scenario(self.rng, stress), scenario(self.rng, stress)
        marks.update({s: lasts[s] for s in SPOTS})  # of spot the mark is the last price
        if not is_inside(stress, marks):
            marks = lasts
        for symbol, start in self.start.items():
            most, least = stress.carry.get(symbol, (0, 0))
            share = Fraction(-least + (most + least) * self.rng.choice(EIGHTHS) // 8, SCALE)
            floor = 1 + min(lasts[symbol], marks[symbol]) / SCALE
            share = max(share, -floor)  # prices are not negative
            due = (share * start - self.paid[symbol]) * self.held[symbol]
            self.pay(symbol, due * self.items[symbol].multiplier)
            self.paid[symbol] = share * start
            self.mark[symbol] = start * (1 + marks[symbol] / SCALE) + self.paid[symbol]
            self.last[symbol] = start * (1 + lasts[symbol] / SCALE) + self.paid[symbol]

    def pay(self, symbol: str, amount: Fraction) -> None:
        account = self.items[symbol].account
        if account.split("/")[0] != self.lost:
            self.cash[account] -= amount

    def trade(self, symbol: str, quantity: Fraction, price: Fraction) -> None:
        notional = quantity * price * self.items[symbol].multiplier
        fee = self.case.mandate.costs.fee * abs(notional)
        self.pay(symbol, notional + fee)
        self.held[symbol] += quantity

    def fill(self) -> None:
        """Each ticket that may fill does so at random, whole or in part, within its limit."""
        for ticket in self.tickets:
            symbol = ticket.instrument.symbol
            waiting = ticket.after is not None and ticket.after.left
            if waiting or not ticket.left or self.rng.random() < 0.3:
                continue
            if ticket.instrument.venue.name == self.lost:
                continue
            price = self.last[symbol]
            if self.rng.random() < 0.5:
                price = Fraction(ticket.limit)  # the market may pass through the limit in a bar
            low, high = self.box(symbol)
            if not low <= price <= high or (price - ticket.limit) * ticket.side.sign > 0:
                continue
            size = ticket.left * self.rng.choice([Fraction(1), Fraction(1), Fraction(1, 3)])
            ticket.left -= size
            self.trade(symbol, ticket.side.sign * size, price)

    def box(self, symbol: str) -> tuple[Fraction, Fraction]:
        stress = self.case.mandate.stress
        low, high = stress.box[stress.instruments.index(symbol)]
        start = self.start[symbol]
        return tuple(start * (1 + Fraction(m, SCALE)) + self.paid[symbol] for m in (low, high))  # type: ignore[return-value]

    def arrive(self) -> None:
        for transfer in list(self.moving):
            if self.rng.random() < 0.4:
                self.moving.remove(transfer)
                self.cash[transfer.target] += transfer.amount

    def lose(self, venue: str) -> None:
        """What stands at ``venue`` is gone, and what is on its way there goes or stays."""
        self.lost = venue
        for place in self.cash:
            if place.split("/")[0] == venue:
                self.cash[place] = Fraction(0)
        for symbol in list(self.held):
            if self.items[symbol].venue.name == venue:
                self.held[symbol] = Fraction(0)
        for transfer in list(self.moving):
            # It may also stay where it is, which is better and covered too.
            if transfer.target.split("/")[0] == venue and self.rng.random() < 0.7:
                self.moving.remove(transfer)

    def close(self, share: Fraction) -> None:
        """``share`` of every position at the last price, less slippage, to the tick, and a fee."""
        costs = self.case.mandate.costs
        for symbol, quantity in list(self.held.items()):
            if not quantity:
                continue
            tick, price, size = self.items[symbol].tick, self.last[symbol], quantity * share
            if quantity > 0:
                got = price * (1 - costs.slippage) // tick * tick
            else:
                got = -(-price * (1 + costs.slippage) // tick) * tick
            self.trade(symbol, -size, Fraction(got))
            late = abs(size) * price * self.items[symbol].multiplier * costs.legging
            self.pay(symbol, late * self.rng.choice([0, 1]))


def begin(case: Case, rng: Random) -> Fund:
    """The fund at the decision, its transfers just sent, at prices somewhere in the band."""
    book, proposal = case.book, case.proposal
    start = {s: rng.choice([low, high, (low + high) // 2]) for s, (low, high) in case.band.items()}
    cash = {place: Fraction(amount) for place, amount in book.places.items()}
    moving = [t.transfer for t in book.transit] + list(proposal.transfers)
    for transfer in proposal.transfers:
        cash[transfer.source] -= transfer.amount
    by_id: dict[str, Ticket] = {}
    for order in book.open_orders:
        after = by_id.get(order.waits_for or "")
        left = Fraction(order.remaining)
        by_id[order.order_id] = Ticket(order.instrument, order.side, order.limit, left, after)
    tickets = list(by_id.values())
    before: Ticket | None = None
    for leg in proposal.legs:
        after = before if proposal.ordered else None
        before = Ticket(leg.instrument, leg.side, leg.limit, Fraction(leg.quantity), after)
        tickets.append(before)
    held = {s: Fraction(book.positions.get(s, 0)) for s in book.instruments}
    fund = Fund(case, rng, start, cash, held, moving, tickets)
    fund.paid = dict.fromkeys(start, Fraction(0))
    fund.mark = {s: Fraction(p) for s, p in start.items()}
    fund.last = dict(fund.mark)
    return fund


def history(case: Case, rng: Random) -> Iterator[Fund]:
    """The fund after each event of one history, from the decision until it is flat."""
    fund = begin(case, rng)
    yield fund
    ticks = rng.randrange(2, 6)
    leaving = rng.randrange(1, ticks + 1)
    failing = rng.randrange(1, ticks + 2) if rng.random() < 0.7 else 0
    lost = case.mandate.stress.lost
    for tick in range(1, ticks + 1):
        fund.move()
        yield fund
        if tick < leaving:
            fund.fill()
            yield fund
        else:
            fund.close(Fraction(1) if tick == ticks else Fraction(rng.randrange(0, 5), 4))
            yield fund
        fund.arrive()
        yield fund
        if tick == failing and lost:
            fund.lose(rng.choice(lost))
            yield fund


def cornered(case: Case, rng: Random, moves: Mapping[str, Fraction], account: str) -> Fraction:
    """What ``account`` lacks where every leg fills at its limit or not at all, and ``moves`` come.

    The fills come first, with no funding paid yet; then funding as much as it can be, one way or
    the other, and the marks. Only fills that the set allows are made.
    """
    fund = begin(case, rng)
    for ticket in fund.tickets:
        waiting = ticket.after is not None and ticket.after.left
        low, high = fund.box(ticket.instrument.symbol)
        if not waiting and low <= ticket.limit <= high and rng.random() < 0.6:
            size, ticket.left = ticket.left, Fraction(0)
            fund.trade(ticket.instrument.symbol, ticket.side.sign * size, Fraction(ticket.limit))
    for symbol, start in fund.start.items():
        most, least = case.mandate.stress.carry.get(symbol, (0, 0))
        paid = Fraction(rng.choice([most, -least]) * start, SCALE)
        fund.pay(symbol, paid * fund.held[symbol] * fund.items[symbol].multiplier)
        fund.mark[symbol] = max(Fraction(0), start * (1 + moves[symbol] / SCALE) + paid)
    return fund.missing(account)
