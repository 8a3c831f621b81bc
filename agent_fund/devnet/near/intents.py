"""The NEAR Intents verifier on the loopback chain, version 0.4.1's behaviour in native Python.

Known intents: token_diff, transfer, ft_withdraw (without messages and storage deposits),
add_public_key, remove_public_key. Errors, events, failed receipts and balances are the real
contract's in the 17 recorded cases; only the order of the transfers inside one mt_transfer event
is this one's own, since the real contract's follows a hash map.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from agent_fund.devnet.near.contract import Call, Contract, Panic, amount, compact
from agent_fund.devnet.near.engine import Engine, Fees
from agent_fund.devnet.near.matching import Unmatched
from agent_fund.devnet.near.payloads import read


def verifier(fee_pips: int, fee_collector: str, salt: bytes) -> Contract:
    """The contract; ``fee_collector`` may also rotate the salt and clean nonces."""
    fees = Fees(fee_pips, fee_collector)

    def execute(call: Call, args: Mapping[str, Any]) -> None:
        engine = Engine(call, fees, salt)
        try:
            for signed in args["signed"]:
                engine.execute(read(signed))
        finally:
            engine.report_executed()
        try:
            moved = engine.matcher.transfers()
        except Unmatched as unmatched:
            raise Panic(
                "Smart contract panicked: invariant violated: " + compact(_violated(unmatched))
            ) from None
        engine.report_moved(moved)

    def simulate(call: Call, args: Mapping[str, Any]) -> dict[str, Any]:
        engine = Engine(call, fees, salt)
        payloads = [read(signed) for signed in args["signed"]]
        for payload in payloads:
            engine.execute(payload)
        answer: dict[str, Any] = {"intents_executed": engine.executed}
        engine.report_executed()
        answer["logs"] = list(call.logs)
        answer["min_deadline"] = str(min((p.deadline_ns for p in payloads), default=0))
        try:
            engine.matcher.transfers()
        except Unmatched as unmatched:
            answer["invariant_violated"] = _violated(unmatched)
        answer["state"] = {"fee": fee_pips, "current_salt": engine.salts[-1].hex()}
        return answer

    def rotate(call: Call, args: Mapping[str, Any]) -> str:
        call.require_one_yocto()
        if call.predecessor != fee_collector:
            raise Panic("Smart contract panicked: Insufficient permissions")
        engine = Engine(call, fees, salt)
        if "salts" in args:
            engine.invalidate_salts([bytes.fromhex(old) for old in args["salts"]])
        else:
            engine.new_salt()
        return engine.salts[-1].hex()

    def clean(call: Call, args: Mapping[str, Any]) -> None:
        if call.predecessor != fee_collector:
            raise Panic("Insufficient permissions for method cleanup_nonces")
        call.require_one_yocto()
        engine = Engine(call, fees, salt)
        for account, nonces in args["nonces"]:
            for nonce in nonces:
                engine.clean(account, base64.b64decode(nonce))

    return Contract(
        methods={
            "execute_intents": execute,
            "update_current_salt": rotate,
            "invalidate_salts": rotate,
            "cleanup_nonces": clean,
            "add_public_key": _add_key,
            "remove_public_key": _remove_key,
            "ft_on_transfer": _deposit,
            "ft_resolve_withdraw": _resolve_withdraw,
            "mt_transfer": _mt_transfer,
        },
        views={
            "simulate_intents": simulate,
            "current_salt": lambda call, args: Engine(call, fees, salt).salts[-1].hex(),
            "is_valid_salt": lambda call, args: (
                bytes.fromhex(args["salt"]) in Engine(call, fees, salt).salts
            ),
            "is_nonce_used": lambda call, args: bool(
                call.state.get(("nonce", args["account_id"], base64.b64decode(args["nonce"])))
            ),
            "has_public_key": lambda call, args: bool(
                call.state.get(("key", args["account_id"], args["public_key"]))
            ),
            "fee": lambda call, args: fee_pips,
            "fee_collector": lambda call, args: fee_collector,
            "mt_balance_of": lambda call, args: str(
                call.state.get(("balance", args["account_id"], args["token_id"]), 0)
            ),
            "mt_batch_balance_of": lambda call, args: [
                str(call.state.get(("balance", args["account_id"], token), 0))
                for token in args["token_ids"]
            ],
        },
    )


def _violated(unmatched: Unmatched) -> dict[str, Any]:
    deltas = {token: str(units) for token, units in sorted(unmatched.deltas.items())}
    return {"error": "unmatched_deltas", "unmatched_deltas": deltas}


def _add_key(call: Call, args: Mapping[str, Any]) -> None:
    call.require_one_yocto()
    call.state.put(("key", call.predecessor, args["public_key"]), True)


def _remove_key(call: Call, args: Mapping[str, Any]) -> None:
    call.require_one_yocto()
    call.state.put(("key", call.predecessor, args["public_key"]), None)


def _deposit(call: Call, args: Mapping[str, Any]) -> str:
    token, units = f"nep141:{call.predecessor}", amount(args["amount"])
    owner = args["msg"] or args["sender_id"]
    Engine.add(call.state, owner, token, units)
    data = {"owner_id": owner, "token_ids": [token], "amounts": [str(units)], "memo": "deposit"}
    call.event("nep245", "1.0.0", "mt_mint", [data])
    return "0"


def _resolve_withdraw(call: Call, args: Mapping[str, Any]) -> str:
    call.require_private()
    if call.results[0] is not None:
        return str(args["amount"])
    token, owner = f"nep141:{args['token']}", args["sender_id"]
    Engine.add(call.state, owner, token, int(args["amount"]))
    back = {
        "owner_id": owner,
        "token_ids": [token],
        "amounts": [args["amount"]],
        "memo": "refund",
    }
    call.event("nep245", "1.0.0", "mt_mint", [back])
    return "0"


def _mt_transfer(call: Call, args: Mapping[str, Any]) -> None:
    call.require_one_yocto()
    sender, receiver = call.predecessor, args["receiver_id"]
    token, units = args["token_id"], amount(args["amount"])
    if sender == receiver or units == 0:
        raise Panic("Smart contract panicked: invalid intent")
    Engine.subtract(call.state, sender, token, units)
    Engine.add(call.state, receiver, token, units)
    data = {
        "old_owner_id": sender,
        "new_owner_id": receiver,
        "token_ids": [token],
        "amounts": [str(units)],
    }
    if args.get("memo") is not None:
        data["memo"] = args["memo"]
    call.event("nep245", "1.0.0", "mt_transfer", [data])
