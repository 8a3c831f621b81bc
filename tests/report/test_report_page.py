"""The page needs no network, is the same bytes each time, and trusts no word of a model."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_world import HOSTILE, Tags, quiet, with_summary, with_words, without_twin

from agent_fund.fund.monitor import Failure
from agent_fund.report.page import page, write_report
from agent_fund.report.run import Run

LOADERS = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
HOVER_TAGS = {"<b>", "</b>", "<br>", "<extra>", "</extra>"}


def test_page_loads_nothing_from_anywhere(run: Run) -> None:
    parsed = Tags(page(run))
    assert not [tag for tag, attrs in parsed.tags if LOADERS & set(attrs)]
    assert not {"link", "iframe", "object", "embed", "img", "base"} & set(parsed.names)
    style = page(run).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_policy_lets_only_the_pages_own_two_scripts_run(run: Run) -> None:
    parsed = Tags(page(run))
    policy = next(a["content"] for t, a in parsed.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    running = [body for attrs, body in parsed.scripts if "type" not in attrs]
    assert allowed == {
        base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in running
    }
    assert len(running) == 2
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_same_run_gives_the_same_bytes_in_any_folder(run: Run, tmp_path: Path) -> None:
    pages = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        args = (run.parts, run.summary, run.frame, run.records, run.monitor)
        write_report(tmp_path / name, *args)
        pages.append((tmp_path / name / "report.html").read_bytes())
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]


def test_figures_are_valid_plotly(run: Run) -> None:
    figures = [json.loads(body) for attrs, body in Tags(page(run)).scripts if "type" in attrs]
    assert len(figures) == 4
    for figure in figures:
        assert go.Figure(figure).data


def test_a_models_markup_is_shown_and_not_obeyed(run: Run) -> None:
    text = page(run)
    assert "alert(1)" in text
    assert "<script>alert(1)" not in text
    assert "<img" not in text.partition("<body>")[2].partition("plotly.js v")[0]
    assert "&lt;script&gt;alert(1)" in text
    assert HOSTILE in "".join(Tags(text).text)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.text(max_size=200) | st.sampled_from([HOSTILE, "]]>", "<!--<script>", "{{ 7*7 }}"]))
def test_no_words_of_a_model_change_the_pages_markup(run: Run, words: str) -> None:
    parsed, plain = Tags(page(with_words(run, words))), Tags(page(with_words(run, "plain")))
    assert parsed.names == plain.names
    for attrs, body in parsed.scripts:
        if "type" in attrs:
            assert not set("<>&") & set(body)
            for hover in re.findall(r"<[^>]*>", _hover(json.loads(body))):
                assert hover in HOVER_TAGS


def test_page_of_a_run_without_a_twin_does_not_mention_one(run: Run) -> None:
    text = "".join(Tags(page(without_twin(run))).text)
    assert "nguarded" not in text
    assert "Unguarded" in "".join(Tags(page(run)).text)


@pytest.mark.parametrize("mode", ["reducing", "exiting", "halted"])
def test_every_mode_is_shaded(run: Run, mode: str) -> None:
    frame = run.frame.copy()
    frame["mode"] = ["active"] * (len(frame) - 3) + [mode] * 3
    changed = Run(run.parts, run.summary, frame, run.records, run.monitor)
    figure = json.loads(_data(page(changed), "nav"))
    assert [t["name"] for t in figure["data"] if t.get("yaxis") == "y9"] == [mode.capitalize()]


def test_breach_is_marked_and_named(run: Run) -> None:
    broken = quiet(run)
    broken.monitor.failures.append(Failure("A1", 60, "SP500 moved -20.00%, declared -6.00%"))
    broken.monitor.broken(60, "open", 91 * 10**12, 10**14, 59)
    broken = with_summary(broken, guarantee="assumption failed")
    text = page(broken)
    assert "Limit broken" in _data(text, "nav")
    assert "SP500 moved -20.00%, declared -6.00%" in "".join(Tags(text).text)


def _data(text: str, name: str) -> str:
    return next(b for a, b in Tags(text).scripts if a.get("id") == f"{name}-data")


def _hover(figure: dict[str, list[dict[str, object]]]) -> str:
    found = []
    for trace in figure["data"]:
        words = trace.get("text", [])
        assert isinstance(words, list)
        found += [*map(str, words), str(trace.get("hovertemplate", ""))]
    return "\n".join(found)
