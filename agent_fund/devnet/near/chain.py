"""The loopback chain: accounts, access keys, blocks, and receipts with their rollback.

Every transaction is one block. Checked as on NEAR: the Ed25519 signature over the hash, the access
key, its nonce (larger than the last), and that the block hash is known and not too old. Left out
on purpose: gas and its price, storage staking, shards, epochs.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import base58
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from agent_fund.devnet.near.blocks import (
    Account,
    Block,
    Executed,
    InvalidTransaction,
    Outcome,
)
from agent_fund.devnet.near.borsh import AddKey, DeleteKey, FunctionCall, Transaction, Transfer
from agent_fund.devnet.near.contract import Call, Contract, Panic, Promise, compact

TRANSACTION_BLOCKS = 86_400


@dataclass
class _Receipt:
    receipt_id: str
    predecessor: str
    receiver: str
    signer: str
    actions: tuple[Any, ...]
    results: tuple[bytes | None, ...] = ()
    then: Promise | None = None
    then_from: str = ""


class Chain:
    """One chain, from its first block.

    Args:
        clock: nanoseconds since 1970; the tests' own, or the machine's.
        lag: how many blocks the final head is behind the newest.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns, *, lag: int = 0) -> None:
        self.accounts: dict[str, Account] = {}
        self.executed: dict[str, Executed] = {}
        self.clock = clock
        self.lag = lag
        self._receipts = 0
        genesis = hashlib.sha256(b"a chain on loopback").digest()
        self.blocks = [Block(0, genesis, clock(), None, {}, {})]
        self._heights = {genesis: 0}

    def create(
        self, account_id: str, *, keys: tuple[bytes, ...] = (), contract: Contract | None = None
    ) -> Account:
        """A new account with 1,000 NEAR; ``keys`` have full access."""
        nonces = {key: len(self.blocks) * 1_000_000 for key in keys}
        account = Account(1_000 * 10**24, nonces, contract)
        self.accounts[account_id] = account
        return account

    @property
    def head(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        """The newest block that nothing takes back."""
        return self.blocks[max(0, len(self.blocks) - 1 - self.lag)]

    def block_of(self, digest: bytes) -> Block | None:
        """The block of that hash."""
        height = self._heights.get(digest)
        return None if height is None else self.blocks[height]

    def advance(self, blocks: int = 1) -> None:
        """Make blocks without transactions, at the clock's time."""
        for _ in range(blocks):
            self._seal(None)

    def view(self, account_id: str, method: str, args: bytes, block: Block) -> bytes:
        """The answer of a view as of ``block``.

        Raises:
            Panic: as the contract does.
        """
        account = self.accounts[account_id]
        if account.contract is None:
            raise Panic("CodeDoesNotExist")
        state = account.state
        if block is not self.head and account_id in block.marks:
            state = state.at(block.marks[account_id])
        mark = state.mark()
        call = Call(state, account_id, account_id, account_id, 0, block.time_ns)
        try:
            return _encode(account.contract.run(call, method, args, view=True))
        finally:
            state.undo(mark)

    def apply(self, transaction: Transaction) -> Executed:
        """Check and run a transaction; the same one twice gives the first result again.

        Raises:
            InvalidTransaction: if it may not run; nothing has changed then.
        """
        digest = hashlib.sha256(transaction.body).digest()
        known = self.executed.get(base58.b58encode(digest).decode())
        if known is not None:
            return known
        self._check(transaction, digest)
        account = self.accounts[transaction.signer_id]
        account.keys[transaction.public_key] = transaction.nonce
        return self._run(
            transaction, base58.b58encode(digest).decode(), self._next_id(), transaction.actions
        )

    def call(
        self, signer: str, receiver: str, method: str, args: Any, deposit: int = 0
    ) -> Executed:
        """Run a call without a signature; for setting the devnet up."""
        action = FunctionCall(method, compact(args).encode(), 0, deposit)
        key = self._next_id()
        made = Transaction(signer, b"", 0, receiver, b"", (action,), key.encode(), b"")
        return self._run(made, key, self._next_id(), made.actions)

    def _check(self, transaction: Transaction, digest: bytes) -> None:
        signer = transaction.signer_id
        account = self.accounts.get(signer)
        if account is None:
            raise InvalidTransaction({"SignerDoesNotExist": {"signer_id": signer}})
        last = account.keys.get(transaction.public_key)
        if last is None:
            missing = {"AccessKeyNotFound": {"account_id": signer}}
            raise InvalidTransaction({"InvalidAccessKeyError": missing})
        try:
            VerifyKey(transaction.public_key).verify(digest, transaction.signature)
        except BadSignatureError:
            raise InvalidTransaction("InvalidSignature") from None
        if transaction.nonce <= last:
            raise InvalidTransaction(
                {"InvalidNonce": {"tx_nonce": transaction.nonce, "ak_nonce": last}}
            )
        made_at = self._heights.get(transaction.block_hash, -TRANSACTION_BLOCKS - 1)
        if self.head.height - made_at > TRANSACTION_BLOCKS:
            raise InvalidTransaction("Expired")
        cost = sum(getattr(action, "deposit", 0) for action in transaction.actions)
        if account.balance < cost:
            raise InvalidTransaction(
                {"NotEnoughBalance": {"signer_id": signer, "balance": str(account.balance)}}
            )

    def _run(
        self, transaction: Transaction, digest: str, first: str, actions: tuple[Any, ...]
    ) -> Executed:
        signer = transaction.signer_id
        self.accounts[signer].balance -= sum(getattr(a, "deposit", 0) for a in actions)
        self._seal(digest)
        waiting = [_Receipt(first, signer, transaction.receiver_id, signer, actions)]
        outcomes: list[Outcome] = []
        while waiting:
            receipt = waiting.pop(0)
            outcome, made, result = self._execute(receipt)
            outcomes.append(outcome)
            waiting += made
            if receipt.then is not None:
                waiting.append(self._callback(receipt, result))
        head = self.head
        self.blocks[-1] = Block(head.height, head.hash, head.time_ns, digest, *self._state())
        done = Executed(transaction, digest, head.height, tuple(outcomes))
        self.executed[digest] = done
        return done

    def _callback(self, receipt: _Receipt, result: bytes | None) -> _Receipt:
        then = receipt.then
        assert then is not None  # noqa: S101 - the caller has asked
        action = FunctionCall(then.method, compact(then.args).encode(), 0, then.deposit)
        made = _Receipt(
            self._next_id(), receipt.then_from, then.receiver, receipt.signer, (action,), (result,)
        )
        made.then, made.then_from = then.then, receipt.then_from
        return made

    def _execute(self, receipt: _Receipt) -> tuple[Outcome, list[_Receipt], bytes | None]:
        account = self.accounts.get(receipt.receiver)
        deposit = sum(getattr(action, "deposit", 0) for action in receipt.actions)
        logs: list[str] = []
        made: list[_Receipt] = []
        value: Any = b""
        mark, balance = (0, 0) if account is None else (account.state.mark(), account.balance)
        try:
            if account is None:
                raise Panic(f"AccountDoesNotExist: {receipt.receiver}")
            for action in receipt.actions:
                value = self._act(account, action, receipt, logs, made)
            account.balance += deposit
        except Panic as panic:
            if account is not None:
                account.state.undo(mark)
                account.balance = balance
            self.accounts[receipt.predecessor].balance += deposit
            reason = {"FunctionCallError": {"ExecutionError": str(panic)}}
            failure = {"Failure": {"ActionError": {"index": 0, "kind": reason}}}
            outcome = Outcome(receipt.receipt_id, receipt.receiver, failure, tuple(logs), ())
            return outcome, [], None
        children = tuple(child.receipt_id for child in made)
        status = {"SuccessValue": base64.b64encode(_encode(value)).decode()}
        outcome = Outcome(receipt.receipt_id, receipt.receiver, status, tuple(logs), children)
        return outcome, made, _encode(value)

    def _act(
        self,
        account: Account,
        action: Any,
        receipt: _Receipt,
        logs: list[str],
        made: list[_Receipt],
    ) -> Any:
        if isinstance(action, Transfer):
            return b""
        if isinstance(action, AddKey):
            account.keys[action.public_key] = len(self.blocks) * 1_000_000
            return b""
        if isinstance(action, DeleteKey):
            account.keys.pop(action.public_key, None)
            return b""
        if account.contract is None:
            raise Panic("CodeDoesNotExist")
        call = Call(
            account.state,
            receipt.receiver,
            receipt.predecessor,
            receipt.signer,
            action.deposit,
            self.head.time_ns,
            receipt.results,
            logs,
        )
        value = account.contract.run(call, action.method, action.args)
        for promise in call.promises:
            account.balance -= promise.deposit
            args = compact(promise.args).encode()
            made.append(
                _Receipt(
                    self._next_id(),
                    receipt.receiver,
                    promise.receiver,
                    receipt.signer,
                    (FunctionCall(promise.method, args, 0, promise.deposit),),
                    then=promise.then,
                    then_from=receipt.receiver,
                )
            )
        return value

    def _seal(self, transaction: str | None) -> None:
        last = self.head
        height = last.height + 1
        digest = hashlib.sha256(last.hash + struct.pack("<Q", height)).digest()
        now = max(self.clock(), last.time_ns)
        self.blocks.append(Block(height, digest, now, transaction, *self._state()))
        self._heights[digest] = height

    def _state(self) -> tuple[dict[str, int], dict[tuple[str, bytes], int]]:
        marks = {name: account.state.mark() for name, account in self.accounts.items()}
        nonces = {
            (name, key): nonce
            for name, account in self.accounts.items()
            for key, nonce in account.keys.items()
        }
        return marks, nonces

    def _next_id(self) -> str:
        self._receipts += 1
        return base58.b58encode(hashlib.sha256(b"receipt%d" % self._receipts).digest()).decode()


def _encode(value: Any) -> bytes:
    if value is None:
        return b""
    return value if isinstance(value, bytes) else compact(value).encode()
