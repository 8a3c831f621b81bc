"""One fund put together from parts, on one log: the same for the guarded run and its twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.agents.cassette import CassettePlayer
from agent_fund.agents.chat import ChatModel
from agent_fund.agents.strategy import Strategy
from agent_fund.audit.canonical import JSON
from agent_fund.audit.log import Log
from agent_fund.audit.recorder import Recorder
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.provenance import REPLAY_SECRET
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.execution.carriage import Carriage
from agent_fund.execution.clearing import ByRule, Clearing
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.venue import Venue
from agent_fund.fund.agent_turn import AgentTurn
from agent_fund.fund.committed import Commitments, CommittedModel, Provenance
from agent_fund.fund.fund import Fund
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Gate
from agent_fund.fund.unguarded import Unguarded
from agent_fund.guard.engine import Guard
from agent_fund.guard.machine import NO_FLOOR, Machine
from agent_fund.guard.verdict import Situation
from agent_fund.market.bars import Row
from agent_fund.market.snapshot import History


@dataclass
class Session:
    """A fund ready to advance, with what has to be finished after it."""

    fund: Fund
    ledger: Ledger
    recorder: Recorder
    monitor: Monitor
    cassette: CassettePlayer | None


@dataclass(frozen=True)
class Market:
    """What a fund trades on.

    Attributes:
        rows: its bars as they come. ``venues``: by name. ``carriage``: what carries its money.
        clearing: who settles its margin accounts.
        routed: makes of a strategy one whose trades are routed over the venues.
    """

    rows: Iterator[Row]
    venues: Mapping[str, Venue]
    carriage: Carriage
    clearing: Clearing
    routed: Callable[[Strategy], Strategy]


def open_session(
    parts: Parts,
    log: Log,
    genesis: Mapping[str, JSON],
    blobs: Mapping[str, bytes],
    *,
    guarded: bool,
    resume: bool = False,
    guard: Guard | None = None,
    live: ChatModel | None = None,
    market: Market | None = None,
) -> Session:
    """A fund over ``parts`` whose first record is ``genesis``.

    Args:
        guard: the guard made from the mandate, if there is one already.
        live: answers in place of the cassette; for recording one.
        market: real venues and their bars, in the place of the run file's simulation.
    """
    recorder = Recorder(log, resume=resume)
    for body in blobs.values():
        recorder.blob(body)
    recorder.append(genesis)
    recorder.barrier()
    history = History(parts.instruments)
    for row in parts.before.rows():
        history.append(*row)
    ledger = Ledger(parts.currency, {i.symbol: i for i in parts.instruments})
    for venue, cash in parts.capital().items():
        ledger.deposit(parts.currency, cash, venue, f"capital {venue}")
    provenance = Provenance(
        {name: genesis[name] for name in ("fund", "mandate", "code", "lock", "strategy", "data")},
        REPLAY_SECRET,
    )
    commitments = Commitments(recorder, provenance)
    cassette = None if live is not None else parts.cassette()
    answers = live if live is not None else cassette
    model = None if answers is None else CommittedModel(answers, commitments, recorder)
    if guarded and guard is None:
        guard = Guard(parts.mandate)
    gate: Gate = guard if guard is not None else Unguarded(parts.mandate.costs)
    # A limit of the whole mark is no limit: the twin's machine only keeps NAV and mark.
    strategy = parts.strategy(model) if market is None else market.routed(parts.strategy(model))
    limit = parts.mandate.drawdown.limit if guarded else Fraction(1)
    floor = parts.floor() if guarded else NO_FLOOR
    journal = Journal(recorder, str(genesis["mandate"]))
    monitor = Monitor(parts.mandate, [i.symbol for i in parts.instruments])
    fund = Fund(
        feed=parts.test.rows() if market is None else market.rows,
        history=history,
        instruments=parts.instruments,
        turn=AgentTurn(strategy, commitments, journal, model),
        cadence=parts.cadence(),
        gate=gate,
        guard=guard,
        machine=Machine(limit, parts.cash, floor),
        ledger=ledger,
        desk=Desk(ledger, parts.venues())
        if market is None
        else Desk(ledger, market.venues, market.carriage),
        clearing=ByRule() if market is None else market.clearing,
        terms=parts.terms,
        journal=journal,
        monitor=monitor if guarded else None,
        flows=parts.flows,
        gaps=parts.gaps,
    )
    return Session(fund, ledger, recorder, monitor, cassette)


def require_admits_something(parts: Parts, guard: Guard) -> None:
    """Refuse a mandate under which not even one lot of anything may be bought.

    Raises:
        RunFileError: with the guard's own words for each instrument.
    """
    book, test = parts.book(), parts.test
    prices = {s: test.mark_opens.get(s, opens)[0] for s, opens in test.opens.items()}
    capacity = {s: volumes[0] for s, volumes in test.volumes.items()}
    floor = parts.floor().units
    situation = Situation(book, prices, parts.cash, parts.cash, 0, capacity, floor)
    if guard.look(situation) is None:
        raise RunFileError(
            f"{parts.runfile.mandate.file}: the cash that the fund starts with, where it stands, "
            f"is not within the mandate: {guard.explain(situation).text}"
        )
    reasons = []
    for instrument in parts.instruments:
        price = test.opens[instrument.symbol][0] // instrument.tick * instrument.tick
        leg = Leg(instrument, Side.BUY, instrument.lot, max(price, instrument.tick))
        verdict = guard.judge(Proposal((leg,)), situation)
        if verdict.certified is not None:
            return
        reasons.append(f"  {instrument.symbol}, one lot: {verdict.text}")
    raise RunFileError(
        f"{parts.runfile.mandate.file}: the mandate admits nothing:\n" + "\n".join(reasons)
    )
