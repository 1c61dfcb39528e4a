"""What a UVM regression prints and writes, from outcomes made by hand; and what its command line refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hwif.gen.gru import RtlMutant
from tb.plan.catalogue import tests
from tb.plan.run import RunConfig, RunResult
from tb.uvm import regress, report
from tb.uvm.launch import Outcome, Task

LOG = Path("/tmp/run.log")


def outcome(test: str, seed: int, status: str = "pass", text: str = "", mutant: int = 0, **result: object) -> Outcome:
    seen = RunResult(cycles=1000, items=500, errors=0 if status == "pass" else 1, objections=[text] if text else [], **result)  # type: ignore[arg-type]
    return Outcome(Task(tests()[test], seed, mutant), status, 1.5, seen, text, LOG)


PASSES = [outcome("tlb_random", 1), outcome("tlb_races", 1)]
STALE = [
    outcome("tlb_races", 2, "fail", "cycle 812: SD-1: control block 12 hits 0x1000 for 0x5000 of asid 0x8, revoked by handle 3", 5),
    outcome("tlb_random", 7, "fail", "cycle 9: SD-1: control block 7 hits 0xfeed for 0x77 of asid 0x0, revoked by handle 21", 5),
]
LATE = outcome("tlb_storm", 1, "fail", "cycle 3: SD-2: handle 4 is acknowledged while control block 1 uses a covered translation")
HUNG = outcome("tlb_storm", 2, "timeout", "no end within 300 s")


def test_table_has_a_line_a_run_and_the_totals() -> None:
    lines = report.table([*PASSES, HUNG]).splitlines()
    assert lines[0].split() == ["test", "seed", "result", "cycles", "items", "seconds"]
    assert lines[2].split() == ["tlb_random", "1", "pass", "1000", "500", "1.5"]
    assert lines[-1] == "passed 2 of 3 (67 %), 3000 cycles, 1500 items"
    assert report.table([]).splitlines()[-1].startswith("passed 0 of 0")


def test_buckets_gather_by_rule_and_name_one_command_each() -> None:
    text = report.buckets([*PASSES, *STALE, LATE, HUNG])
    heads = [line for line in text.splitlines() if not line.startswith(" ")]
    assert heads[0].startswith("2 x fail: SD-1: control block # hits # for #")
    assert len(heads) == 3 and any("SD-2" in head for head in heads) and any("timeout" in head for head in heads)
    again = [line.split("again: ")[1] for line in text.splitlines() if "again: " in line]
    assert again[0] == f"make regress TEST=tlb_races SEED=2 MUTANT={RtlMutant(5).name.lower()}"
    assert again[1:] == ["make regress TEST=tlb_storm SEED=1", "make regress TEST=tlb_storm SEED=2"]
    assert report.buckets(PASSES) == ""


def test_the_command_of_a_bucket_is_understood() -> None:
    """What is printed for make reaches the runner as the same task."""
    again = report.reproduce(STALE[0])
    assert again.startswith("make regress ")
    given = dict(word.split("=") for word in again.split()[2:])
    options = ["--test", given["TEST"], "--seed", given["SEED"], "--mutant", given["MUTANT"]]
    assert regress._tasks(regress._parse(options)) == [STALE[0].task]


def test_coverage_adds_up_and_names_its_holes(tmp_path: Path) -> None:
    runs = [
        outcome("tlb_random", 1, coverage={"race": {"a": 2, "b": 0}, "edge": {"c": 0}}),
        outcome("tlb_random", 2, coverage={"race": {"a": 1, "b": 0}, "edge": {"c": 4}}),
    ]
    found = report.coverage(runs)
    assert found == {"hit": 2, "total": 3, "holes": ["race: b"], "bins": {"race": {"a": 3, "b": 0}, "edge": {"c": 4}}}
    assert report.coverage_line(found) == "functional coverage: 2 of 3 bins (67 %); holes: race: b"
    assert report.coverage_line(report.coverage([])) == "functional coverage: none"
    report.write_coverage(found, tmp_path / "coverage.json")
    assert json.loads((tmp_path / "coverage.json").read_text()) == found


def test_junit_tells_failures_from_errors(tmp_path: Path) -> None:
    report.write_junit([*PASSES, *STALE, HUNG], tmp_path / "results.xml")
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "2", "1")
    cases = {case.get("name"): case for case in suite}
    failure = cases["tlb_races[2]"].find("failure")
    assert failure is not None and "SD-1" in (failure.get("message") or "") and "again: make regress" in (failure.text or "")
    error = cases["tlb_storm[2]"].find("error")
    assert error is not None and error.get("type") == "timeout"
    assert len(cases["tlb_random[1]"]) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--test", "tlb_race"], "there is no test tlb_race; nearest: tlb_races"),
        (["--test", "zzz"], "there is no test zzz; there are: tlb_random"),
        (["--mutant", "range_shrt"], "the TLB has no variant range_shrt; nearest: range_short"),
        (["--mutant", "quiet_lie"], "the TLB has no variant quiet_lie"),
        (["--seeds", "0"], "--seeds 0 must be positive"),
        (["--seeds", "many"], "invalid int value: 'many'"),
        (["--timeout", "-1"], "--timeout -1 must be positive"),
        (["--seed", "-1"], "--seed -1 must not be negative"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_bad_input_is_one_line_and_status_2(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert regress.main(options) == 2
    shown = capsys.readouterr()
    assert said in shown.err and len(shown.err.splitlines()) == 1 and shown.out == ""


def test_a_folder_that_cannot_be_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert regress.main(["--out", str(tmp_path / "file" / "below")]) == 2
    assert "Not a directory; give another folder" in capsys.readouterr().err
    with regress._folder(tmp_path):
        assert regress.main(["--out", str(tmp_path)]) == 2
    assert "another regression is writing to" in capsys.readouterr().err


def test_help_has_an_example_and_the_list_every_test(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        regress.main(["--help"])
    assert ended.value.code == 0
    assert "make regress SEEDS=2" in capsys.readouterr().out
    assert regress.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(tests())


def test_what_travels_to_the_simulator_and_back(tmp_path: Path) -> None:
    config = RunConfig("tlb_random", 3, "result.json", 7, 0.5)
    assert RunConfig.load(config.dump()) == config
    result = RunResult(10, 20, 1, ["cycle 3: SD-1: x"], {"race": {"a": 1}})
    result.write(tmp_path / "result.json")
    assert RunResult.read(tmp_path / "result.json") == result
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
