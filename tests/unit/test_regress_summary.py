"""What a regression comes to, from outcomes made by hand: coverage, goals, JUnit, what is printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.regress_jobs import TESTS

from shootdown.regress import history, junit, show, summary
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.summary import Regression
from tb.plan.cover import CoverGroup
from tb.plan.goals import GOALS
from tb.plan.run import RunResult

ASKED = Regression("default", 4, 2, "local", 12.34, complete=True, coverage=True, interrupted=False, sources="s")
ALL = {"line": 1.0, "toggle": 0.96, "assertion": 1.0}


def group(name: str, *bins: str) -> CoverGroup:
    made = object.__new__(CoverGroup)  # a group made in earnest would be one more to cover
    for key, value in {"name": name, "about": "", "device": "gru", "rules": (), "bins": bins}.items():
        object.__setattr__(made, key, value)
    return made


def outcome(test: str, seed: int, status: Status = Status.PASS, text: str = "", **coverage: dict[str, int]) -> Outcome:
    seen = RunResult(1000, 50, int(status is Status.FAIL), [text] if text else [], coverage)
    return Outcome(test, seed, status, 1.5, text, seen, f"make regress TEST={test} SEED={seed}", f"/runs/{test}.{seed}")


GROUPS = {"race": group("race", "a", "b"), "edge": group("edge", "c"), "nobody": group("nobody", "d", "e")}
RUNS = [
    outcome("passes", 1, race={"a": 2, "b": 0}, edge={"c": 0}),
    outcome("passes", 2, race={"a": 1, "b": 0}, edge={"c": 4}),
    outcome("objects", 1, Status.FAIL, "cycle 9: SD-1: handle 3 hits \x1b[31m0x44", race={"b": 1, "z": 1}, strange={"y": 1}),
    outcome("hangs", 1, Status.TIMEOUT, "no end within 60 s"),
]


def test_bins_add_up_and_a_group_that_nobody_counted_is_all_holes() -> None:
    counts, strange = summary.functional(RUNS[:2], GROUPS)
    assert counts == {"race": {"a": 3, "b": 0}, "edge": {"c": 4}, "nobody": {"d": 0, "e": 0}} and not strange
    assert summary.holes(counts) == {"race": ["b"], "nobody": ["d", "e"]}
    assert summary.functional(RUNS, GROUPS)[1] == ["race: z", "strange: y"], "what nobody declared is said"


def test_goals_are_held_against_what_was_measured() -> None:
    assert summary.missed({"functional": 1.0, **ALL}, GOALS) == {}
    assert summary.missed({"functional": 0.999, **ALL, "toggle": 0.94}, GOALS) == {"functional": 0.999, "toggle": 0.94}
    assert summary.missed({"functional": 1.0, **ALL, "line": None}, GOALS) == {"line": None}, "not measured is not met"


def test_the_summary_has_its_keys(tmp_path: Path) -> None:
    counts, _ = summary.functional(RUNS, GROUPS)
    found = summary.summarise(ASKED, RUNS, counts, ALL)
    assert (found["tests"], found["passed"], found["failed"], found["wall_s"]) == (4, 2, 2, 12.3)
    assert found["coverage"] == {"functional": 0.6, **ALL} and found["missed"] == {"functional": 0.6}
    assert found["seeds"] == {"passes": [1, 2], "objects": [1], "hangs": [1]}
    assert {bucket["again"] for bucket in found["failures"]} == {
        "make regress TEST=objects SEED=1",
        "make regress TEST=hangs SEED=1",
    }
    part = Regression(**{**vars(ASKED), "complete": False})
    assert summary.summarise(part, RUNS, counts, ALL)["goals"] == {}
    said = summary.summarise(replace(ASKED, planned=6), RUNS, counts, ALL, ["a problem"])
    assert said["problems"] == ["a problem", "2 runs left no outcome"] and found["problems"] == []
    assert summary.summarise(replace(ASKED, planned=6, interrupted=True), RUNS, counts, ALL)["problems"] == []
    bare = Regression(**{**vars(ASKED), "coverage": False})
    assert set(summary.summarise(bare, RUNS, counts, dict.fromkeys(ALL))["goals"]) == {"functional"}

    summary.write(found, counts, tmp_path)
    summary.write(found, counts, tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads(json.dumps(found))
    assert json.loads((tmp_path / "functional.json").read_text()) == counts
    assert [(entry.functional, entry.chosen) for entry in history.read(tmp_path / "history.jsonl")] == [(0.6, "default")] * 2


def test_junit_tells_failures_from_errors(tmp_path: Path) -> None:
    junit.write(RUNS, TESTS, tmp_path / "results.xml")
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "0"]
    cases = {case.get("name"): case for case in suite}
    failure, error = cases["objects[1]"].find("failure"), cases["hangs[1]"].find("error")
    assert failure is not None and "SD-1" in (failure.get("message") or "") and "again: make regress" in (failure.text or "")
    assert error is not None and error.get("type") == "timeout"
    assert len(cases["passes[1]"]) == 0 and cases["passes[1]"].get("classname") == "gru_tlb"


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    counts, _ = summary.functional(RUNS, GROUPS)
    show.report(RUNS, TESTS, summary.summarise(ASKED, RUNS, counts, ALL))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["test", "block", "passed", "cycles", "items", "seconds"]
    assert lines[2].split() == ["passes", "gru_tlb", "2/2", "2,000", "100", "3.0"]
    assert "passed 2 of 4 (50 %), 4,000 cycles, 200 items in 12 s with 2 workers" in lines
    assert "    again: make regress TEST=objects SEED=1" in lines and "goal missed: functional" in lines
    assert "holes: nobody: d; nobody: e" in lines
    show.report([], TESTS, summary.summarise(ASKED, [], {}, dict.fromkeys(ALL)))
    assert "passed 0 of 0 (0 %)" in capsys.readouterr().out
