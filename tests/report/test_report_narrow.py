"""In a real browser: every chart fits the page, on a narrow one too, and when the width changes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from agent_fund.report.page import page
from agent_fund.report.run import Run

BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")

# The frame is narrowed while the charts may still be drawn; each is asked where what is drawn ends.
WRAP = """<iframe id="page" src="report.html" width="{first}" height="9000"></iframe><pre></pre>
<script>
const frame = document.getElementById("page");
frame.onload = () => {{
  frame.width = {then};
  setTimeout(() => {{
    const seen = {{}};
    for (const chart of frame.contentDocument.querySelectorAll(".chart")) {{
      const drawn = [...chart.querySelectorAll(".xtick text, .point, .legend text")];
      const ends = drawn.map((part) => part.getBoundingClientRect().right);
      const svg = chart.querySelector("svg.main-svg").getBoundingClientRect();
      seen[chart.id] = [chart.offsetWidth, Math.round(svg.width), Math.max(...ends) - svg.left];
    }}
    document.querySelector("pre").textContent = JSON.stringify(seen);
  }}, 5000);
}};
</script>"""


@pytest.mark.parametrize(("first", "then"), [(420, 420), (500, 420), (420, 900)])
def test_every_chart_is_as_wide_as_its_place(
    run: Run, tmp_path: Path, first: int, then: int
) -> None:
    (tmp_path / "report.html").write_text(page(run))
    (tmp_path / "wrap.html").write_text(WRAP.format(first=first, then=then))
    assert BROWSER is not None
    shown = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=9000",
            "--dump-dom",
            (tmp_path / "wrap.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"<pre>(.*?)</pre>", shown)
    assert found is not None
    seen = json.loads(unescape(found[1]))
    assert set(seen) == {"nav", "drawdown", "exposure", "decisions"}
    for place, svg, drawn in seen.values():
        assert svg == place <= then
        assert place / 2 < drawn <= place
