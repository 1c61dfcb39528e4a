"""How a run's leftovers are judged: nothing passes in silence."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from shootdown.regress.judge import disk_full, judge
from shootdown.regress.outcome import Status
from tb.plan.run import RunResult
from tb.plan.test import Kind

GOOD = RunResult(cycles=100, items=5, digest="d")
XML = '<testsuites><testsuite><testcase name="t"/></testsuite></testsuites>'
BAD_XML = '<testsuites><testsuite><testcase name="t"><failure error_msg="expected 1"/></testcase></testsuite></testsuites>'
FAILED = "[17] %Error: tlb_props.sv:9: Assertion failed in tlb_tb.u_tlb.u_props.sd_1_no_hit: hit of a dead entry"
WARNED = "     0.00ns WARNING  pyuvm        You did not call self.raise_objection() in any run_phase"


def left(folder: Path, result: RunResult | None = GOOD, log: str = "", xml: str | None = XML) -> Path:
    if result is not None:
        result.write(folder / "result.json")
    if xml is not None:
        (folder / "cocotb.xml").write_text(xml)
    (folder / "run.log").write_text(f"regress: t, seed 1: begins\n{log}\n")
    return folder


def test_a_good_run_passes(tmp_path: Path) -> None:
    assert judge(Kind.UVM, left(tmp_path), 0, 60) == (Status.PASS, "", GOOD)


@pytest.mark.parametrize(
    ("what", "exit_status", "status", "said"),
    [
        ({"result": RunResult(cycles=9, items=0)}, 0, Status.EMPTY, "no check saw anything"),
        ({"result": RunResult(items=1, errors=1, objections=["cycle 3: SD-1: x"])}, 0, Status.FAIL, "cycle 3: SD-1: x"),
        ({"result": RunResult(items=1, errors=2)}, 0, Status.FAIL, "2 errors, none of them kept"),
        ({"log": FAILED}, 0, Status.FAIL, "assertion tlb_tb.u_tlb.u_props.sd_1_no_hit: hit of a dead entry"),
        ({"log": FAILED, "result": None, "xml": BAD_XML}, 1, Status.FAIL, "sd_1_no_hit: hit of a dead entry"),
        ({"log": "    12.50ns ERROR    env.agent   lost an item"}, 0, Status.FAIL, "logged: env.agent   lost an item"),
        ({"log": "     -.--ns ERROR    cocotb      before the first cycle"}, 0, Status.FAIL, "before the first cycle"),
        ({"log": "    12.50ns \x1b[31mERROR   \x1b[39m env.agent   lost"}, 0, Status.FAIL, "logged: env.agent   lost"),
        ({"log": "[17] %Fatal: tlb.sv:9: Assertion failed in tb.u_tlb: no"}, 0, Status.FAIL, "assertion tb.u_tlb: no"),
        ({"log": "[17] %Error: tlb.sv:9: out of range"}, 0, Status.FAIL, "logged: %Error: tlb.sv:9: out of range"),
        ({"log": "CRITICAL:root:out of sequence"}, 0, Status.FAIL, "logged: root:out of sequence"),
        ({"log": "UVM_ERROR @ 12: lost"}, 0, Status.FAIL, "logged: @ 12: lost"),
        ({"log": "%Error: ports.sv:3: something else"}, 0, Status.FAIL, "something else"),
        ({"log": WARNED}, 0, Status.EMPTY, "raised no objection"),
        ({"xml": None}, 0, Status.CRASH, "left no result file"),
        ({"xml": "<testsuites>"}, 0, Status.CRASH, "left no result file"),
        ({"xml": "<testsuites/>"}, 0, Status.CRASH, "ran no test"),
        ({"xml": BAD_XML}, 0, Status.CRASH, "expected 1"),
        ({}, 3, Status.CRASH, "exit status 3"),
        ({"result": None}, -signal.SIGSEGV, Status.CRASH, "SIGSEGV"),
        ({"result": None, "log": "Traceback\nValueError: no such page\nbye"}, 1, Status.CRASH, "ValueError: no such page"),
        ({}, None, Status.TIMEOUT, "no end within 60 s"),
    ],
)
def test_what_must_not_pass(what: dict[str, object], exit_status: int | None, status: Status, said: str, tmp_path: Path) -> None:
    found, text, _ = judge(Kind.UVM, left(tmp_path, **what), exit_status, 60)  # type: ignore[arg-type]
    assert (found, said in text) == (status, True), text


def test_a_result_that_is_none_is_a_crash(tmp_path: Path) -> None:
    left(tmp_path)
    (tmp_path / "result.json").write_text('{"cycles": 1}')
    assert judge(Kind.BLOCK, tmp_path, 0, 60)[0] is Status.EMPTY
    for text in ("{", "[]", '{"what": 1}'):
        (tmp_path / "result.json").write_text(text)
        assert judge(Kind.BLOCK, tmp_path, 0, 60)[0] is Status.CRASH


def test_warnings_and_words_about_errors_are_none(tmp_path: Path) -> None:
    left(tmp_path, log="0 errors, 0 warnings\n   1.00ns WARNING  x   slow\nERRORS: none is one word more\nno %Error")
    assert judge(Kind.UVM, tmp_path, 0, 60)[0] is Status.PASS


# ---- pytest -----------------------------------------------------------------------------------------------------------------

CASE = '<testcase classname="tests.t" name="{}">{}</testcase>'


def pytest_left(folder: Path, *cases: str, log: str = "") -> Path:
    (folder / "pytest.xml").write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    (folder / "run.log").write_text(log)
    return folder


def test_pytest_counts_what_passed(tmp_path: Path) -> None:
    status, _, seen = judge(Kind.PYTEST, pytest_left(tmp_path, CASE.format("a", ""), CASE.format("b", ""), log=FAILED), 0, 60)
    assert (status, seen.items, seen.errors) == (Status.PASS, 2, 0), "what tests of broken variants print is theirs"
    digest = seen.digest
    assert digest and judge(Kind.PYTEST, pytest_left(tmp_path, CASE.format("a", "")), 0, 60)[2].digest != digest


def test_pytest_that_fails_skips_or_runs_nothing(tmp_path: Path) -> None:
    bad = CASE.format("b", '<failure message="assert 1 == 2&#10;more"/>')
    status, text, seen = judge(Kind.PYTEST, pytest_left(tmp_path, CASE.format("a", ""), bad), 1, 60)
    assert (status, text, seen.items) == (Status.FAIL, "tests.t.b: assert 1 == 2 more", 1)
    skipped = CASE.format("s", '<skipped message="no headers"/>')
    assert judge(Kind.PYTEST, pytest_left(tmp_path, skipped), 0, 60)[:2] == (Status.EMPTY, "tests.t.s was skipped: no headers")
    assert judge(Kind.PYTEST, pytest_left(tmp_path), 5, 60)[:2] == (Status.EMPTY, "pytest ran no test")
    (tmp_path / "pytest.xml").unlink()
    assert judge(Kind.PYTEST, tmp_path, 4, 60)[0] is Status.CRASH


# ---- the disk ---------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_from_a_failure(tmp_path: Path) -> None:
    left(tmp_path, log="OSError: [Errno 28] No space left on device: 'counts'")
    assert "No space left" in disk_full(tmp_path, 1) and disk_full(tmp_path, 0) == ""
    left(tmp_path)
    assert disk_full(tmp_path, -signal.SIGXFSZ) == "a file grew beyond the limit of its size"
    assert disk_full(tmp_path, 1) == disk_full(tmp_path, None) == ""
