"""Random lives of a fund with spot, a cross margin account and an isolated one."""

from __future__ import annotations

from fractions import Fraction

from execution_wallets import Line, Wallet, dollars_a_unit
from execution_world import (
    ISOLATED,
    MARGINED,
    MARKS,
    PERPETUALS,
    USD,
    make_margined,
    make_order,
    make_venue,
    totals,
)
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.account import OUTSIDE, Bucket
from agent_fund.execution.clearing import fundings, liquidations, margin_room
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import InsufficientFunds

PLACES = ("sim", "perp", ISOLATED)
START = (1000, 80, 60)
SPOT = {"ETH": 100_00, "SPX": 1000}
ONE = 10**6

moves = st.fixed_dictionaries(dict.fromkeys(MARGINED, st.integers(75, 130)))
symbols = st.sampled_from(sorted(MARGINED))
Traded = tuple[str, Side, int, int]
legs = st.lists(
    st.tuples(symbols, st.sampled_from(Side), st.integers(1, 40), st.integers(-5, 50)),
    min_size=1,
    max_size=3,
)
funding = st.dictionaries(
    st.sampled_from(sorted(PERPETUALS)),
    st.integers(-(10**RATE_SCALE) // 50, 10**RATE_SCALE // 50),
)
volumes = st.sampled_from([10**5, 1000, 100, 0])


class Margined(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.ledger = make_margined(*START)
        fee, spread = "1/2000", "1/1000"
        self.desk = Desk(
            self.ledger,
            {
                "sim": make_venue(fee, spread, share="1/10"),
                "perp": make_venue(fee, spread, share="1/10", name="perp"),
            },
        )
        self.bar = self.sent = 0
        self.lasts = MARKS | SPOT
        self.marks = dict(self.lasts)
        self.spot = {"USD": Fraction(START[0]), "ETH": 0, "SPX": 0}
        self.wallets = {"perp": Wallet(Fraction(START[1])), ISOLATED: Wallet(Fraction(START[2]))}
        for symbol, instrument in PERPETUALS.items():
            line = Line(dollars_a_unit(instrument))
            self.wallets[instrument.account].lines[symbol] = line
        self.under_way: dict[str, Transit] = {}
        self.insured = self.funded = Fraction(0)
        self.judged = (0, "")

    # -- what happens -------------------------------------------------------------------------

    @rule(legs=legs, ordered=st.booleans(), life=st.integers(1, 4))
    def send(self, legs: list[Traded], ordered: bool, life: int) -> None:
        orders: list[Order] = []
        for symbol, side, size, edge in legs:
            traded = MARGINED[symbol]
            worth = traded.notional(traded.lot, self.lasts[symbol])
            limit = self.lasts[symbol] * (100 + side.sign * edge) // 100
            lots = max(1, size * 10 * ONE // worth)
            self.sent += 1
            order = make_order(
                f"o{self.sent}",
                lots * traded.lot,
                max(1, limit // traded.tick) * traded.tick,
                side=side,
                instrument=traded,
                expires=self.bar + life,
                waits_for=orders[-1].order_id if ordered and orders else None,
            )
            orders.append(order)
        before = self.ledger.balances()
        try:
            answers = self.desk.send(orders, self.bar, self.marks)
        except InsufficientFunds:
            assert self.ledger.balances() == before
            return
        for answer in answers:
            if answer.status is Status.REJECTED:
                event("rejected")
                assert answer.instrument.symbol in PERPETUALS

    def move(self, percents: dict[str, int]) -> None:
        """Last prices move; the mark stays within 5% of the last price."""
        for symbol, percent in percents.items():
            tick = MARGINED[symbol].tick
            last = max(self.lasts[symbol] * percent // 100 // tick, 20) * tick
            self.lasts[symbol] = self.marks[symbol] = last
            if symbol in PERPETUALS:
                self.marks[symbol] = last * (95 + percent % 11) // 100

    @rule(overnight=moves, rates=funding, volume=volumes)
    def open(self, overnight: dict[str, int], rates: dict[str, int], volume: int) -> None:
        """A bar's open, as a fund takes it: arrivals, funding, fills, liquidation."""
        self.bar += 1
        self.move(overnight)
        self.take_arrivals()
        self.take_funding(rates)
        self.take_fills(volume)
        self.liquidate("open")

    @rule(intraday=moves)
    def close(self, intraday: dict[str, int]) -> None:
        self.move(intraday)
        self.liquidate("close")
        self.desk.on_close(self.bar)

    @rule(sent=legs, overnight=moves, rates=funding, intraday=moves)
    def trade(
        self,
        sent: list[Traded],
        overnight: dict[str, int],
        rates: dict[str, int],
        intraday: dict[str, int],
    ) -> None:
        """A whole bar in one step, so that most runs hold positions."""
        self.send(sent, False, 2)
        self.open(overnight, rates, 10**5)
        self.close(intraday)

    @rule()
    def cancel(self) -> None:
        self.desk.cancel_all(self.bar)

    @rule(
        ends=st.permutations(PLACES),
        amount=st.integers(1, 200 * ONE),
        bars=st.integers(0, 3),
    )
    def transfer(self, ends: tuple[str, ...], amount: int, bars: int) -> None:
        source, destination = ends[:2]
        self.sent += 1
        away = Transit(f"t{self.sent}", Transfer(amount, source, destination), self.bar + 1 + bars)
        book = self.desk.book()
        if source == "sim":
            room = self.ledger.balance("sim", USD, Bucket.AVAILABLE)
        else:
            room = margin_room(book, source, self.marks)
        try:
            self.desk.transfer(away, self.bar, self.marks)
        except InsufficientFunds:
            assert room < amount
            assert self.desk.book() == book
            return
        assert room >= amount
        self.under_way[away.transfer_id] = away
        self.pay(source, -amount)

    # -- the second bookkeeping ---------------------------------------------------------------

    def pay(self, place: str, amount: int) -> None:
        if place == "sim":
            self.spot["USD"] += Fraction(amount, ONE)
        else:
            self.wallets[place].balance += Fraction(amount, ONE)

    def nav(self, marks: dict[str, int]) -> Fraction:
        total = self.spot["USD"]
        for symbol in SPOT:
            unit = dollars_a_unit(MARGINED[symbol])
            total += self.spot[symbol] * marks[symbol] * unit
        total += sum(Fraction(t.transfer.amount, ONE) for t in self.under_way.values())
        return total + sum(wallet.equity(marks) for wallet in self.wallets.values())

    def take_arrivals(self) -> None:
        due = [away for away in self.under_way.values() if away.due <= self.bar]
        assert [a.transit for a in self.desk.arrive(self.bar)] == due
        for away in due:
            del self.under_way[away.transfer_id]
            self.pay(away.transfer.target, away.transfer.amount)

    def take_funding(self, rates: dict[str, int]) -> None:
        book = self.desk.book()
        events = fundings(book, self.marks, rates, self.bar)
        self.desk.fund(events)
        assert self.desk.book().cash - book.cash == sum(paid.amount for paid in events)
        for symbol, rate in rates.items():
            wallet = self.wallets[PERPETUALS[symbol].account]
            self.funded += wallet.fund(symbol, self.marks[symbol], rate)

    def take_fills(self, volume: int) -> None:
        before = self.desk.book().nav(self.marks)
        volumes = dict.fromkeys(MARGINED, volume)
        reports = self.desk.on_open(self.bar, self.lasts, volumes, self.marks)
        gained = 0
        for fill in reports:
            if not isinstance(fill, Fill):
                continue
            event(f"filled at {fill.instrument.account}")
            symbol, sign = fill.instrument.symbol, fill.side.sign
            assert (fill.price - self.lasts[symbol]) * sign >= 0
            better = (self.marks[symbol] - fill.price) * sign
            gained += fill.instrument.notional(fill.quantity, better) - fill.fee
            if symbol in SPOT:
                unit = dollars_a_unit(fill.instrument)
                self.spot[symbol] += sign * fill.quantity
                self.spot["USD"] -= sign * fill.quantity * fill.price * unit
                self.spot["USD"] -= Fraction(fill.fee, ONE)
            else:
                self.wallets[fill.instrument.account].take(fill)
        # At mark = last, ``gained`` is minus fees and slippage.
        assert self.desk.book().nav(self.marks) - before == gained

    def liquidate(self, when: str) -> None:
        if (self.bar, when) == self.judged:
            return
        self.judged = (self.bar, when)
        events = liquidations(self.desk.book(), self.marks, self.bar, when)
        changed = self.desk.liquidated(events, self.bar)
        closed = {one.instrument.account for one in events}
        assert all(order.status is Status.CANCELED for order in changed)
        assert not any(o.instrument.account in closed for o in self.desk.open_orders)
        for place, wallet in self.wallets.items():
            due = any(line.quantity for line in wallet.lines.values())
            due = due and wallet.equity(self.marks) < wallet.maintenance(self.marks)
            assert (place in closed) == due
            if due:
                event(f"liquidated {place}")
                missing = wallet.wipe(self.marks)
                if missing:
                    event(f"covered {place}")
                self.insured += missing
                assert self.desk.book().equity(place, self.marks) >= 0
                assert not list(self.desk.book().at(place))

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def value_is_conserved(self) -> None:
        assert not any(totals(self.ledger).values())

    @invariant()
    def only_margin_is_ever_negative(self) -> None:
        for account, units in self.ledger.balances().items():
            if account.own and account.bucket is not Bucket.MARGIN:
                assert units > 0

    @invariant()
    def every_place_keeps_its_own_buckets(self) -> None:
        allowed = {place: {Bucket.MARGIN, Bucket.IN_TRANSIT} for place in PLACES}
        allowed["sim"] = {Bucket.AVAILABLE, Bucket.RESERVED, Bucket.IN_TRANSIT}
        for account in self.ledger.balances():
            if account.own:
                assert account.bucket in allowed[account.place]

    @invariant()
    def places_and_transit_make_the_cash(self) -> None:
        book = self.desk.book()
        assert tuple(book.places) == PLACES
        assert book.transit == tuple(self.under_way.values())
        assert book.cash == sum(book.places.values()) + sum(
            away.transfer.amount for away in book.transit
        )

    @invariant()
    def equity_and_nav_are_those_of_wallets_and_entry_prices(self) -> None:
        book = self.desk.book()
        for place, wallet in self.wallets.items():
            assert Fraction(book.equity(place, self.marks), ONE) == wallet.equity(self.marks)
            for symbol, line in wallet.lines.items():
                assert book.position(symbol) == line.quantity
        assert {symbol: book.position(symbol) for symbol in SPOT} == {
            symbol: self.spot[symbol] for symbol in SPOT
        }
        assert Fraction(book.places["sim"], ONE) == self.spot["USD"]
        assert Fraction(book.nav(self.marks), ONE) == self.nav(self.marks)

    @invariant()
    def the_outside_knows_what_was_funded_and_insured(self) -> None:
        for bucket, total in ((Bucket.FUNDING, self.funded), (Bucket.INSURANCE, self.insured)):
            assert Fraction(-self.ledger.balance(OUTSIDE, USD, bucket), ONE) == total

    @invariant()
    def an_order_in_a_perpetual_holds_nothing_back(self) -> None:
        for order in self.desk.open_orders:
            if order.instrument.symbol in PERPETUALS:
                assert self.ledger.reserved(order.order_id) == 0
                assert self.ledger.has_reserved(order.order_id)


Margined.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestMargined = Margined.TestCase
