"""From a reference in a run file to a signer: the one place where keys are opened.

Whatever can be found out beforehand is: a missing variable, a wrong passphrase, a key of another
kind or of another address than the run file states, a service that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_fund.execution.keys.credentials import Credentials, credentials
from agent_fund.execution.keys.ed25519 import (
    Ed25519Key,
    local_ed25519,
    public_text,
    require_public,
)
from agent_fund.execution.keys.environment import read_variable
from agent_fund.execution.keys.errors import KeyRefused
from agent_fund.execution.keys.evm import EvmKey, local_evm, require_address
from agent_fund.execution.keys.keystore import require_store, unseal
from agent_fund.execution.keys.keystore_file import read_keystore_file
from agent_fund.execution.keys.passphrase import Ask, ask_at_terminal, passphrase_of
from agent_fund.execution.keys.reference import (
    EnvironmentReference,
    KeystoreReference,
    SignerReference,
    parse_reference,
)
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.keys.signer_service import (
    ServiceEd25519Holder,
    ServiceEvmHolder,
    SignerService,
    ed25519_key_at,
    evm_key_at,
)
from agent_fund.execution.keys.web3_keystore import is_web3_keystore, unseal_evm
from agent_fund.execution.keys.written import read_ed25519, read_evm


@dataclass(frozen=True)
class Keyring:
    """Opens references.

    Attributes:
        workspace: where relative paths of keystores begin.
        ask: asks a person for a passphrase.
        seconds: how long a signer service may take for one answer.
    """

    workspace: Path
    ask: Ask = ask_at_terminal
    seconds: float = 10.0

    async def evm(self, reference: str, address: str | None = None) -> EvmKey:
        """The ``EvmSigner`` that ``reference`` names.

        Args:
            address: what the run file states that it is; None if it states nothing.

        Raises:
            KeyRefused: if there is no such key there, or it is another.
            SigningFailed: if a signer service does not answer properly.
        """
        match parse_reference(reference):
            case EnvironmentReference((name,)):
                source = f"env:{name}"
                found = read_evm(read_variable(name))
                if found is None:
                    raise _unreadable(name, "an EVM key", "0x and 64 hexadecimal digits")
                signer = local_evm(found, source)
            case KeystoreReference() as named:
                store, source = self._store(named)
                if not is_web3_keystore(store):
                    raise _other_kind(source, store, "an EVM key")
                signer = local_evm(unseal_evm(store, self._passphrase(named), source), source)
            case SignerReference(url, identifier):
                source = f"signer:{url}"
                service = SignerService(url, self.seconds)
                found_address, public_key = await evm_key_at(service, identifier, source)
                signer = EvmKey(found_address, ServiceEvmHolder(service, public_key))
            case EnvironmentReference():
                raise _two_variables("an EVM key")
        return require_address(signer, address, source)

    async def ed25519(self, reference: str, public_key: str | None = None) -> Ed25519Key:
        """The ``Ed25519Signer`` that ``reference`` names.

        Args:
            public_key: what the run file states that it is, as ``ed25519:…``; None for nothing.

        Raises:
            KeyRefused: if there is no such key there, or it is another.
        """
        match parse_reference(reference):
            case EnvironmentReference((name,)):
                source = f"env:{name}"
                found = read_ed25519(read_variable(name))
                if found is None:
                    raise _unreadable(name, "an Ed25519 key", "ed25519: and base58")
                signer = local_ed25519(found, source)
            case KeystoreReference() as named:
                store, source = self._store(named)
                seed = self._unsealed(store, named, source, "ed25519", "an Ed25519 key")
                signer = local_ed25519(seed, source)
                require_public(signer, store["public"], source)
            case SignerReference(url, identifier):
                source = f"signer:{url}"
                public = ed25519_key_at(identifier, source)
                service = SignerService(url, self.seconds)
                signer = Ed25519Key(public, ServiceEd25519Holder(service, public))
            case EnvironmentReference():
                raise _two_variables("an Ed25519 key")
        return require_public(signer, public_key, source)

    def credentials(self, reference: str) -> Credentials:
        """Key and secret of the exchange account that ``reference`` names.

        Raises:
            KeyRefused: if they are not there.
        """
        match parse_reference(reference):
            case EnvironmentReference((name, secret)):
                source = f"env:{name},{secret}"
                return credentials(read_variable(name), read_variable(secret), source)
            case KeystoreReference() as named:
                store, source = self._store(named)
                found = self._unsealed(store, named, source, "api", "API credentials")
                return credentials(Secret(store["public"].encode()), found, source)
            case SignerReference(url):
                fix = "an exchange's secret is needed here: write env:KEY,SECRET or keystore:PATH"
                raise KeyRefused("API credentials", f"signer:{url}", fix)
            case EnvironmentReference(names):
                fix = "write env:KEY_NAME,SECRET_NAME: a variable for each part"
                raise KeyRefused("API credentials", f"env:{names[0]}", fix)

    def _store(self, named: KeystoreReference) -> tuple[dict[str, Any], str]:
        return read_keystore_file(self.workspace / named.path), f"keystore:{named.path}"

    def _passphrase(self, named: KeystoreReference) -> Secret:
        return passphrase_of(named.path, named.passphrase, self.ask)

    def _unsealed(
        self, store: dict[str, Any], named: KeystoreReference, source: str, kind: str, wanted: str
    ) -> Secret:
        if is_web3_keystore(store) or require_store(store, source)["kind"] != kind:
            raise _other_kind(source, store, wanted)
        return unseal(store, self._passphrase(named), source)


def describe(store: dict[str, Any], source: str) -> tuple[str, str]:
    """Kind and public part that a keystore states, without opening it.

    Raises:
        KeyRefused: if it is no keystore.
    """
    if is_web3_keystore(store):
        address = store.get("address")
        return "evm", f"0x{address.removeprefix('0x')}" if isinstance(
            address, str
        ) else "not stated"
    head = require_store(store, source)
    return head["kind"], head["public"]


def public_part(signer: EvmKey | Ed25519Key | Credentials) -> str:
    """What may be shown of a key: address, public key, or API key."""
    if isinstance(signer, EvmKey):
        return signer.address
    return public_text(signer.public_key) if isinstance(signer, Ed25519Key) else signer.key


def _other_kind(source: str, store: dict[str, Any], wanted: str) -> KeyRefused:
    kind, _ = describe(store, source)
    return KeyRefused(f"kind of key in {source}", kind, f"name a keystore that holds {wanted}")


def _unreadable(name: str, wanted: str, form: str) -> KeyRefused:
    return KeyRefused(f"value of {name}", "not shown", f"it must be {wanted}: {form}")


def _two_variables(wanted: str) -> KeyRefused:
    return KeyRefused("key reference", "env: with two variables", f"{wanted} stands in one")
