"""The Uniswap deployment that a connection names: one for the adapter and the guard's side."""

from __future__ import annotations

from agent_fund.execution.evm.amm import Amm
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.evm.uniswap_v3 import UniswapV3
from agent_fund.paper.connections import UniswapSpec


def amm_of(spec: UniswapSpec) -> Amm:
    """The contracts of ``spec``."""
    if spec.kind == "uniswap_v2":
        return UniswapV2(spec.router)
    return UniswapV3(spec.router, spec.quoter, spec.fee)
