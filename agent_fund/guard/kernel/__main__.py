"""Check one certificate file with the standard library alone.

Exit codes: 0 the certificate proves its bound; 1 it does not; 2 the file cannot be read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.codec import decode_file
from agent_fund.guard.kernel.form import KernelError


def main(arguments: list[str]) -> int:
    """Read the file named in ``arguments``, check it, say what it proves."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m agent_fund.guard.kernel FILE\n")
        return 2
    try:
        data = Path(arguments[0]).read_bytes()
    except OSError as error:
        sys.stderr.write(f"{arguments[0]}: {error.strerror}\n")
        return 2
    try:
        form, stress, certificate, bound = decode_file(data)
        proved = proved_bound(form, stress, certificate)
    except KernelError as error:
        sys.stdout.write(f"refused: {error}\n")
        return 1
    if proved > bound:
        sys.stdout.write(f"refused: proves {proved}, which is above the claimed {bound}\n")
        return 1
    sys.stdout.write(f"proved: value <= {bound} on the whole stress set (tight to {proved})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
