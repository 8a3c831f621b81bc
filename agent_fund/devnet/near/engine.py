"""The verifier's engine: one payload after the other, in the contract's own order of checks."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.devnet.near.contract import Call, Panic, Promise
from agent_fund.devnet.near.matching import Matcher
from agent_fund.devnet.near.payloads import Payload
from agent_fund.devnet.near.state import State

_P = "Smart contract panicked: "
_I128 = 2**127
_VERSIONED = bytes.fromhex("5628f6c600")


@dataclass(frozen=True)
class Fees:
    """``pips`` (1/1,000,000) of what a token_diff gives, rounded up, go to ``collector``."""

    pips: int
    collector: str


class Engine:
    """Executes payloads for one call, and collects what has to be reported of them."""

    def __init__(self, call: Call, fees: Fees, salt: bytes) -> None:
        self._call, self._fees = call, fees
        self.matcher = Matcher()
        self.executed: list[dict[str, str]] = []
        self.salts: tuple[bytes, ...] = call.state.get("salts", (salt,))
        self._burns: list[dict[str, Any]] = []

    @staticmethod
    def add(state: State, owner: str, token: str, units: int) -> None:
        """Raise a balance."""
        state.put(("balance", owner, token), state.get(("balance", owner, token), 0) + units)

    @staticmethod
    def subtract(state: State, owner: str, token: str, units: int) -> None:
        """Lower a balance.

        Raises:
            Panic: if it is too small.
        """
        left = state.get(("balance", owner, token), 0) - units
        if left < 0:
            raise Panic(_P + "insufficient balance or overflow")
        state.put(("balance", owner, token), left or None)

    def new_salt(self) -> None:
        """A new current salt; the one before stays valid."""
        seed = b"".join(self.salts) + struct.pack("<q", self._call.now_ns)
        self.salts = (*self.salts, hashlib.sha256(seed).digest()[:4])
        self._call.state.put("salts", self.salts)

    def invalidate_salts(self, salts: Collection[bytes]) -> None:
        """Make ``salts`` invalid for good; a new one follows if the current one is among them."""
        if self.salts[-1] in salts:
            self.new_salt()
        self.salts = tuple(salt for salt in self.salts if salt not in salts)
        self._call.state.put("salts", self.salts)

    def clean(self, account: str, nonce: bytes) -> None:
        """Forget the used nonces that share all but the last byte, if this one can be cleaned."""
        if nonce[:5] != _VERSIONED or (
            nonce[5:9] in self.salts and _deadline_ns(nonce) >= self._call.now_ns
        ):
            return
        state = self._call.state
        for key in [key for key, _ in state.items() if key[:2] == ("nonce", account)]:
            if key[2][:-1] == nonce[:-1]:
                state.put(key, None)

    def execute(self, payload: Payload) -> None:
        """Check ``payload``, use its nonce up, and do what it says.

        Raises:
            Panic: with the contract's message.
        """
        call, signer = self._call, payload.signer_id
        if payload.contract_id != call.me:
            raise Panic(_P + "wrong verifying_contract")
        if payload.deadline_ns < call.now_ns:
            raise Panic(_P + "deadline has expired")
        if not call.state.get(("key", signer, payload.public_key)):
            raise Panic(
                f"{_P}public key '{payload.public_key}' doesn't exist for account '{signer}'"
            )
        self._check_nonce(payload)
        key = ("nonce", signer, payload.nonce)
        if call.state.get(key):
            raise Panic(_P + "nonce was already used")
        call.state.put(key, True)
        for intent in payload.intents:
            self._execute(signer, payload.hash, intent)
        self.executed.append(
            {
                "intent_hash": payload.hash,
                "account_id": signer,
                "nonce": base64.b64encode(payload.nonce).decode(),
            }
        )

    def report_executed(self) -> None:
        """Log the payloads executed so far, those before a failing one too."""
        if self.executed:
            self._call.event("dip4", "0.3.1", "intents_executed", self.executed)

    def report_moved(self, moved: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
        """Log who gave what to whom, and then what was withdrawn."""
        if moved:
            data = [
                {
                    "old_owner_id": giver,
                    "new_owner_id": receiver,
                    "token_ids": list(tokens),
                    "amounts": [str(units) for units in tokens.values()],
                }
                for (giver, receiver), tokens in moved.items()
            ]
            self._call.event("nep245", "1.0.0", "mt_transfer", data)
        if self._burns:
            self._call.event("nep245", "1.0.0", "mt_burn", self._burns)

    def _check_nonce(self, payload: Payload) -> None:
        if payload.nonce[:5] != _VERSIONED:
            return
        deadline_ns = _deadline_ns(payload.nonce)
        if payload.nonce[5:9] not in self.salts:
            raise Panic(_P + "invalid salt")
        if payload.deadline_ns > deadline_ns:
            raise Panic(_P + "deadline is greater than nonce")
        if deadline_ns < self._call.now_ns:
            raise Panic(_P + "nonce was already expired")

    def _execute(self, signer: str, digest: str, intent: Mapping[str, Any]) -> None:
        match intent.get("intent"):
            case "token_diff":
                self._token_diff(signer, digest, intent)
            case "transfer":
                self._transfer(signer, digest, intent)
            case "ft_withdraw":
                self._withdraw(signer, digest, intent)
            case "add_public_key":
                self._call.state.put(("key", signer, intent["public_key"]), True)
            case "remove_public_key":
                self._call.state.put(("key", signer, intent["public_key"]), None)
            case other:
                raise Panic(f"{_P}JSON: unknown variant `{other}`")

    def _change(self, owner: str, token: str, delta: int) -> None:
        if delta == 0:
            raise Panic(_P + "invalid intent")
        if delta < 0:
            self.subtract(self._call.state, owner, token, -delta)
        else:
            self.add(self._call.state, owner, token, delta)
        self.matcher.change(owner, token, delta)

    def _token_diff(self, signer: str, digest: str, intent: Mapping[str, Any]) -> None:
        diff = {token: _int(text) for token, text in sorted(intent["diff"].items())}
        if not diff:
            raise Panic(_P + "invalid intent")
        fees: dict[str, int] = {}
        for token, delta in diff.items():
            self._change(signer, token, delta)
            fee = self._fee(token, -delta) if delta < 0 else 0
            if fee:
                fees[token] = fee
        data: dict[str, Any] = {"intent_hash": digest, "account_id": signer}
        data["diff"] = {token: str(delta) for token, delta in diff.items()}
        data |= {
            name: intent[name] for name in ("memo", "referral") if intent.get(name) is not None
        }
        if fees:
            data["fees_collected"] = {token: str(fee) for token, fee in fees.items()}
        self._call.event("dip4", "0.3.0", "token_diff", [data])
        for token, fee in fees.items():
            self._change(self._fees.collector, token, fee)

    def _fee(self, token: str, given: int) -> int:
        standard = token.split(":", 1)[0]
        if standard == "nep171" or (standard == "nep245" and given <= 1):
            return 0
        return -(-given * self._fees.pips // 1_000_000)

    def _transfer(self, signer: str, digest: str, intent: Mapping[str, Any]) -> None:
        receiver = intent["receiver_id"]
        tokens = {token: _int(text) for token, text in sorted(intent["tokens"].items())}
        if signer == receiver or not tokens or min(tokens.values()) < 0:
            raise Panic(_P + "invalid intent")
        data: dict[str, Any] = {"intent_hash": digest, "account_id": signer}
        data["receiver_id"] = receiver
        data["tokens"] = {token: str(units) for token, units in tokens.items()}
        if intent.get("memo") is not None:
            data["memo"] = intent["memo"]
        self._call.event("dip4", "0.3.0", "transfer", [data])
        for token, units in tokens.items():
            self._change(signer, token, -units)
        for token, units in tokens.items():
            self._change(receiver, token, units)

    def _withdraw(self, signer: str, digest: str, intent: Mapping[str, Any]) -> None:
        known = {"intent", "token", "receiver_id", "amount", "memo"}
        if unknown := set(intent) - known:
            raise Panic(f"{_P}{', '.join(sorted(unknown))} of ft_withdraw is not known here")
        told = ("token", "receiver_id", "amount", "memo")
        said = {name: intent[name] for name in told if intent.get(name) is not None}
        self._call.event(
            "dip4", "0.3.0", "ft_withdraw", [{"intent_hash": digest, "account_id": signer, **said}]
        )
        units = _int(intent["amount"])
        if units <= 0:
            raise Panic(_P + "invalid intent")
        token = f"nep141:{intent['token']}"
        self.subtract(self._call.state, signer, token, units)
        self._burns.append(
            {
                "owner_id": signer,
                "token_ids": [token],
                "amounts": [str(units)],
                "memo": "withdraw",
            }
        )
        back = {"token": intent["token"], "sender_id": signer, "amount": str(units)}
        self._call.promises.append(
            Promise(
                intent["token"],
                "ft_transfer",
                {"receiver_id": intent["receiver_id"], "amount": str(units)},
                1,
                Promise(self._call.me, "ft_resolve_withdraw", back),
            )
        )


def _deadline_ns(nonce: bytes) -> int:
    return int.from_bytes(nonce[9:17], "little", signed=True)


def _int(text: Any) -> int:
    if not isinstance(text, str):
        raise Panic(f"{_P}JSON: invalid type: {text!r}")
    try:
        value = int(text)
    except ValueError:
        raise Panic(f"{_P}JSON: invalid digit in {text!r}") from None
    if not -_I128 <= value < _I128:
        raise Panic(f"{_P}JSON: {text} is out of range")
    return value
