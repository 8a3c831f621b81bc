"""What must be durable before what: the intent before the model, the verdict and the orders before
anything is sent; and what the loop does when a model fails or a guardrail is breached passively."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from fund_world import CAPITAL, HOUR, Market, instrument, mandate, world

from agent_fund.agents.chat import ChatRequest, ChatResponse, Message
from agent_fund.agents.errors import Abstain, ConfigurationError, Failure, ModelError
from agent_fund.audit.log import MemoryLog
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.fund.agent_turn import AgentTurn
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.committed import CommittedModel
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.machine import Mode

SIZE, LIMIT = Fraction(15, 100), Fraction(20, 100)


class SpyLog(MemoryLog):
    """Knows how many leaves a crash could not take back."""

    durable = 0

    def flush(self) -> None:
        self.durable = self.size

    def kinds(self) -> list[str]:
        return [json.loads(leaf)["kind"] for leaf in list(self.leaves())[: self.durable]]


def quiet(bars: int = 8, price: int = 100_000) -> Market:
    return Market((instrument("A"),), {"A": [price] * bars}, {"A": [price] * bars})


class AsksModel:
    """Asks its model at every turn and buys a little."""

    def __init__(self) -> None:
        self.model: CommittedModel | None = None

    def decide(self, snapshot, book):
        request = ChatRequest("m", (Message("user", "?"),), "S", {}, "0", 1, 10)
        try:
            self.model.complete(request)
        except ModelError as error:
            raise Abstain(str(error)) from error
        inst = snapshot.instruments["A"]
        return Proposal((Leg(inst, Side.BUY, 100, snapshot.last_close("A")),))


class Answers:
    """Answers while watching the log; fails at the turns it is told to."""

    def __init__(self, log: SpyLog, fails: tuple[int, ...] = ()) -> None:
        self.log, self.fails, self.asked = log, fails, 0

    def complete(self, request: ChatRequest) -> ChatResponse:
        self.asked += 1
        assert self.log.kinds()[-2:] == ["intent", "call"]
        if self.asked in self.fails:
            raise ModelError(Failure.TIMEOUT, "no answer in time")
        return ChatResponse("{}", "m", "id", None, "stop", 1, 1, b"{}")


def asking_world(log: SpyLog, fails: tuple[int, ...] = (), strategy: AsksModel | None = None):
    strategy = strategy or AsksModel()
    run = world(quiet(), mandate(("A",), SIZE, LIMIT), strategy, log=log)
    turn = run.fund._turn
    answers = Answers(log, fails)
    strategy.model = CommittedModel(answers, turn._commitments, run.recorder)
    run.fund._turn = AgentTurn(strategy, turn._commitments, turn._journal, strategy.model)
    return run, answers


def test_the_intent_is_durable_before_the_model_is_called():
    run, answers = asking_world(SpyLog())
    run.run()
    assert answers.asked == len(run.ticks)


def test_verdict_and_orders_are_durable_before_an_order_leaves(monkeypatch):
    log = SpyLog()
    run, _ = asking_world(log)
    sent = []
    submit = SimulatedVenue.submit

    def watched(self, order, bar):
        records = [json.loads(leaf) for leaf in list(log.leaves())[: log.durable]]
        known = [r for r in records if r["kind"] == "order" and r["id"] == order.order_id]
        assert len(known) == 1
        guard = records[known[0]["guard"]]
        assert (guard["kind"], guard["act"]) == ("guard", "decide")
        sent.append(order.order_id)
        return submit(self, order, bar)

    monkeypatch.setattr(SimulatedVenue, "submit", watched)
    run.run()
    assert len(sent) == len(set(sent)) == len(run.ticks)


def test_a_model_that_fails_abstains_and_the_reason_is_recorded():
    log = SpyLog()
    run, _ = asking_world(log, fails=(2, 3))
    run.run()
    records = [json.loads(leaf) for leaf in log.leaves()]
    aborts = [r for r in records if r["kind"] == "abort"]
    assert [r["bar"] for r in aborts] == [1, 2]
    assert all("no answer in time" in r["reason"] for r in aborts)
    assert all(records[r["intent"]]["kind"] == "intent" for r in aborts)
    failures = [r["failure"] for r in records if r["kind"] == "response"]
    assert [bool(text) for text in failures[:4]] == [False, True, True, False]


def test_a_second_question_in_one_turn_is_refused():
    class AsksTwice(AsksModel):
        def decide(self, snapshot, book):
            super().decide(snapshot, book)
            return super().decide(snapshot, book)

    run, _ = asking_world(SpyLog(), strategy=AsksTwice())
    with pytest.raises(ConfigurationError, match="ask once"):
        run.run()


def test_a_strategy_that_gives_nothing_is_told_what_to_give():
    class Silent:
        def decide(self, snapshot, book):
            return None

    with pytest.raises(ConfigurationError, match="return a Proposal"):
        world(quiet(), mandate(("A",), SIZE, LIMIT), Silent()).run()


def test_a_leg_in_an_instrument_of_somebody_else_is_refused():
    class Foreign:
        def decide(self, snapshot, book):
            return Proposal((Leg(instrument("Z"), Side.BUY, 100, 100_000),))

    with pytest.raises(DomainError, match="'Z'"):
        world(quiet(), mandate(("A",), SIZE, LIMIT), Foreign()).run()


class BuysHalf:
    def decide(self, snapshot, book):
        if snapshot.bar:
            return Proposal()
        inst = snapshot.instruments["A"]
        price = snapshot.last_close("A")
        quantity = int(CAPITAL * Fraction(1, 4) / inst.notional(1, price))
        return Proposal((Leg(inst, Side.BUY, quantity, price + 200),))


@pytest.mark.parametrize("always", [False, True])
def test_a_passive_breach_forces_a_sale_only_if_the_guardrail_says_always(always):
    """The market alone lifts exposure above the limit."""
    prices = [100_000] * 3 + [108_000, 114_000, 114_000, 114_000]
    market = Market((instrument("A"),), {"A": prices}, {"A": prices})
    rail = Guardrail("gross_leverage", Fraction(26, 100), always=always)
    run = world(market, mandate(("A",), SIZE, LIMIT, guardrails=(rail,)), BuysHalf()).run()
    reduced = any(tick.mode is Mode.REDUCING for tick in run.ticks)
    assert reduced is always
    held = run.ticks[-1].positions[0] * run.ticks[-1].closes[0] * 10**4
    assert (held > run.ticks[-1].nav * rail.limit) is not always


def test_ordered_legs_are_sent_one_after_the_other():
    class Pair:
        def decide(self, snapshot, book):
            if snapshot.bar:
                return Proposal()
            legs = [Leg(i, Side.BUY, 1000, 100_300) for i in snapshot.instruments.values()]
            return Proposal(tuple(legs), ordered=True)

    symbols = ("A", "B")
    flat = {s: [100_000] * 6 for s in symbols}
    market = Market(tuple(instrument(s) for s in symbols), flat, flat)
    run = world(market, mandate(symbols, SIZE, LIMIT), Pair(), order_bars=4).run()
    fills = [json.loads(leaf) for leaf in run.log.leaves() if b'"kind":"fill"' in leaf]
    assert [fill["bar"] for fill in fills] == [1, 2]


@pytest.mark.parametrize(
    ("text", "bars"),
    [("bar", [*range(7)]), ("2 bars", [0, 2, 4, 6]), ("week", [0, 5, 6]), ("month", [0, 6])],
)
def test_cadences(text, bars):
    day = 24 * HOUR
    wednesday = 6 * day  # 1970-01-07; the fifth bar after it closes on a Monday
    times = [wednesday + n * day for n in range(6)] + [40 * day]
    cadence = Cadence(text)
    assert [bar for bar, time in enumerate(times) if cadence.due(bar, time)] == bars


@pytest.mark.parametrize("text", ["hourly", "0 bars", "-1 bars", "", "bars"])
def test_an_unknown_cadence_is_refused(text):
    with pytest.raises(DomainError, match="5 bars"):
        Cadence(text)
