"""The agent's turn: it is asked, and what it answers is committed and recorded.

An agent has no answer when its model fails: it abstains, which is recorded with the reason. A
strategy that is code and holds leaves no record but its bar's own mark. What a strategy raises by
a defect of its own is a ``StrategyFailed``: it stops a backtest, and in a live run, where nothing
that an agent does may leave the fund without its guard, it is an abstention.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_fund.agents.errors import Abstain
from agent_fund.agents.strategy import Strategy, proposed
from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.fund.committed import Commitments, CommittedModel, RecordFailed
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
            StrategyFailed: for whatever the strategy raises but Abstain, and for what is no
                proposal of this fund; see ``proposed``.
            AuditError, ExecutionError, sqlite3.Error: what it said could not be written down, or
                the run made again is another one.
        """
        commitments = self._commitments
        commitments.begin(bar, snapshot.time)
        if self._model is not None:
            self._model.snapshot_digest = snapshot.digest()
        try:
            proposal = proposed(self._strategy, snapshot, book)
        except Abstain as abstained:
            self._journal.abort(bar, commitments.intent, abstained.reason)
            return None
        except RecordFailed as failed:
            raise failed.cause from None
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
