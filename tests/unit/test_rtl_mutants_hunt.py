"""The hunt of the RTL's mutants: what counts as a verdict, whose turn it is, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shootdown.regress.outcome import Status
from shootdown.rtl_mutants import hunt, shots, suite
from shootdown.rtl_mutants.draw import Mutant, draw
from shootdown.rtl_mutants.hunt import Hunter, Report
from shootdown.rtl_mutants.shots import Range, Shot
from tb.plan.test import Kind, Test, Tier

Player = Callable[[str, int, int, float], tuple[Status, float]]
"""Test, seed, mutant, limit -> how it ends and the seconds it takes."""
FILE = "hca/hca_coalesce.sv"


def a_test(name: str, seeds: int = 1) -> Test:
    return Test(name, "", Kind.BLOCK, "tb.hca_mmu.job:traffic", "hca_mmu", seeds=seeds)


class Played:
    """Stands in for processes; `code` is the text of every test, and what is played is in `log`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends: Player) -> None:
        self.code = "first"
        self.log: list[tuple[str, int, int, float]] = []
        self._ends = ends
        monkeypatch.setattr(shots, "fingerprint", lambda test: self.code)
        monkeypatch.setattr(hunt, "fingerprint", lambda test: self.code)
        monkeypatch.setattr(shots, "_builds", frozenset)
        monkeypatch.setattr(Range, "_played", lambda _, test, seed, number, limit: self._play(test, seed, number, limit))

    def _play(self, test: Test, seed: int, number: int, limit: float) -> Shot:
        code = self.code
        self.log.append((test.name, seed, number, limit))
        status, seconds = self._ends(test.name, seed, number, limit)
        return Shot(test.name, seed, code, status.value, "", seconds)


def quiet(_: str) -> None:
    pass


def reports(mutants: list[Mutant], tests: list[Test], say: Callable[[str], None] = quiet) -> list[Report]:
    with Hunter(mutants, tests, 1, say) as hunter:
        return list(hunter.reports())


def test_what_could_not_be_built_is_no_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = iter([Status.PASS, Status.LOST, Status.PASS])
    played = Played(monkeypatch, lambda *_: (next(ends), 1.0))
    shot = Range(tmp_path, quiet).shot(a_test("one"), 1, 7)
    assert shot is not None
    assert shot.passed
    assert [number for _, _, number, _ in played.log] == [0, 7, 7]


def test_the_time_without_a_mutant_is_not_that_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([500.0, 6.0, 1.0])
    Played(monkeypatch, lambda *_: (Status.PASS, next(seconds)))
    builds = iter([frozenset(), frozenset({tmp_path}), frozenset({tmp_path}), frozenset({tmp_path})])
    monkeypatch.setattr(shots, "_builds", lambda: next(builds))
    where = Range(tmp_path, quiet)
    assert where.control(a_test("one"), 1).seconds == where.takes(a_test("one")) == 6.0
    assert where.control(a_test("two"), 1).seconds == 1.0


def test_what_is_edited_meanwhile_is_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench half written objects to everything; whole again it sees no defect."""

    def ends(_test: str, _seed: int, number: int, _limit: float) -> tuple[Status, float]:
        if number and played.code == "first":
            played.code = "half written"
            return Status.FAIL, 1.0
        if played.code == "half written":
            played.code = "whole"
            return Status.CRASH, 1.0
        return Status.PASS, 1.0

    played = Played(monkeypatch, ends)
    where = Range(tmp_path, quiet)
    assert where.shot(a_test("one"), 1, 7) is None, "it did not pass without a mutant either"
    shot = where.shot(a_test("one"), 1, 7)
    assert shot == Shot("one", 1, "whole", "pass", "", 1.0)
    assert where.unfit == {}


def test_a_test_that_does_not_pass_alone_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, lambda *_: (Status.FAIL, 1.0))
    where = Range(tmp_path, quiet)
    assert where.shot(a_test("one"), 1, 7) is None
    assert where.unfit == {"one.1": "fail: "}


def test_a_busy_machine_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(
        monkeypatch, lambda _test, _seed, number, limit: (Status.TIMEOUT if number and limit < 90 else Status.PASS, 15.0)
    )
    shot = Range(tmp_path, quiet).shot(a_test("one"), 1, 7)
    assert shot is not None
    assert shot.passed
    assert [limit for *_, number, limit in played.log if number] == [60.0, 180.0]


def test_who_resists_lets_the_others_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mutant has a turn before one has its second; nobody plays a test twice."""
    monkeypatch.setattr(hunt, "HOME", tmp_path)
    monkeypatch.setattr(hunt, "TURN", 25.0)
    mutants = draw(1, 3, [FILE])

    def ends(test: str, _seed: int, number: int, _limit: float) -> tuple[Status, float]:
        noticed = (number, test) in ((2, "t1"), (3, "t4"))
        return (Status.TIMEOUT if number == 3 else Status.FAIL) if noticed else Status.PASS, 10.0

    played = Played(monkeypatch, ends)
    tests = [a_test(f"t{number}") for number in range(6)]
    found = reports(mutants, tests)
    assert [(report.mutant.number, report.fate, report.asked) for report in found] == [
        (2, "killed", 2),
        (1, "survived", 6),
        (3, "hung", 5),
    ]
    shots_at = [(test, number) for test, _, number, _ in played.log if number]
    order = [number for _, number in shots_at]
    assert set(order[: order.index(3)]) == {1, 2}
    assert order.count(1) == len(tests)
    assert len(set(shots_at)) == len(shots_at) - 1, "the one that did not end was given more time"

    # The same again plays nothing; a test that was changed is asked again, with its control.
    played.log.clear()
    assert [report.fate for report in reports(mutants, tests)] == ["survived", "killed", "hung"]
    assert played.log == []
    played.code = "second"
    reports(mutants[1:2], tests)
    assert [number for *_, number, _ in played.log] == [0, 2, 0, 2]


def test_what_other_tests_said_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "HOME", tmp_path)
    played = Played(
        monkeypatch, lambda test, _seed, number, _limit: (Status.FAIL if number and test == "two" else Status.PASS, 1.0)
    )
    one, two = a_test("one"), a_test("two")
    mutants = draw(1, 1, [FILE])
    assert [report.fate for report in reports(mutants, [two])] == ["killed"]
    assert [report.fate for report in reports(mutants, [one])] == ["survived"]
    played.log.clear()
    assert [report.fate for report in reports(mutants, [one, two])] == ["killed"]
    assert played.log == []


def test_the_hopeless_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason is no verdict: they are asked too."""
    monkeypatch.setattr(hunt, "HOME", tmp_path)
    Played(monkeypatch, lambda _test, _seed, number, _limit: (Status.FAIL if number == 2 else Status.PASS, 1.0))
    mutants = draw(1, 3, [FILE])
    hopeless = [mutant.key for mutant in mutants[:2]]
    with Hunter(mutants, [a_test("one"), a_test("two")], 1, quiet, hopeless) as hunter:
        found = [(report.mutant.number, report.fate) for report in hunter.reports()]
    assert found == [(3, "survived"), (1, "survived"), (2, "killed")]


def test_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block's own tests of every mutant, then the chip's, then what the default regression leaves out."""
    monkeypatch.setattr(hunt, "HOME", tmp_path)
    played = Played(monkeypatch, lambda *_: (Status.PASS, 1.0))
    tests = [replace(a_test("late"), tier=Tier.FULL), replace(a_test("chip"), block="hca"), a_test("own", seeds=2)]
    reports(draw(1, 2, [FILE]), tests)
    order = [(test, number) for test, _, number, _ in played.log if number]
    assert order == [("own", 1)] * 2 + [("own", 2)] * 2 + [("chip", 1), ("chip", 2), ("late", 1), ("late", 2)]


def test_seeds_come_after_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "HOME", tmp_path)
    played = Played(monkeypatch, lambda *_: (Status.PASS, 1.0))
    reports(draw(1, 1, [FILE]), [a_test("one", seeds=2), a_test("two")])
    assert [(test, seed) for test, seed, number, _ in played.log if number] == [("one", 1), ("two", 1), ("one", 2)]


def test_a_fingerprint_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is there now, half written or gone."""
    bench = tmp_path / "tests" / "test_toy.py"
    bench.parent.mkdir()
    beside = bench.with_suffix(".sv")
    (bench.parent / "conftest.py").write_text("")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    test = Test("toy", "", Kind.PYTEST, "tests/test_toy.py", "hca")
    seen = []
    for text, more in (("x = 1\n", ""), ("x = 1\n", "module toy;"), ("x = (\n", "module toy;"), ("x = 22\n", "module toy; // it")):
        bench.write_text(text)
        beside.write_text(more)
        seen.append(suite.fingerprint(test))
        assert suite.fingerprint(test) == seen[-1]
    bench.unlink()
    seen.append(suite.fingerprint(test))
    assert len(set(seen)) == len(seen)
