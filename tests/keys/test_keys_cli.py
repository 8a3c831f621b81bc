from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts import find_secrets, find_secrets_in
from keys_world import (
    ADDRESS,
    API_KEY,
    API_SECRET,
    EVM_KEY,
    PASSPHRASE,
    PUBLIC_TEXT,
    SECRET_TEXT,
    SECRETS,
    SEED,
    keyring,
    keystores,
)

from agent_fund.cli.main import run

Capture = pytest.CaptureFixture[str]
CODE = """
import agent_fund.cli.keys_files as files
from agent_fund.cli.main import main
files.COST = files.EVM_COST = 1 << 12
main()
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A low cost: the format allows it, and tests make many.
    monkeypatch.setattr("agent_fund.cli.keys_files.COST", 1 << 12)
    monkeypatch.setattr("agent_fund.cli.keys_files.EVM_COST", 1 << 12)
    for name, value in {
        "FUND_PASS": PASSPHRASE,
        "FUND_SHORT": "1234567",
        "FUND_EVM": "0x" + EVM_KEY.hex(),
        "FUND_NEAR": SECRET_TEXT,
        "FUND_API_KEY": API_KEY,
        "FUND_API_SECRET": API_SECRET,
    }.items():
        monkeypatch.setenv(name, value)


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


PASS = ["--passphrase", "env:FUND_PASS"]


@pytest.mark.parametrize("kind", ["evm", "ed25519"])
def test_a_new_key_opens_with_its_passphrase_and_only_its_address_is_shown(
    tmp_path: Path, capsys: Capture, kind: str
) -> None:
    assert run(["keys", "new", kind, "new.json", *PASS, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    ring = keyring(tmp_path)
    if kind == "evm":
        assert asyncio.run(ring.evm("keystore:new.json#FUND_PASS")).address == said["public"]
    else:
        asyncio.run(ring.ed25519("keystore:new.json#FUND_PASS", said["public"]))
    assert (tmp_path / "new.json").stat().st_mode & 0o777 == 0o600
    assert run(["keys", "new", kind, "other.json", *PASS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["public"] != said["public"]


@pytest.mark.parametrize(
    ("kind", "source", "public"),
    [
        ("evm", "env:FUND_EVM", ADDRESS),
        ("ed25519", "env:FUND_NEAR", PUBLIC_TEXT),
        ("api", "env:FUND_API_KEY,FUND_API_SECRET", API_KEY),
    ],
)
def test_a_key_from_a_variable_is_imported_shown_and_found_nowhere(
    tmp_path: Path, capsys: Capture, kind: str, source: str, public: str
) -> None:
    assert run(["keys", "import", kind, "a.json", "--from", source, *PASS]) == 0
    assert run(["keys", "show", "a.json"]) == 0
    assert run(["keys", "show", "--kind", kind, source]) == 0
    assert run(["keys", "show", "--kind", kind, "keystore:a.json#FUND_PASS"]) == 0
    said = capsys.readouterr()
    assert said.out.count(public) == 4
    assert "not opened" in said.out
    assert find_secrets_in("output", (said.out + said.err).encode(), SECRETS) == []
    assert find_secrets([tmp_path], SECRETS) == []


@pytest.mark.parametrize(
    ("kind", "text", "public"),
    [
        ("evm", EVM_KEY.hex() + "\n", ADDRESS),
        ("ed25519", SECRET_TEXT, PUBLIC_TEXT),
        ("ed25519", SEED.hex(), PUBLIC_TEXT),
        ("api", f"{API_KEY}\n{API_SECRET}\n", API_KEY),
    ],
)
def test_a_key_is_imported_from_a_pipe(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, kind: str, text: str, public: str
) -> None:
    given(monkeypatch, text)
    assert run(["keys", "import", kind, "a.json", *PASS]) == 0
    assert public in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (["new", "evm", "taken.json", *PASS], "", "it exists"),
        (["new", "evm", "a.json"], "", "use --passphrase env:NAME"),
        (["new", "evm", "a.json", "--passphrase", "env:FUND_SHORT"], "", "8 characters or more"),
        (["new", "evm", "a.json", "--passphrase", "env:FUND_ABSENT"], "", "'not set'"),
        (["new", "evm", "a.json", "--passphrase", PASSPHRASE], "", "write env:NAME"),
        (["new", "evm", "a.json", "--passphrase", "keystore:a"], "", "write env:NAME"),
        (["new", "evm", "absent/a.json", *PASS], "", "No such file"),
        (["new", "api", "a.json", *PASS], "", "'api' is not one of"),
        (["import", "evm", "a.json", *PASS], SECRET_TEXT, "its form is 0x and 64"),
        (["import", "evm", "a.json", *PASS], "", "its form is 0x and 64"),
        (["import", "evm", "a.json", *PASS], "0" * 64, "from 1 to the curve's order"),
        (["import", "ed25519", "a.json", *PASS], API_SECRET, "its form is ed25519:"),
        (["import", "api", "a.json", *PASS], API_KEY + "\n", "API secret from standard input"),
        (["import", "api", "a.json", "--from", "env:FUND_EVM", *PASS], "", "write env:KEY_NAME"),
        (["import", "evm", "a.json", "--from", "0x" + EVM_KEY.hex(), *PASS], "", "write env:NAME"),
        (["show", "absent.json"], "", "No such file"),
        (["show", "env:FUND_NEAR"], "", "it must be an EVM key"),
        (["show", "0x" + EVM_KEY.hex()], "", "like a private key"),
        (["show", SECRET_TEXT], "", "an ed25519 secret key"),
        (["import", "evm", "0x" + EVM_KEY.hex(), *PASS], "", "like a private key"),
        (["new", "evm", SECRET_TEXT, *PASS], "", "an ed25519 secret key"),
    ],
)
def test_what_cannot_be_done_is_2_with_its_fix_and_no_secret(
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    text: str,
    says: str,
) -> None:
    (tmp_path / "taken.json").write_text("{}")
    given(monkeypatch, text)
    assert run(["keys", *arguments]) == 2
    said = capsys.readouterr()
    assert says in " ".join((said.err).replace("│", " ").split())
    assert "Traceback" not in said.err
    assert find_secrets_in("output", (said.out + said.err).encode(), SECRETS) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken.json"]


def at_terminal(arguments: list[str], typed: list[str]) -> tuple[int, bytes]:
    """The command on a terminal of its own, with a person who types; its code and its screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    for line in typed:
        while not seen.endswith(b": "):
            seen += os.read(ours, 1)
        os.write(ours, line.encode() + b"\n")
        seen += b"\n"
    while chunk := _rest(ours):
        seen += chunk
    os.close(ours)
    return process.wait(), seen


def _rest(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def test_at_a_terminal_everything_is_typed_without_echo(tmp_path: Path) -> None:
    typed = ["0x" + EVM_KEY.hex(), PASSPHRASE, PASSPHRASE]
    code, screen = at_terminal(["keys", "import", "evm", "a.json"], typed)
    assert code == 0
    assert ADDRESS.encode() in screen
    assert find_secrets_in("screen", screen, SECRETS) == []
    keystores(tmp_path)
    code, screen = at_terminal(["keys", "show", "keystore:evm.json"], [PASSPHRASE])
    assert code == 0
    assert ADDRESS.encode() in screen
    code, screen = at_terminal(["keys", "new", "evm", "b.json"], [PASSPHRASE, "another one"])
    assert code == 2
    assert b"type the same one twice" in screen
    assert not (tmp_path / "b.json").exists()
