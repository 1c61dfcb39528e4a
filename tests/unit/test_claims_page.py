"""The runner, claims.json and the page; and that the page in docs/ is that of its figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.small_claims import small

from shootdown.claims import base, library, moving, page, paging, pair, plot, record, run
from shootdown.claims.holders import MLOCKED, NOTIFIER, PINNED
from shootdown.claims.run import Break, Finding, measure_all
from shootdown.errors import InputError
from shootdown.result import CosimConfig

ROOT = Path(__file__).resolve().parents[2]
POINTS = [moving.Point(kind, 1 / 32, frames=64) for kind in (PINNED, MLOCKED, NOTIFIER)]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claims on moving and paging have a few small points."""
    claims = {
        "moving": small("moving", *POINTS),
        "paging": small("paging", *(paging.Point(kind, ratio, 192, 20) for kind in paging.KINDS for ratio in (0.8, 1.2))),
    }
    monkeypatch.setattr(run, "load", claims.__getitem__)


def test_findings_come_in_order_and_are_heard_of(little: None) -> None:
    heard: list[tuple[int, int, str]] = []
    (found,) = measure_all(["moving"], 1, 1, lambda *news: heard.append(news))
    assert [row.kind for row in found.rows] == [PINNED, MLOCKED, NOTIFIER] and not found.breaks
    assert heard[0] == (0, 3, "") and heard[-1] == (3, 3, "moving")
    verdict = found.verdict
    assert verdict is not None and verdict.outcome is base.Outcome.HOLDS


def test_what_is_read_is_what_was_written(little: None, tmp_path: Path) -> None:
    findings = measure_all(["moving"], 7, 1)
    record.write(tmp_path / "claims.json", findings, 7)
    assert record.read(tmp_path / "claims.json") == (findings, 7)
    assert json.loads((tmp_path / "claims.json").read_text()) == record.as_plain(findings, 7)


def test_a_broken_rule_is_no_verdict(little: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(**options: Any) -> CosimConfig:
        return CosimConfig(**options, mutant="no_invalidate")

    monkeypatch.setattr(pair, "CosimConfig", broken)
    findings = measure_all(["paging"], 1, 1)
    assert findings[0].breaks and findings[0].verdict is None
    text = page.write_page(tmp_path, findings, 1).read_text()
    assert "No verdict" in text and findings[0].breaks[0].rule in text
    assert json.loads((tmp_path / "claims" / "claims.json").read_text())["claims"]["paging"]["outcome"] is None


def test_a_page_says_who_what_and_how_to_make_it_again(little: None, tmp_path: Path) -> None:
    findings = measure_all(["moving"], 3, 1)
    text = page.write_page(tmp_path, findings, 3).read_text()
    for source in moving.CLAIM.sources:
        assert source.said in text and source.role in text
    assert "shootdown claims --only moving --out build/claims --seed 3" in text
    assert "**Verdict: holds.**" in text and (tmp_path / "claims" / "moving.png").read_bytes().startswith(b"\x89PNG")
    again = tmp_path / "again"
    page.write_page(again, findings, 3)
    assert (again / "claims" / "moving.png").read_bytes() == (tmp_path / "claims" / "moving.png").read_bytes()


def test_what_was_changed_by_hand_is_noticed(little: None, tmp_path: Path) -> None:
    findings = measure_all(["moving"], 1, 1)
    written = page.write_page(tmp_path, findings, 1)
    lacks = page.stale(tmp_path)
    assert len(lacks) == 1 and "lacks" in lacks[0]
    written.write_text(written.read_text().replace("holds", "does not hold"))
    assert any("not the page of its figures" in line for line in page.stale(tmp_path))
    page.write_page(tmp_path, findings, 1)
    file = tmp_path / "claims" / "claims.json"
    file.write_text(file.read_text().replace('"outcome": "holds"', '"outcome": "does not hold"'))
    assert any("does not follow" in line for line in page.stale(tmp_path))
    (tmp_path / "claims" / "moving.png").unlink()
    assert any("moving.png" in line for line in page.stale(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1, "claims": {"moving": {"rows": [{"kind": "x"}], "breaks": []}}}'])
def test_a_file_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"claims\.json"):
        record.read(tmp_path / "claims.json")
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(InputError, match=r"not a claims\.json"):
        record.read(tmp_path / "claims.json")


def test_the_page_in_docs_is_that_of_its_figures() -> None:
    assert page.stale(ROOT / "docs") == []
    findings, _ = record.read(ROOT / "docs" / "claims" / "claims.json")
    assert [finding.name for finding in findings] == list(library.NAMES) and not any(finding.breaks for finding in findings)
    for finding in findings:
        assert len(finding.rows) == len(finding.claim.points())


def test_every_look_is_that_of_a_label() -> None:
    """A label that is renamed would lose its colour without a word."""
    findings, _ = record.read(ROOT / "docs" / "claims" / "claims.json")
    labels = {series.label for one in findings for panel in one.claim.panels(one.rows) for series in panel.series}
    assert set(plot.LOOKS) <= labels


@pytest.mark.parametrize("name", library.NAMES)
def test_a_claim_is_complete(name: str) -> None:
    claim = library.load(name)
    assert claim.name == name and claim.sources and claim.setting and claim.points()
    # People are named by what they stood for, and nothing is quoted at length.
    texts = [claim.claim, *claim.setting, *claim.assumed, *(part for one in claim.sources for part in (one.role, one.said))]
    assert not re.search(r"Lameter|Gunthorpe|Dreier|Arcangeli|Holt|Wyckoff|Bell|Geoffray|Sarcar|Morton", " ".join(texts))
    assert len({str(point) for point in claim.points()}) == len(claim.points())


@pytest.mark.slow
@pytest.mark.parametrize("name", library.NAMES)
def test_the_page_is_what_a_run_finds_now(name: str) -> None:
    findings, seed = record.read(ROOT / "docs" / "claims" / "claims.json")
    (written,) = [finding for finding in findings if finding.name == name]
    assert measure_all([name], seed, 2) == [written], "make it anew with: make claims"


def test_a_break_is_of_its_claim() -> None:
    finding = Finding("moving", (), (Break("point", "SD-1", "what"),))
    assert finding.verdict is None and finding.claim is moving.CLAIM
