"""One anvil process: a private EVM chain on loopback, up in well under a second."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.packages import ANVIL, folder_of

# The first keys of anvil's public development mnemonic ("test test ... junk"); worth nothing.
DEVELOPMENT_KEYS = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
)
_START = 20.0
# Past states that it keeps on disk. Left to itself it puts them into the user's home, without a
# bound, and those of killed chains stay: a test suite filled a disk with them.
_STATES = 256


def free_port() -> int:
    """A TCP port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Anvil:
    """A running chain.

    Args:
        chain_id: EIP-155 chain id.
        extra: further arguments, e.g. ``"--block-time", "1"``.

    Raises:
        DevnetError: if it is not installed or does not come up.
    """

    def __init__(self, chain_id: int, *extra: str, port: int | None = None) -> None:
        binary = folder_of(ANVIL) / "bin" / "anvil"
        if not binary.is_file():
            raise DevnetError("anvil", "not found", "run: agent-fund devnet fetch")
        binary.chmod(0o755)
        self.chain_id = chain_id
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--chain-id", str(chain_id)]
        self._states = tempfile.TemporaryDirectory(prefix="agent-fund-anvil-")
        arguments += ["--silent", "--max-persisted-states", str(_STATES)]
        arguments += ["--cache-path", self._states.name]
        self._process = subprocess.Popen(  # noqa: S603 - the pinned binary with our arguments
            [str(binary), *arguments, *extra],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except DevnetError:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def call(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC call; for the devnet's own controls, such as ``anvil_reorg``.

        Raises:
            DevnetError: if the chain answers with an error.
        """
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        request = urllib.request.Request(  # noqa: S310 - a loopback address of our own
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found = json.load(answer)
        if "error" in found:
            raise DevnetError(method, found["error"], "see the chain's own message")
        return found["result"]

    def stop(self) -> None:
        """End the process; the chain is gone with it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._states.cleanup()

    def _wait(self) -> None:
        end = time.monotonic() + _START
        while time.monotonic() < end:
            if self._process.poll() is not None:
                code = self._process.returncode
                raise DevnetError("anvil", f"ended with code {code}", "is the port taken?")
            try:
                if int(self.call("eth_chainId"), 16) == self.chain_id:
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.01)
        raise DevnetError("anvil", f"silent for {_START} s", "is the machine overloaded?")
