"""The agent's turn: it is asked, and what it answers is committed and recorded.

An agent has no answer when its model fails: it abstains, which is recorded with the reason. A
strategy that is code and holds leaves no record but its bar's own mark. What a strategy raises by
a defect of its own is a ``StrategyFailed``: it stops a backtest, and in a live run, where nothing
that an agent does may leave the fund without its guard, it is an abstention.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from agent_fund.agents.errors import Abstain, ConfigurationError
from agent_fund.agents.strategy import Strategy
from agent_fund.audit.errors import AuditError
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Proposal
from agent_fund.fund.committed import Commitments, CommittedModel
from agent_fund.fund.journal import Journal
from agent_fund.market.snapshot import Snapshot


class StrategyFailed(Exception):  # noqa: N818 - what came of a turn, for whoever must go on
    """A strategy raised what it may not raise, or gave no proposal; the cause is chained."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.cause = cause


class Asked(NamedTuple):
    """A proposal of something, and the records that it rests on, by index."""

    proposal: Proposal
    intent: int
    made: int


class AgentTurn:
    """One strategy, with the model that it may ask."""

    def __init__(
        self,
        strategy: Strategy,
        commitments: Commitments,
        journal: Journal,
        model: CommittedModel | None = None,
    ) -> None:
        self._strategy = strategy
        self._commitments = commitments
        self._journal = journal
        self._model = model

    def ask(self, bar: int, snapshot: Snapshot, book: Book) -> Asked | None:
        """What the agent proposes at the close of ``bar``; None if it holds or abstains.

        Raises:
            StrategyFailed: for whatever the strategy raises but Abstain, a leg in an instrument
                that is not the fund's own (DomainError), anything but a Proposal
                (ConfigurationError), and for an attempt to end the program.
        """
        commitments = self._commitments
        commitments.begin(bar, snapshot.time)
        if self._model is not None:
            self._model.snapshot_digest = snapshot.digest()
        try:
            proposal = self._proposed(snapshot, book)
        except Abstain as abstained:
            self._journal.abort(bar, commitments.intent, abstained.reason)
            return None
        except (AuditError, sqlite3.Error):
            raise  # the log's own: it was written while the model was asked
        except Exception as error:
            raise StrategyFailed(error) from error
        intent = commitments.intent
        if proposal.holds and intent is None:
            return None
        if intent is None:
            intent = commitments.intend(snapshot.digest(), {})
        made = self._journal.proposal(bar, intent, proposal)
        return None if proposal.holds else Asked(proposal, intent, made)

    def failed(self, bar: int, failure: StrategyFailed) -> None:
        """Record the turn of a strategy that failed as an abstention.

        Only the kind of the failure: its words may hold what no second run would say again.
        """
        kind = type(failure.cause).__name__
        self._journal.abort(bar, self._commitments.intent, f"the strategy failed with {kind}")

    def _proposed(self, snapshot: Snapshot, book: Book) -> Proposal:
        name = f"strategy {type(self._strategy).__name__}"
        try:
            proposal = self._strategy.decide(snapshot, book)
        except SystemExit as error:
            raise ConfigurationError(name, f"it ends the program: SystemExit({error})") from error
        if not isinstance(proposal, Proposal):
            problem = f"decide gave {proposal!r}; return a Proposal, or HOLD"
            raise ConfigurationError(name, problem)
        for leg in proposal.legs:
            if book.instrument(leg.instrument.symbol) != leg.instrument:
                raise DomainError("instrument", leg.instrument, "it is not the fund's own")
        return proposal
