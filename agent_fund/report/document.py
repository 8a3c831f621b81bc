"""What all pages share: templates that escape, two scripts, and a policy that lets only them run.

Text on a page is not trusted: the templates escape it, JSON cannot close its element, and nothing
is loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from agent_fund.report.figure import Figure

HERE = Path(__file__).resolve().parent


def templates() -> Environment:
    """The templates of this room; they escape everything, and an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_scripts() -> list[Markup]:
    """Plotly, and our own script that draws every figure of a page."""
    texts = [get_plotlyjs(), (HERE / "draw.js").read_text("utf-8")]
    return [Markup(text) for text in texts]  # noqa: S704 - Plotly's and our own file


def page_style() -> Markup:
    """The style sheet."""
    return Markup((HERE / "style.css").read_text("utf-8"))  # noqa: S704 - our own file


def figure_json(figure: Figure) -> Markup:
    """The figure as JSON that no HTML parser reads as anything but text."""
    text = json.dumps(figure, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - without < > & it holds no markup


def policy_of(scripts: Sequence[str]) -> str:
    """A policy (CSP level 2) under which only these very scripts run."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
