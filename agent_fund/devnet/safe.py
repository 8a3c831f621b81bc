"""A Safe on a development chain: the real Safe 1.4.1, one owner, the VerdictModule enabled.

The owner is an account that the node signs for, and it sends the Safe's transactions itself, so
the Safe takes the sender's own approval (a signature with v = 1) and no key is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from agent_fund.devnet.deploy import Deployer
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.evm.abi import call_data, topic
from agent_fund.execution.evm.call import NOTHING
from agent_fund.execution.evm.receipt import Receipt

_PACKAGE = "@safe-global/safe-contracts"
_BASE = "build/artifacts/contracts"
_CREATED = topic("ProxyCreation(address,address)")
_CALL = 0  # the operation; 1 would be a delegatecall


@dataclass(frozen=True)
class Roles:
    """Who may do what with the module: checksum addresses, and the hash of the mandate in force.

    Attributes:
        pauser: may stop it, and not resume; NOTHING: only the Safe can.
    """

    guard: str
    executor: str
    pauser: str
    mandate_hash: bytes


@dataclass(frozen=True)
class Safe:
    """A Safe with its one owner and its module."""

    owner: str
    address: str
    module: str


async def deploy_safe(deployer: Deployer, roles: Roles, salt: int = 1) -> Safe:
    """The singleton, the factory, a proxy owned by the deployer, and its module, enabled."""
    singleton = await deployer.contract(_PACKAGE, f"{_BASE}/Safe.sol/Safe.json")
    factory = await deployer.contract(
        _PACKAGE, f"{_BASE}/proxies/SafeProxyFactory.sol/SafeProxyFactory.json"
    )
    handler = await deployer.contract(
        _PACKAGE,
        f"{_BASE}/handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json",
    )
    setup = call_data(
        "setup(address[],uint256,address,bytes,address,address,uint256,address)",
        *([deployer.address], 1, NOTHING, b"", handler, NOTHING, 0, NOTHING),
    )
    create = "createProxyWithNonce(address,bytes,uint256)"
    done = await deployer.transact(factory, call_data(create, singleton, setup, salt))
    created = next(log for log in done.logs if log.topics[0] == _CREATED)
    address = to_checksum_address("0x" + created.topics[1][-40:])
    module = await deploy_module(deployer, address, roles)
    safe = Safe(deployer.address, address, module)
    await run_by_safe(deployer, safe, address, call_data("enableModule(address)", module))
    return safe


async def deploy_module(deployer: Deployer, safe: str, roles: Roles) -> str:
    """A VerdictModule for the Safe at ``safe``, not enabled yet; its checksum address."""
    found = artifact("VerdictModule")
    code = "0x" + found.bytecode.hex()
    given = (safe, roles.guard, roles.executor, roles.pauser, roles.mandate_hash)
    return await deployer.creation("VerdictModule", list(found.abi), code, *given)


async def run_by_safe(
    deployer: Deployer, safe: Safe, to: str, data: bytes, value: int = 0
) -> Receipt:
    """A transaction that the Safe's owner makes it send.

    Raises:
        DevnetError: if it reverts.
    """
    execution = owners_execution(safe, to, data, value)
    return await deployer.transact(safe.address, execution, sender=safe.owner)


def owners_execution(safe: Safe, to: str, data: bytes, value: int = 0) -> bytes:
    """The calldata of ``execTransaction`` that the owner, and nobody else, can send."""
    approval = encode(["address", "uint256"], [safe.owner, 0]) + b"\x01"
    return call_data(
        "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
        *(to, value, data, _CALL, 0, 0, 0, NOTHING, NOTHING, approval),
    )
