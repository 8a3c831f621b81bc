"""Compiles the contracts with the pinned solc, and writes the artifacts that the package ships.

    python contracts/compile.py            writes agent_fund/execution/custody/compiled/*.json
    python contracts/compile.py --check    exit code 1 if they are not what the sources give

Needs Node.js and the devnet's npm packages (``agent-fund devnet fetch``). The metadata hash is left
out of the bytecode, so that it depends on sources, compiler and settings alone. The legacy code
generator is taken, not the one by way of Yul: most defects found in solc since 0.8.30 are in that
one, among them one of transient variables, which the module has (mended in 0.8.34).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.packages import PINNED, folder_of

FOLDER = Path(__file__).resolve().parent
COMPILED = FOLDER.parent / "agent_fund" / "execution" / "custody" / "compiled"
CONTRACTS = ("VerdictModule", "LeafVerifier")
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 1_000_000},
    "viaIR": False,
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
}


def compile_sources(
    sources: Mapping[str, str], *, strict: bool = True
) -> dict[str, dict[str, Any]]:
    """ABI and creation bytecode (0x…) by contract name, of ``sources`` by file name.

    Args:
        strict: whether a warning counts as an error.

    Raises:
        DevnetError: without Node.js or solc, or with the compiler's own message.
    """
    node, solc = shutil.which("node"), folder_of("solc") / "soljson.js"
    if node is None or not solc.is_file():
        raise DevnetError("solc", "not found", "install Node.js, then run: agent-fund devnet fetch")
    selection = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {**SETTINGS, "outputSelection": selection},
    }
    done = subprocess.run(  # noqa: S603 - Node.js with our own script
        [node, str(FOLDER / "solc.js"), str(solc)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DevnetError("solc", done.stderr.strip(), "see the message")
    answer = json.loads(done.stdout)
    told = [e for e in answer.get("errors", []) if strict or e["severity"] == "error"]
    if told:
        said = "\n".join(error["formattedMessage"] for error in told)
        raise DevnetError("solc", said, "see the message")
    return {
        name: {"abi": made["abi"], "bytecode": "0x" + made["evm"]["bytecode"]["object"]}
        for file in answer["contracts"].values()
        for name, made in file.items()
    }


def artifact(name: str) -> str:
    """The text of one contract's artifact."""
    source = (FOLDER / f"{name}.sol").read_text("utf-8")
    made = compile_sources({f"{name}.sol": source})[name]
    written = {
        "contract": name,
        "compiler": f"solc {PINNED['solc'][0]}",
        "settings": SETTINGS,
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        **made,
    }
    return json.dumps(written, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the artifacts, or compare them."""
    differs = 0
    for name in CONTRACTS:
        path, text = COMPILED / f"{name}.json", artifact(name)
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != text:
            sys.stderr.write(f"{path}: differs from its source; run contracts/compile.py\n")
            differs = 1
    return differs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
