"""A workspace over the shared Binance hours, with the shipped run files or variants of them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "market"))

from binance_catalog import binance_catalog  # noqa: E402

RUNS = ("crypto_2020", "crypto_luna_ftx", "crypto_2025")


def workspace(folder: Path) -> Path:
    """A copy of the user folders, its catalog that of the shared files; skips without them."""
    catalog = binance_catalog()
    for name in ("strategies", "guardrails", "backtests"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "catalog").symlink_to(catalog)
    return folder


def variant(
    folder: Path,
    run: str,
    name: str,
    *,
    mandate: str | None = None,
    multiple: str | None = None,
    strategy: tuple[str, str] | None = None,
    every: str | None = None,
    window: tuple[str, str] | None = None,
) -> Path:
    """The run file ``run`` under another ``name``, changed as said.

    Args:
        mandate: text of a mandate file, or with ``multiple`` the shipped one with that multiple.
        strategy: file name in strategies/ and class; it gets no parameters and no model.
    """
    text = (folder / "backtests" / f"{run}.toml").read_text()
    text = text.replace(f'name = "{run}"', f'name = "{name}"', 1)
    file = re.search(r'file = "(guardrails/[^"]+)"', text)
    assert file is not None
    if multiple is not None:
        mandate = (folder / file[1]).read_text()
        mandate = re.sub(r'calibrated\(\s*"[^"]+"', f'calibrated("{multiple}"', mandate)
    if mandate is not None:
        (folder / "guardrails" / f"{name}.py").write_text(mandate)
        text = text.replace(file[1], f"guardrails/{name}.py")
    if strategy is not None:
        text = re.sub(r"\[strategy\.parameters\][^\[]*", "", text)
        text = re.sub(r"\[strategy\.model\][^\[]*", "", text)
        text = re.sub(r'file = "strategies/[^"]+"', f'file = "strategies/{strategy[0]}"', text)
        text = re.sub(r'class = "[^"]+"', f'class = "{strategy[1]}"', text)
    if every is not None:
        text = re.sub(r'every = "\d+ bars"', f'every = "{every}"', text)
    if window is not None:
        text = re.sub(r"(?m)^start = .*$", f"start = {window[0]}", text, count=1)
        text = re.sub(r"(?m)^end = .*$", f"end = {window[1]}", text, count=1)
    path = folder / "backtests" / f"{name}.toml"
    path.write_text(text)
    return path
