"""The strategy: its class, how often it is asked, its parameters, its model's cassette."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from agent_fund.backtest.runfile.section import Section


def _exact(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a strategy decide, so they hold no float, however deep."""
    left = list(parameters.items())
    while left:
        name, value = left.pop()
        if isinstance(value, float):
            raise ValueError(f'{name}: {value!r} is no exact number: write "{value!r}" in quotes')
        if isinstance(value, (dict, list)):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            left += [(f"{name}.{key}", item) for key, item in inner]
    return parameters


class ModelSection(Section):
    """``[strategy.model]``: the language model; its answers are replayed from a cassette."""

    name: str
    cassette: str


class StrategySection(Section):
    """``[strategy]``: a class in a Python file, how often it is asked, and its parameters."""

    file: str
    name: str = Field(alias="class")
    every: str
    parameters: Annotated[dict[str, Any], AfterValidator(_exact)] = Field(default_factory=dict)
    model: ModelSection | None = None
