"""The report: every key, one self-contained page, nothing unescaped, all verdicts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.stories import SHOOTDOWN, write

from shootdown.report import write_report
from shootdown.report.charts import latency_chart
from shootdown.report.summary import buckets, latency, summarise
from shootdown.result import CosimConfig, HitRate, RunResult, Verdict, ViolationReport
from tests.support.results import clean_result, violated

ISSUE_KEYS = {
    *("trace", "device", "backend", "seed", "cycles", "wall_s", "vm_events", "notifier", "translations", "tlb_hits", "tlb_misses"),
    *("faults", "dropins", "dropins_dropped", "shootdowns", "shootdown_pages", "over_invalidated", "oracle", "digest", "speed"),
}


def empty(out: Path) -> RunResult:
    return RunResult(CosimConfig(trace=Path("t.sdt"), seed=1, out=out), "t", interrupted=True)


def test_every_key_on_every_run(tmp_path: Path) -> None:
    full, bare = summarise(clean_result(tmp_path)), summarise(empty(tmp_path))
    assert full.keys() == bare.keys()
    assert full.keys() >= ISSUE_KEYS
    assert full["oracle"].keys() == {"checked_beats", "checked_bytes", "violations"}
    assert full["speed"].keys() == {"cycles_per_s", "translations_per_s", "vm_ops_per_s"}
    assert json.loads(json.dumps(full)) == full
    assert full["trace"] == "blockcache.sdt"


def test_every_key_is_documented(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "summary.md").read_text()
    named = set(re.findall(r"`\.?([a-z_]+)`|`([a-z]+)\.", text))
    words = {word for pair in named for word in pair if word}
    assert summarise(empty(tmp_path)).keys() <= words


def test_percentiles_are_samples() -> None:
    numbers = latency(np.array([5, 1, 9, 7], dtype=np.int64))
    assert numbers == {"count": 4, "min": 1, "p50": 5, "p90": 9, "p99": 9, "max": 9, "mean": 5.5}
    assert latency(np.zeros(0, dtype=np.int64))["count"] == 0


def test_buckets_cover_everything() -> None:
    samples = np.array([0, 49, 50, 499, 500, 5_000_000, 10**12], dtype=np.int64)  # 2 ns each
    assert buckets(samples, 500) == [2, 2, 1, 0, 0, 0, 2]


@pytest.mark.parametrize(
    ("change", "verdict", "status"),
    [
        ({}, Verdict.CLEAN, 0),
        ({"violations": (ViolationReport(1, "SD-1", "x"),)}, Verdict.VIOLATION, 1),
        ({"data_failures": (ViolationReport(1, "DATA", "x"),)}, Verdict.DATA, 1),
        ({"stalled": "a waits for b"}, Verdict.STALLED, 1),
        ({"interrupted": True}, Verdict.INTERRUPTED, 130),
        ({"interrupted": True, "violations": (ViolationReport(1, "SD-1", "x"),)}, Verdict.VIOLATION, 1),
    ],
)
def test_verdicts(tmp_path: Path, change: dict[str, object], verdict: Verdict, status: int) -> None:
    result = replace(clean_result(tmp_path), **change)  # type: ignore[arg-type]
    assert result.verdict is verdict
    assert result.verdict.exit_status == status
    page = write_report(result).read_text()
    assert json.loads((tmp_path / "summary.json").read_text())["verdict"] == verdict.name.lower()
    assert 'aria-label="Verdict"' in page


class Page(HTMLParser):
    """Ids, references, images and balance of a page."""

    VOID = frozenset({"meta", "br", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.labels: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.references += [str(given[name]) for name in ("src", "href", "xlink:href") if given.get(name)]
        if tag == "svg":
            self.labels.append(str(given.get("aria-label")))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if "svg" in self.open and tag not in self.VOID:  # there, and only there, "/>" closes any element
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_stands_alone(tmp_path: Path) -> None:
    text = write_report(violated(clean_result(tmp_path))).read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in page.references)
    assert len(page.labels) == 3 and all("None" not in label for label in page.labels)
    assert not re.search(r"url\((?!#)|@import|<script|https?://(?!www\.w3\.org)", text)
    # Nothing of the machine or the day.
    assert "/somewhere" not in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text)


def test_the_page_shows_the_cycles_before_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path, marks=[(300, "REVOKED: <read>")])
    failed = ViolationReport(300, "REVOKED", "read of frame 7")
    text = write_report(replace(clean_result(tmp_path), violations=(failed,), timeline=path)).read_text()
    page = Page()
    page.feed(text)
    assert page.open == [] and len(page.ids) == len(set(page.ids))
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in page.references)
    assert "Timeline of cycles 0 to 410 round cycle 300: program, oracle, TGH 5, TLB kills, context 0" in page.labels
    assert "Before the failure" in text and "munmap 0x10000 +4 pages" in text and "REVOKED: &lt;read&gt;" in text


def test_the_page_shows_the_first_shootdown_of_a_clean_run(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path)
    text = write_report(replace(clean_result(tmp_path), timeline=path)).read_text()
    assert "The first shootdown of a memory call" in text and "drain: 4 pages" in text


def test_the_page_shows_where_a_run_stopped(tmp_path: Path) -> None:
    path = tmp_path / "timeline.pftrace"
    write(SHOOTDOWN, path, marks=[(405, "no progress")])
    text = write_report(replace(clean_result(tmp_path), stalled="a waits for b", timeline=path)).read_text()
    assert "Before it stopped" in text and "round cycle 405" in text


@pytest.mark.parametrize("content", [None, b"", b"no trace at all"])
def test_a_timeline_that_is_gone_or_empty_costs_the_picture_not_the_page(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "timeline.pftrace"
    if content is not None:
        path.write_bytes(content)
    text = write_report(replace(clean_result(tmp_path), timeline=path)).read_text()
    assert "timeline.pftrace: " in text and "The first shootdown" not in text
    assert text.endswith("</html>\n")


def test_the_page_escapes_what_a_run_says(tmp_path: Path) -> None:
    text = write_report(violated(clean_result(tmp_path))).read_text()
    assert "revoked &lt;before&gt; &amp; the access" in text
    assert '<th scope="col">CPU 0</th><th scope="col">CPU 1</th>' in text
    assert "8,123,456" in text


def test_a_page_without_samples(tmp_path: Path) -> None:
    text = write_report(empty(tmp_path)).read_text()
    assert "None in this run." in text and "Interrupted" in text


@pytest.mark.parametrize("values", [[1], [7, 7, 7], [0, 0], [1, 10**9], [3, 4]])
def test_charts_of_odd_samples(values: list[int]) -> None:
    samples = np.array(values, dtype=np.int64)
    assert latency_chart("x", "title", samples, 500).startswith('<svg role="img"')


def test_a_silent_stretch_has_no_hit_rate(tmp_path: Path) -> None:
    rate = HitRate(10, np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64))
    assert "TLB hit rate" in write_report(replace(clean_result(tmp_path), hit_rate=rate)).read_text()


def test_the_same_result_is_the_same_page(tmp_path: Path) -> None:
    first = write_report(clean_result(tmp_path)).read_text()
    assert write_report(clean_result(tmp_path)).read_text() == first
