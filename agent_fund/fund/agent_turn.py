"""The agent's turn: it is asked, and what it answers is committed and recorded.

An agent has no answer when its model fails: it abstains, which is recorded with the reason. A
strategy that is code and holds leaves no record but its bar's own mark.
"""

from __future__ import annotations

from typing import NamedTuple

from agent_fund.agents.errors import Abstain, ConfigurationError
from agent_fund.agents.strategy import Strategy
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Proposal
from agent_fund.fund.committed import Commitments, CommittedModel
from agent_fund.fund.journal import Journal
from agent_fund.market.snapshot import Snapshot


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
            DomainError: for a leg in an instrument that is not the fund's own.
            ConfigurationError: if the strategy gives anything but a Proposal.
        """
        commitments = self._commitments
        commitments.begin(bar, snapshot.time)
        if self._model is not None:
            self._model.snapshot_digest = snapshot.digest()
        try:
            proposal = self._strategy.decide(snapshot, book)
        except Abstain as abstained:
            self._journal.abort(bar, commitments.intent, abstained.reason)
            return None
        if not isinstance(proposal, Proposal):
            name = type(self._strategy).__name__
            raise ConfigurationError(
                f"strategy {name}", f"decide gave {proposal!r}; return a Proposal, or HOLD"
            )
        intent = commitments.intent
        if proposal.holds and intent is None:
            return None
        for leg in proposal.legs:
            if book.instrument(leg.instrument.symbol) != leg.instrument:
                raise DomainError("instrument", leg.instrument, "it is not the fund's own")
        if intent is None:
            intent = commitments.intend(snapshot.digest(), {})
        made = self._journal.proposal(bar, intent, proposal)
        return None if proposal.holds else Asked(proposal, intent, made)
