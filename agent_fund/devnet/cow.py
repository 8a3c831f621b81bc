"""CoW Protocol on a devnet chain: the real GPv2Settlement, with one solver on its allow list."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from agent_fund.devnet.deploy import Deployer
from agent_fund.execution.evm.abi import call_data

_PACKAGE = "@cowprotocol/contracts"
_FOLDER = "lib/contracts"


@dataclass(frozen=True)
class Cow:
    """Checksum addresses of one deployment; ``solver`` is an account of the node."""

    deployer: Deployer
    settlement: str
    vault_relayer: str
    solver: str


async def deploy_cow(deployer: Deployer, solver: str) -> Cow:
    """The allow list, managed by the deployer, and the settlement."""
    authenticator = await deployer.contract(_PACKAGE, f"{_FOLDER}/GPv2AllowListAuthentication.json")
    manager = call_data("initializeManager(address)", deployer.address)
    await deployer.transact(authenticator, manager)
    # The Balancer vault serves balances inside it only; orders here are of plain ERC-20s.
    settlement = await deployer.contract(
        _PACKAGE, f"{_FOLDER}/GPv2Settlement.json", authenticator, deployer.address
    )
    await deployer.transact(authenticator, call_data("addSolver(address)", solver))
    answer = await deployer.chain.call(settlement, call_data("vaultRelayer()"))
    relayer = to_checksum_address("0x" + answer[-20:].hex())
    return Cow(deployer, settlement, relayer, to_checksum_address(solver))
