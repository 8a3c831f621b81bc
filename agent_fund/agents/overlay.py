"""A language model above a strategy that is code: from time to time it says how much of it to run.

It is told of the market alone, in exact integers turned to text, so that a question is the same
bytes on every machine and for every book. Its answer scales a target; it chooses no instrument and
no direction.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Protocol, cast

from pydantic import Field

from agent_fund.agents.chat import ChatModel
from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.language_model import Answer, LanguageModelStrategy
from agent_fund.agents.loading import build
from agent_fund.agents.sizing import share
from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.market.snapshot import Snapshot

DAY = 86_400_000
_MONDAY = 3  # days from a Monday to the epoch, a Thursday


class Scaled(Protocol):
    """A strategy whose target is multiplied by ``scale``, from 0 to 1."""

    scale: Fraction

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """As of every strategy."""
        ...


class Stance(Answer):
    """The model's answer. The reasoning is first, so that the decision follows from it."""

    view: Annotated[str, Field(max_length=120)]
    stance: Literal["full", "half", "none"]


class Overlay(LanguageModelStrategy[Stance]):
    """Asks at the first decision of each period; what it last said holds until the next answer.

    A model that fails makes it abstain once and changes nothing. Write ``context`` without a look
    at the book: then a recording of one run serves every other run over the same bars.

    Args:
        strategy: the class of what is scaled; it starts at ``half``.
        full, half, none: the scale that each stance means, as a share.
        ask_every: days in a period, counted from a Monday, UTC; 7 are ISO weeks.
        parameters: what ``strategy`` takes.
    """

    answer_model = Stance

    def __init__(
        self,
        model: ChatModel,
        model_name: str,
        prompt: Path,
        strategy: type[Scaled],
        *,
        temperature: str = "0",
        seed: int = 0,
        max_tokens: int = 120,
        full: Exact = "100%",
        half: Exact = "50%",
        none: Exact = "0%",
        ask_every: int = 7,
        **parameters: object,
    ) -> None:
        super().__init__(
            model, model_name, prompt, temperature=temperature, seed=seed, max_tokens=max_tokens
        )
        self.scales = {
            "full": share(full, "full"),
            "half": share(half, "half"),
            "none": share(none, "none"),
        }
        self.strategy = cast(Scaled, build(strategy, parameters))
        self.strategy.scale = self.scales["half"]
        self._ask_every = integer(ask_every, "ask_every")
        self._period = -1

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """What the strategy proposes at the scale in force, after asking if a period began.

        Raises:
            Abstain: the model failed, or too little is known to ask it.
        """
        period = (snapshot.time // DAY + _MONDAY) // self._ask_every
        if period == self._period:
            return self.strategy.decide(snapshot, book)
        # Before the question: one that fails is not repeated at the next bar.
        self._period = period
        return super().decide(snapshot, book)

    def proposal(self, answer: Stance, snapshot: Snapshot, book: Book) -> Proposal:
        """The strategy's proposal at the new scale, with the model's words."""
        self.strategy.scale = self.scales[answer.stance]
        found = self.strategy.decide(snapshot, book)
        return replace(
            found, reason="; ".join(filter(None, (f"{answer.stance}: {answer.view}", found.reason)))
        )


def integer(value: object, subject: str, least: int = 1) -> int:
    """``value`` if it is an integer of at least ``least``.

    Raises:
        ConfigurationError: for anything else.
    """
    if type(value) is not int or value < least:
        fix = f"write an integer of at least {least}"
        raise ConfigurationError(subject, f"{value!r} is refused; {fix}")
    return value
