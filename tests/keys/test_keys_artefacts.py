from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
import urllib.parse
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import base58
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts import Leak, find_secrets, find_secrets_in, process_arguments
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keys_world import (
    API_KEY,
    API_SECRET,
    EVM_KEY,
    PASSPHRASE,
    SECRET_TEXT,
    SECRETS,
    SEED,
    keystores,
)

ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda key: b"\0\1" + key + b"\2",
    "hex": lambda key: b'{"key": "0x' + key.hex().encode() + b'"}',
    "HEX": lambda key: key.hex().upper().encode(),
    "spaced hex": lambda key: key.hex(":").encode(),
    "escaped": lambda key: repr({"key": key}).encode(),
    "base64": lambda key: base64.b64encode(b"some words before" + key + b"and after"),
    "urlsafe base64": lambda key: base64.urlsafe_b64encode(b"x" + key),
    "base58": lambda key: b"ed25519:" + base58.b58encode(key),
    "list": lambda key: json.dumps(list(key)).encode(),
    "tight list": lambda key: json.dumps(list(key), separators=(",", ":")).encode(),
    "number": lambda key: str(int.from_bytes(key, "big")).encode(),
    "percent": lambda key: b"key=" + urllib.parse.quote_from_bytes(key, safe="").encode(),
    "first half": lambda key: key.hex()[:32].encode() + b"...",
    "last half": lambda key: b"..." + key.hex()[-32:].encode(),
    "reversed": lambda key: key[::-1],
    "UTF-16": lambda key: key.hex().encode("utf-16-le"),
}


@pytest.mark.parametrize("encoding", list(ENCODED))
def test_a_planted_key_is_found_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    file = tmp_path / "deep" / "er" / "log.txt"
    file.write_bytes(b"before\n" + ENCODED[encoding](EVM_KEY) + b"\nafter")
    leaks = find_secrets([tmp_path], {"EVM key": EVM_KEY, "seed": SEED})
    assert leaks
    assert {(leak.where, leak.secret) for leak in leaks} == {(str(file), "EVM key")}


@settings(deadline=None)
@example(bytes(15) + b"\n", b"", "UTF-16")
@given(st.binary(min_size=16, max_size=48), st.binary(max_size=8), st.sampled_from(list(ENCODED)))
def test_any_key_is_found_in_every_encoding(key: bytes, other: bytes, encoding: str) -> None:
    content = other + ENCODED[encoding](key) + other
    assert find_secrets_in("text", content, {"key": key})


def sqlite_with(file: Path, value: object, *, close: bool = True) -> sqlite3.Connection:
    db = sqlite3.connect(file)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA page_size = 512")
    db.execute("CREATE TABLE t (a)")
    db.execute("INSERT INTO t VALUES (?)", (value,))
    db.commit()
    if close:
        db.close()
    return db


def test_a_key_split_over_pages_of_a_database_is_found(tmp_path: Path) -> None:
    for lead in range(400, 470, 7):
        file = tmp_path / f"{lead}.sqlite"
        sqlite_with(file, "x" * lead + EVM_KEY.hex() + "y" * 5000)
    found = find_secrets([tmp_path], {"EVM key": EVM_KEY})
    assert (
        len(
            {leak.where for leak in found if leak.encoding == "hex"}
            & {f"{tmp_path / f'{lead}.sqlite'} (cells)" for lead in range(400, 470, 7)}
        )
        == 10
    )


def test_a_key_that_is_in_a_write_ahead_log_only_is_found(tmp_path: Path) -> None:
    file = tmp_path / "open.sqlite"
    with closing(sqlite_with(file, EVM_KEY, close=False)):
        assert (tmp_path / "open.sqlite-wal").exists()
        where = {leak.where for leak in find_secrets([file], {"EVM key": EVM_KEY})}
        assert f"{file} (cells)" in where


def test_a_key_inside_compressed_files_is_found(tmp_path: Path) -> None:
    text = EVM_KEY.hex().encode() * 3
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(text))
    (tmp_path / "b.zip").write_bytes(packed.getvalue())
    pq.write_table(pa.table({"text": [text.decode()]}), tmp_path / "c.parquet", compression="zstd")
    pq.write_table(pa.table({"raw": [EVM_KEY, None]}), tmp_path / "d.parquet", compression="zstd")
    found = find_secrets([tmp_path], {"EVM key": EVM_KEY})
    assert {Path(leak.where.split(" ")[0]).name for leak in found} >= {
        "a.gz",
        "c.parquet",
        "d.parquet",
    }
    assert any("b.zip" in leak.where for leak in found)


def test_a_key_in_a_file_s_name_is_found(tmp_path: Path) -> None:
    (tmp_path / EVM_KEY.hex()).touch()
    assert find_secrets([tmp_path], {"EVM key": EVM_KEY})


def test_what_holds_no_key_is_clean_and_a_short_secret_is_an_error(tmp_path: Path) -> None:
    keystores(tmp_path)
    (tmp_path / "log.txt").write_text(f"{API_KEY} and {'0x' + 'ab' * 32}")
    assert find_secrets([tmp_path], SECRETS) == []
    with pytest.raises(ValueError, match="found everywhere"):
        find_secrets([tmp_path], {"pin": b"1234"})


def test_a_key_among_a_process_s_arguments_is_found() -> None:
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "0x" + EVM_KEY.hex()], stdin=subprocess.PIPE
    ) as process:
        while not process_arguments(process.pid).endswith(EVM_KEY.hex().encode() + b"\0"):
            assert process.poll() is None
        leaks = find_secrets_in("arguments", process_arguments(process.pid), SECRETS)
        process.communicate(b"")
    assert leaks[0] == Leak("arguments", "EVM key", "hex")


USING = """
import asyncio, logging, os, sys, threading, traceback, warnings
from pathlib import Path

logging.basicConfig(level=logging.DEBUG, filename="debug.log")
sys.path[:0] = {tests!r}

from keys_world import TRANSACTION, TYPED
from agent_fund.devnet.signer_service import Fault, LoopbackSigner
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.keys.keyring import Keyring

ring = Keyring(Path("."), seconds=0.3)


def provoke(act):
    try:
        act()
    except ExecutionError as error:
        print("REFUSED", error)
        seen = traceback.TracebackException.from_exception(error, capture_locals=True)
        Path("tracebacks.txt").open("a").write("".join(seen.format()))


async def services():
    service = LoopbackSigner([], [])
    await service.start()
    try:
        await ring.evm(f"signer:{{service.url}}#0x00")
    finally:
        await service.stop()


async def whole():
    for reference in ("env:FUND_EVM", "keystore:evm.json#FUND_PASS"):
        signer = await ring.evm(reference)
        signed = await signer.sign_transaction(TRANSACTION)
        await signer.sign_typed_data(TYPED)
        logging.info("signed %s with %r %s", signed.hash, signer, vars(signer))
        print(signer, signed)
    for reference in ("env:FUND_NEAR", "keystore:ed25519.json#FUND_PASS"):
        signer = await ring.ed25519(reference)
        print(signer, vars(signer), await signer.sign(b"message"))
    for reference in ("env:FUND_API_KEY,FUND_API_SECRET", "keystore:api.json#FUND_PASS"):
        print(ring.credentials(reference))
    signer = await ring.evm("env:FUND_EVM")
    for bad in ({{**TRANSACTION, "to": "nobody"}}, {{**TRANSACTION, "gas": None}}, {{}}):
        try:
            await signer.sign_transaction(bad)
        except ExecutionError as error:
            logging.exception("refused %s", error)


asyncio.run(whole())
for reference in ("env:FUND_NEAR", "env:FUND_API_SECRET", "keystore:evm.json#FUND_EVM",
                  "keystore:api.json#FUND_PASS", "signer:http://127.0.0.1:9#0x00"):
    provoke(lambda: asyncio.run(ring.evm(reference)))
for reference in ("env:FUND_EVM,FUND_NEAR", "env:FUND_API_SECRET",
                  "keystore:ed25519.json#FUND_NEAR"):
    provoke(lambda: asyncio.run(ring.ed25519(reference)))
for reference in ("env:FUND_SPACED,FUND_SPACED", "keystore:evm.json#FUND_PASS"):
    provoke(lambda: ring.credentials(reference))
provoke(lambda: asyncio.run(services()))
try:
    asyncio.run(ring.evm(os.environ["FUND_EVM"]))  # the value where a reference belongs
except ExecutionError as error:
    traceback.print_exc()
    print("REFUSED", error)
asyncio.run(ring.evm("env:FUND_NEAR"))  # nobody catches it: the interpreter writes the traceback
"""


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "FUND_EVM": "0x" + EVM_KEY.hex(),
        "FUND_NEAR": SECRET_TEXT,
        "FUND_API_KEY": API_KEY,
        "FUND_API_SECRET": API_SECRET,
        "FUND_SPACED": API_SECRET + " " + API_SECRET,
        "FUND_PASS": PASSPHRASE,
    }


def test_nothing_that_a_process_with_keys_leaves_behind_holds_one(tmp_path: Path) -> None:
    keystores(tmp_path)
    script = tmp_path / "using.py"
    script.write_text(USING.format(tests=[str(folder) for folder in Path(__file__).parents[:2]]))
    done = subprocess.run(
        [sys.executable, "-X", "dev", str(script)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"KeyRefused: value of FUND_NEAR: 'not shown'" in done.stderr
    assert done.stdout.count(b"REFUSED") == 12, done.stdout.decode() + done.stderr.decode()
    assert "refused" in (tmp_path / "debug.log").read_text()
    script.unlink()
    assert find_secrets([tmp_path], SECRETS) == []
    for name, content in (("stdout", done.stdout), ("stderr", done.stderr)):
        assert find_secrets_in(name, content, SECRETS) == []
