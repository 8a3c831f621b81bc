"""A NEP-141 fungible token on the loopback chain, with storage registration as NEP-145 has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.devnet.near.contract import Call, Contract, Panic, Promise, amount


def fungible_token(decimals: int, symbol: str) -> Contract:
    """A token; ``mint`` gives the caller as much as it asks for, as a faucet does."""
    metadata = {"spec": "ft-1.0.0", "name": symbol, "symbol": symbol, "decimals": decimals}
    return Contract(
        methods={
            "storage_deposit": _register,
            "mint": _mint,
            "ft_transfer": _transfer,
            "ft_transfer_call": _transfer_call,
            "ft_resolve_transfer": _resolve,
        },
        views={
            "ft_metadata": lambda call, args: metadata,
            "ft_balance_of": lambda call, args: str(call.state.get(args["account_id"], 0)),
            "ft_total_supply": lambda call, args: str(
                sum(units for _, units in call.state.items())
            ),
        },
    )


def _register(call: Call, args: Mapping[str, Any]) -> None:
    account_id = args.get("account_id") or call.predecessor
    if call.state.get(account_id) is None:
        call.state.put(account_id, 0)


def _mint(call: Call, args: Mapping[str, Any]) -> None:
    _register(call, {})
    call.state.put(call.predecessor, call.state.get(call.predecessor) + amount(args["amount"]))


def _move(call: Call, sender: str, receiver: str, units: int) -> None:
    for account_id in (sender, receiver):
        if call.state.get(account_id) is None:
            raise Panic(f"Smart contract panicked: The account {account_id} is not registered")
    if units == 0 or sender == receiver:
        raise Panic("Smart contract panicked: The amount should be a positive number")
    if call.state.get(sender) < units:
        raise Panic("Smart contract panicked: The account doesn't have enough balance")
    call.state.put(sender, call.state.get(sender) - units)
    call.state.put(receiver, call.state.get(receiver) + units)
    call.logs.append(f"Transfer {units} from {sender} to {receiver}")


def _transfer(call: Call, args: Mapping[str, Any]) -> None:
    call.require_one_yocto()
    _move(call, call.predecessor, args["receiver_id"], amount(args["amount"]))


def _transfer_call(call: Call, args: Mapping[str, Any]) -> None:
    call.require_one_yocto()
    receiver, units = args["receiver_id"], amount(args["amount"])
    _move(call, call.predecessor, receiver, units)
    told = {"sender_id": call.predecessor, "amount": str(units), "msg": args["msg"]}
    back = {"sender_id": call.predecessor, "receiver_id": receiver, "amount": str(units)}
    call.promises.append(
        Promise(
            receiver, "ft_on_transfer", told, then=Promise(call.me, "ft_resolve_transfer", back)
        )
    )


def _resolve(call: Call, args: Mapping[str, Any]) -> str:
    call.require_private()
    units, result = int(args["amount"]), call.results[0]
    unused = units if result is None else min(units, int(result.decode().strip('"')))
    if unused:
        _move(call, args["receiver_id"], args["sender_id"], unused)
    return str(units - unused)
