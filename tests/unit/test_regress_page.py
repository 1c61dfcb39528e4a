"""The page of a regression: its words for every kind of outcome, its markup, and what it does when something is missing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from shootdown.regress import history
from shootdown.regress.buckets import buckets, signature
from shootdown.regress.history import Entry
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.page import SECTIONS, render, write
from shootdown.regress.page_data import load
from shootdown.regress.page_parts import percent, span_of_time
from shootdown.regress.page_trend import trend
from tb.plan.run import RunResult
from tests.support.made_regression import FAILURES, FILES, NASTY, SEEDS, TESTS, made
from tests.support.markup import Markup


def page(folder: Path) -> tuple[str, Markup]:
    """Written, read and checked."""
    write(folder)
    text = (folder / "index.html").read_text()
    read = Markup(text)
    assert read.wrong == []
    return text, read


def summary(folder: Path, **changes: object) -> None:
    """Say something else in summary.json."""
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def outcome(test: str, seed: int, text: str, status: Status = Status.FAIL, seconds: float = 1.0) -> Outcome:
    return Outcome(test, seed, status, seconds, text, RunResult(), f"make regress TEST={test} SEED={seed}", "f")


# ---- verdicts ----------------------------------------------------------------------------------------------------------------


def test_a_failed_regression_says_what_failed_most(tmp_path: Path) -> None:
    text, read = page(made(tmp_path))
    assert "<title>Failed: regression of shootdown</title>" in text
    assert "7 of 42 runs did not pass, with 5 signatures; most often: cycle #: SD-3: # pages at # of asid # entered" in read.text
    assert "goals missed: functional 94.6 % of 100 %." in read.text
    assert read.text.index("Failed") < read.text.index("Tests by seeds"), "the verdict comes first"


def test_one_failure_is_told_as_such_and_a_mutant_is_named(tmp_path: Path) -> None:
    made(tmp_path, failing=False)
    path = tmp_path / "runs" / "tlb_races.2" / "outcome.json"
    ended = Outcome.read(path)
    failed = replace(
        ended, status=Status.FAIL, text="cycle 7: SD-3: a drop-in entered.", command=f"{ended.command} MUTANT=race_fill"
    )
    failed.write(path)
    _, read = page(tmp_path)
    assert "1 of 42 runs did not pass: cycle #: SD-3: a drop-in entered; goals missed" in read.text
    assert "RTL broken on purpose: race_fill" in read.text


def test_a_regression_without_fault_has_met_its_goals(tmp_path: Path) -> None:
    text, read = page(made(tmp_path, failing=False, covered=True))
    assert '<section class="verdict clean"' in text
    assert "Passed Every run passed and every coverage goal is met." in read.text
    assert 'class="missed"' not in text.split("</dl>")[0], "no figure is short of its goal"


def test_goals_that_are_missed_are_named(tmp_path: Path) -> None:
    made(tmp_path, failing=False)
    _, read = page(tmp_path)
    said = r"Goals missed Every run passed, and coverage is short of its goals: functional 9\d\.\d % of 100 %\."
    assert re.search(said, read.text)
    (tmp_path / "code.json").unlink()
    _, read = page(tmp_path)
    assert "line not measured of 98.0 %" in read.text and "Not measured in this regression" in read.text


def test_what_else_fails_it_is_said(tmp_path: Path) -> None:
    made(tmp_path, failing=False, covered=True)
    summary(tmp_path, problems=["stale exclusion: rtl/x.sv, signal 'a<b': it matches nothing", "another"])
    text, read = page(tmp_path)
    said = "stale exclusion: rtl/x.sv, signal 'a<b': it matches nothing"
    assert '<section class="verdict bad"' in text
    assert f"Failed Every run passed, and {said} (and 1 more like it)." in read.text
    assert f"Beside the runs: {said} another" in read.text
    failed = made(tmp_path / "failed")
    summary(failed, problems=["another"])
    assert "; another." in page(failed)[1].text, "beside failures too"


def test_a_part_of_the_tests_has_no_goals(tmp_path: Path) -> None:
    made(tmp_path, failing=False)
    summary(tmp_path, goals={})
    _, read = page(tmp_path)
    assert "Passed Every run that was asked for passed; coverage goals apply to the whole set alone." in read.text
    summary(tmp_path, goals={"functional": 0.9})
    _, read = page(tmp_path)
    assert "Every run passed and functional coverage is at its goal; without line, toggle and assertion." in read.text


def test_an_interrupted_regression_says_so(tmp_path: Path) -> None:
    made(tmp_path, failing=False, runs=17, code=False, past=1)
    _, read = page(tmp_path)
    assert "Interrupted Every run that ended has passed; nothing is known of the rest." in read.text
    assert "make regress RESUME=1" in read.text
    (tmp_path / "summary.json").write_text(json.dumps({"planned": 42, "interrupted": True, "workers": 2, "wall_s": 9.0}))
    _, read = page(tmp_path)
    assert "25 of 42 runs are missing" in read.text and "17 of 42 runs; interrupted" in read.text
    assert "It begins with the second regression of this set into this folder." in read.text


def test_an_interrupted_regression_that_failed_says_both(tmp_path: Path) -> None:
    _, read = page(made(tmp_path, runs=17, code=False))
    assert "Failed" in read.text and "The regression was interrupted." in read.text


def test_an_empty_folder_has_a_page(tmp_path: Path) -> None:
    _, read = page(tmp_path)
    assert "Nothing ran" in read.text and "No run has ended." in read.text and "No run left counts of cover groups." in read.text


def test_a_file_that_is_no_json_is_not_there(tmp_path: Path) -> None:
    made(tmp_path, failing=False)
    (tmp_path / "code.json").write_text("{")
    (tmp_path / "functional.json").write_text("[1]")
    _, read = page(tmp_path)
    assert "Not measured in this regression" in read.text and "No run left counts of cover groups." in read.text


# ---- content -----------------------------------------------------------------------------------------------------------------


def test_the_grid_has_a_box_for_every_run(tmp_path: Path) -> None:
    text, _ = page(made(tmp_path))
    grid = text[text.index('<table class="grid">') : text.index("</table>")]
    assert len(re.findall(r'<(?:span|a) class="box (?:pass|fail|empty|timeout|crash|lost)"', grid)) == len(TESTS) * SEEDS
    for (test, seed), (status, _) in FAILURES.items():
        letter = {"fail": "F", "empty": "E", "timeout": "T", "crash": "C", "lost": "L"}[status]
        found = re.search(
            rf'<a class="box {status}" href="#failure-\d+" aria-label="{test}, seed {seed}: [^"]*"[^>]*>{letter}</a>', grid
        )
        assert found, (test, seed)
    assert 'aria-label="tlb_random, seed 1: passed, ' in grid
    assert 'gru_tlb <span class="muted">35 of 42 runs passed' in grid
    assert "begun 3 times" in grid
    assert '<td class="n bad">66.7 %</td>' in grid and '<td class="n met">100 %</td>' in grid


def test_many_seeds_are_wrapped(tmp_path: Path) -> None:
    text, _ = page(made(tmp_path, failing=False, seeds=30))
    assert text.count('<td class="wrap">') == len(TESTS) and text.count('class="box pass" role="img"') == 30 * len(TESTS)


def test_a_failure_has_its_command_and_its_files(tmp_path: Path) -> None:
    text, _ = page(made(tmp_path))
    first = text[text.index('id="failure-1"') : text.index("</article>")]
    assert "3×</span>cycle #: SD-3:" in first
    assert re.search(r'<code class="run">make regress TEST=(tlb_races SEED=[25]|tlb_slow_fills SEED=3)</code>', first)
    assert re.search(r'href="runs/(tlb_races\.[25]|tlb_slow_fills\.3)/waves\.fst">waveform</a>', first), "beside the page"
    assert ": 2, 5; " in first, "its seeds"
    assert "cycle 9999: SD-1: a second objection" in first
    assert "WAVES=1" not in first and "make regress TEST=tlb_storm SEED=1 WAVES=1" in text, "who has none is told how to get one"
    for target in re.findall(r'href="(runs/[^"]+)"', text):
        assert (tmp_path / target).exists()


def test_what_a_run_says_is_not_markup(tmp_path: Path) -> None:
    text, read = page(made(tmp_path))
    assert NASTY in read.text and "<script" not in text


def test_holes_are_listed(tmp_path: Path) -> None:
    made(tmp_path)
    counts = json.loads((tmp_path / "functional.json").read_text())
    holes = [name for bins in counts.values() for name, times in bins.items() if not times]
    text, read = page(tmp_path)
    assert len(holes) == 5
    for hole in holes:
        assert f"<li>{hole}</li>" in text
    assert "88 of 93 bins hit" in read.text
    for file in FILES:
        assert file in read.text
    assert "toggle: 54 never hit" in read.text and "<li>line 135</li>" in text
    assert "Excluded with a reason, and not counted: 4 line points, 31 toggle points." in read.text
    assert "exclusions that exclude no hole: 1 rtl/gru/gru_tlb.sv:12 was hit" in read.text
    assert read.text.index("rtl/hca/hca_xlt.sv") < read.text.index("rtl/gru/gru_tlb.sv"), "the worst first"


def test_every_section_is_there_and_the_plan_too(tmp_path: Path) -> None:
    text, read = page(made(tmp_path))
    for name, title in SECTIONS.items():
        assert f'<h2 id="{name}">{title}' in text and f"#{name}" in read.links
    assert "16 of 18 runs passed, 36 of 36 bins" in read.text, "SD-1 in the test plan"
    assert read.tags["svg"] == 3


def test_the_same_folder_gives_the_same_page(tmp_path: Path) -> None:
    made(tmp_path)
    assert render(load(tmp_path)) == render(load(tmp_path))


# ---- buckets, history, small words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "general"),
    [
        ("cycle 4211: SD-3: 1 pages at 0x7f00 of asid 0x1a", "cycle #: SD-3: # pages at # of asid #"),
        ("\n  assertion sd_2_ack_once: late by 3\nmore", "assertion sd_2_ack_once: late by #"),
        ("/tmp/pytest-1/x/runs/a.7/result.json is gone", "result.json is gone"),
        ("1,234.5 of 12'hfff", "# of #"),
        ("", "no text"),
        ("x" * 300, "x" * 159 + "…"),
    ],
)
def test_a_signature_forgets_numbers_alone(text: str, general: str) -> None:
    assert signature(text) == general


def test_buckets_hold_every_failure_once_the_largest_first() -> None:
    runs = [
        outcome("b", 1, "cycle 5: FQ-1: lost"),
        outcome("a", 2, "cycle 9: FQ-1: lost", seconds=0.5),
        outcome("a", 3, "cycle 9: FQ-2: late"),
        outcome("a", 4, "cycle 1: FQ-1: lost", Status.CRASH),
        outcome("a", 5, "", Status.PASS),
    ]
    found = buckets(runs)
    assert [(one.signature, one.status, len(one.outcomes)) for one in found] == [
        ("cycle #: FQ-1: lost", Status.FAIL, 2),
        ("cycle #: FQ-1: lost", Status.CRASH, 1),
        ("cycle #: FQ-2: late", Status.FAIL, 1),
    ]
    assert found[0].first is runs[1] and found[0].seeds == {"a": [2], "b": [1]}


def test_the_history_is_bounded_and_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert history.read(path) == []
    for number in range(history.KEPT + 5):
        history.append(path, Entry(f"2030-01-01T00:00:{number:02}Z", "", 4, 3, 1.0))
    found = history.read(path)
    assert len(found) == history.KEPT and found[-1].when.endswith(f":{history.KEPT + 4}Z") and found[-1].rate == 0.75
    path.write_text(path.read_text()[:-20])
    assert len(history.read(path)) == history.KEPT - 1
    history.append(path, found[-1])
    assert history.read(path)[-1] == found[-1]


def test_the_trend_shows_what_was_measured() -> None:
    past = [Entry(f"2030-01-0{day}T00:00:00Z", "abc", 4, 4, 60.0 + day, line=0.9 if day > 1 else None) for day in (1, 2, 3)]
    text = trend(past, {"line": 0.98})
    assert text.count("<svg") == 3 and text.count('class="goal"') == 1
    assert "line 90.0 %" in text and "toggle" not in text and 'aria-label="wall time of the last 3 regressions; now' in text
    assert text.count("<circle") == 3 + 2 + 3
    parts = [replace(entry, chosen="part", wall_s=9.0) for entry in past]
    assert trend([past[0], parts[0], past[1], parts[1], past[2]], {"line": 0.98}) == text, "sets are not compared with parts"
    alike = trend([Entry("2030-01-01T00:00:00Z", "", 0, 0, 0.0)] * 2, {})
    assert "NaN" not in alike and alike.count("<svg") == 2, "nothing ran twice"


def test_shares_and_times_are_not_flattered() -> None:
    assert [percent(share) for share in (0, 0.5, 0.99999, 1)] == ["0.0 %", "50.0 %", "99.9 %", "100 %"]
    assert [span_of_time(seconds) for seconds in (1.25, 61, 3700)] == ["1.2 s", "1 min 01 s", "1 h 01 min"]
