"""What ``agent-fund keys`` does: keystores are made, and only public parts are ever shown."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from pathlib import Path

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.terminal import console, one_line, write_json
from agent_fund.execution.keys.credentials import credentials
from agent_fund.execution.keys.detect import find_key_values
from agent_fund.execution.keys.ed25519 import local_ed25519, public_text
from agent_fund.execution.keys.environment import read_variable
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.evm import ORDER, local_evm
from agent_fund.execution.keys.keyring import Keyring, describe, public_part
from agent_fund.execution.keys.keystore import COST, seal
from agent_fund.execution.keys.keystore_file import read_keystore_file, write_keystore_file
from agent_fund.execution.keys.reference import (
    EnvironmentReference,
    is_reference,
    parse_reference,
)
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.keys.web3_keystore import COST as EVM_COST
from agent_fund.execution.keys.web3_keystore import seal_evm
from agent_fund.execution.keys.written import read_ed25519, read_evm

_SHORTEST = 8


def new_key(kind: str, file: Path, passphrase: str | None, *, as_json: bool) -> int:
    """Make a key of ``kind`` in the keystore ``file``.

    Raises:
        KeyRefused: if there is such a file, or no passphrase.
    """
    _require_new(file)
    phrase = _passphrase(passphrase)
    secret = Secret(os.urandom(32))
    while kind == "evm" and not 0 < int.from_bytes(secret.reveal(), "big") < ORDER:
        secret = Secret(os.urandom(32))
    return _keep(kind, file, secret, "", phrase, as_json=as_json)


def import_key(
    kind: str, file: Path, source: str | None, passphrase: str | None, *, as_json: bool
) -> int:
    """Put a key of ``kind`` into the keystore ``file``.

    Raises:
        KeyRefused: if there is such a file, no passphrase, or no such key in what was read.
    """
    _require_new(file)
    public = ""
    if kind == "api":
        public, secret = _read_api(source)
    else:
        origin = source or "standard input"
        text = _variables(source, 1)[0] if source is not None else _typed(f"Private {kind} key: ")
        found = read_evm(text) if kind == "evm" else read_ed25519(text)
        if found is None:
            form = "0x and 64 hexadecimal digits" if kind == "evm" else "ed25519: and base58"
            raise KeyRefused(f"{kind} key from {origin}", "not shown", f"its form is {form}")
        if kind == "evm":
            local_evm(found, origin)
        else:
            local_ed25519(found, origin)
        secret = Secret(found.reveal()[:32])
    return _keep(kind, file, secret, public, _passphrase(passphrase), as_json=as_json)


def show_key(source: str, kind: str, *, as_json: bool) -> int:
    """Show the public part of the key in the file, or behind the reference, ``source``.

    Raises:
        KeyRefused, SigningFailed: if there is none, or it cannot be opened.
    """
    _require_no_key(source)
    if is_reference(source):
        ring = Keyring(Path())
        if kind == "api":
            public = public_part(ring.credentials(source))
        elif kind == "evm":
            public = asyncio.run(ring.evm(source)).address
        else:
            public = public_part(asyncio.run(ring.ed25519(source)))
        return _show(kind, public, source, opened=True, as_json=as_json)
    kind, public = describe(read_keystore_file(Path(source)), source)
    return _show(kind, public, source, opened=False, as_json=as_json)


def _keep(
    kind: str, file: Path, secret: Secret, public: str, phrase: Secret, *, as_json: bool
) -> int:
    if kind == "evm":
        public = local_evm(secret, "a new key").address
        store = seal_evm(secret, phrase, cost=EVM_COST)
    elif kind == "ed25519":
        public = public_text(local_ed25519(secret, "a new key").public_key)
        store = seal("ed25519", public, secret, phrase, cost=COST)
    else:
        store = seal("api", public, secret, phrase, cost=COST)
    write_keystore_file(file, store)
    secret.wipe()
    phrase.wipe()
    return _show(kind, public, str(file), opened=True, as_json=as_json)


def _show(kind: str, public: str, source: str, *, opened: bool, as_json: bool) -> int:
    if as_json:
        write_json({"kind": kind, "public": public, "source": source, "opened": opened, "exit": 0})
    else:
        stated = "" if opened else "  (as the file states; not opened)"
        console().print(f"{kind}  {one_line(public)}  {one_line(source)}{stated}", soft_wrap=True)
    return ExitCode.OK


def _read_api(source: str | None) -> tuple[str, Secret]:
    if source is not None:
        key, secret = _variables(source, 2)
    else:
        key, secret = _typed("API key: "), _typed("API secret: ")
    found = credentials(key, secret, source or "standard input")
    return found.key, secret


def _variables(source: str, count: int) -> list[Secret]:
    reference = parse_reference(source)
    if not isinstance(reference, EnvironmentReference) or len(reference.names) != count:
        form = "env:NAME" if count == 1 else "env:KEY_NAME,SECRET_NAME"
        raise KeyRefused("--from", "another reference", f"write {form}")
    return [read_variable(name) for name in reference.names]


def _typed(prompt: str) -> Secret:
    """One line, without echo from a terminal, or from a pipe."""
    if sys.stdin.isatty():
        return Secret(getpass.getpass(prompt).strip().encode())
    return Secret(sys.stdin.readline().strip().encode())


def _passphrase(option: str | None) -> Secret:
    if option is not None:
        reference = parse_reference(option)
        if not isinstance(reference, EnvironmentReference) or len(reference.names) != 1:
            raise KeyRefused("--passphrase", "another reference", "write env:NAME")
        phrase = read_variable(reference.names[0])
    elif not sys.stdin.isatty():
        raise KeyRefused("passphrase", "no terminal to ask at", "use --passphrase env:NAME")
    else:
        phrase = Secret(getpass.getpass("Passphrase: ").encode())
        if phrase != Secret(getpass.getpass("Again: ").encode()):
            raise KeyRefused("passphrase", "typed differently", "type the same one twice")
    if len(phrase) < _SHORTEST:
        fix = f"use {_SHORTEST} characters or more"
        raise KeyRefused("passphrase", f"{len(phrase)} characters", fix)
    return phrase


def _require_no_key(argument: str) -> None:
    for found in find_key_values(argument):
        fix = "it is known now to who sees this machine's processes; make another key"
        raise KeyRefused("argument", found.form, fix)


def _require_new(file: Path) -> None:
    """Before anything is asked for; the file is made only if it is still so then."""
    _require_no_key(str(file))
    if file.exists():
        raise KeyRefused(f"keystore {file}", "it exists", "name a new file: none is replaced")
