"""The test plan: what is read out of the sources, what counts as a gap, and that each kind of gap is met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwif.gen.rules import RULES
from shootdown.regress import checkers as places
from shootdown.regress import testplan
from shootdown.regress.checkers import Checker
from shootdown.regress.last_results import LastResults
from shootdown.regress.outcome import Outcome, Status
from shootdown.regress.plan import Plan, gaps, make
from shootdown.regress.testplan_page import render
from tb.plan import assertions as labels
from tb.plan.assertions import Assertion
from tb.plan.cover import GROUPS, CoverGroup
from tb.plan.run import RunResult
from tb.plan.test import Kind, Test

SV = """
// sd_1_in_a_comment: assert (x);
  sd_1_plain: assert (!a) else $error("fq_1_in_a_string: assert (b)");
  sd_2_split:
    assert property (@(posedge clk_i) a |-> b);
  quiet_means_quiet: assert (c);
  fq_7_all: cover property (@(posedge clk_i) d);
  assert (unnamed);
  assign asserted = assert_i;
"""


def test_assertions_are_found_by_label_file_and_line() -> None:
    found = list(labels.read(SV, "rtl/props/x.sv"))
    assert [(one.label, one.kind, one.rule, one.line) for one in found] == [
        ("sd_1_plain", "assert", "SD-1", 3),
        ("sd_2_split", "assert", "SD-2", 5),
        ("quiet_means_quiet", "assert", "", 6),
        ("fq_7_all", "cover", "FQ-7", 7),
        ("", "assert", "", 8),
    ]
    own = labels.by_rule(found)
    assert list(own) == list(RULES), "a rule without an assertion is there, empty"
    assert [one.label for one in own["SD-1"]] == ["sd_1_plain"] and not own["FQ-7"], "a cover property asserts nothing"


def test_a_label_of_no_rule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x\.sv:1: sd_9_new: no rule SD-9"):
        list(labels.read("sd_9_new: assert (a);", "x.sv"))


def test_every_assertion_of_the_rtl_has_a_label() -> None:
    found = labels.assertions()
    assert len(found) > 100
    assert not [f"{one.file}:{one.line}" for one in found if not one.label]


PY = '''
"""SD-1: a module's words."""
GROUP = CoverGroup("a", "b", "gru", ("SD-2",), ("c",))

class Board:
    """SD-3"""
    def judge(self):
        """FQ-1: words of a function."""
        # FQ-2: a comment
        self.objections.append(Objection("SD-4", "late"))

    def ask(self):
        return self.rule == "SD-5" or text.startswith("SD-6: ")

async def stop(task):
    raise Error(f"{task}: MN-5: without {lock}; see FQ-3: no")

if True:
    def later():
        return [("SD-7", "two match")]
'''


def test_checkers_are_functions_that_object_in_a_rules_name() -> None:
    assert sorted(places.read(PY, "tb/x.py")) == [
        Checker("tb/x.py", "Board.judge", "SD-4", False),
        Checker("tb/x.py", "later", "SD-7", False),
        Checker("tb/x.py", "stop", "MN-5", True),
    ]


def test_checks_of_the_stack_itself_are_told_from_those_of_its_clients() -> None:
    def of_contract(file: str) -> bool:
        return Checker(file, "f", "MN-1", True).of_contract

    assert of_contract("sw_stack/notifier/chain.py") and not of_contract("sw_stack/drivers/kvm/kvm.py")
    assert not Checker("sw_stack/mm/x.py", "f", "MN-1", raises=False).of_contract, "it must end the run"


# ---- a plan in which nothing is missing, and what happens when something is -------------------------------------------------


class Parts:
    """Everything of every rule, made up."""

    def __init__(self) -> None:
        self.labels = [Assertion(f"{rule}_x", "assert", rule, "rtl/props/x.sv", 1) for rule in RULES if rule[:2] != "MN"]
        self.places = [Checker("tb/board.py", f"judge_{rule}", rule, False) for rule in RULES]
        self.places += [Checker("sw_stack/notifier/chain.py", "check", rule, True) for rule in RULES if rule[:2] == "MN"]
        self.groups = {f"g {rule}": _group(f"g {rule}", rule) for rule in RULES}
        self.tests = {f"t{rule}": _test(f"t{rule}", rule) for rule in RULES}
        self.results = LastResults(dict.fromkeys(self.tests, (2, 2)), dict.fromkeys(self.groups, (1, 2)))

    def plan(self) -> Plan:
        """Of what is there now."""
        return make(self.labels, self.places, self.groups, self.tests, self.results)


def _group(name: str, *rules: str) -> CoverGroup:
    made = CoverGroup(name, "about | it", "gru", rules, ("a", "b"))
    del GROUPS[name]  # not for others
    return made


def _test(name: str, *rules: str) -> Test:
    return Test(name, "about", Kind.UVM, "m:C", "gru_tlb", rules=rules, groups=tuple(f"g {rule}" for rule in rules))


def test_nothing_is_missing_when_all_five_are_there() -> None:
    assert gaps(Parts().plan()) == []


@pytest.mark.parametrize("rule", ["SD-3", "FQ-7", "MN-6"])
def test_each_of_the_five_is_missed(rule: str) -> None:
    def without(change: str) -> list[str]:
        parts = Parts()
        match change:
            case "assertion":
                parts.labels = [one for one in parts.labels if one.rule != rule]
                parts.places = [one for one in parts.places if one.rule != rule or not one.of_contract]
            case "cover property only":
                parts.labels = [replace(one, kind="cover") if one.rule == rule else one for one in parts.labels]
                parts.places = [one for one in parts.places if one.rule != rule or not one.of_contract]
            case "checker":
                parts.places = [one for one in parts.places if one.rule != rule or one.of_contract]
            case "group":
                parts.groups[f"g {rule}"] = _group(f"g {rule}")
            case "test":
                parts.tests[f"t{rule}"] = _test(f"t{rule}")
            case "result":
                del parts.results.tests[f"t{rule}"]
            case "pass":
                parts.results.tests[f"t{rule}"] = (2, 1)
        return gaps(parts.plan())

    assertion = "a run-time check in the software stack" if rule[:2] == "MN" else "an assertion in rtl/props"
    assert without("assertion") == without("cover property only") == [f"{rule} lacks {assertion}"]
    assert without("checker") == [f"{rule} lacks a checker"]
    assert without("group") == [f"{rule} lacks a cover group"]
    assert without("test") == [f"{rule} lacks a test", f"{rule} lacks a last result"]
    assert without("result") == [f"{rule} lacks a last result"]
    assert without("pass") == [f"{rule}: its last result is a failure: 1 of 2 runs passed, 1 of 2 bins"]


def test_a_test_that_feeds_no_group_there_is_is_refused() -> None:
    parts = Parts()
    parts.tests["tSD-1"] = replace(parts.tests["tSD-1"], groups=("gone",))
    with pytest.raises(ValueError, match="test tSD-1 feeds the cover group gone, which does not exist"):
        parts.plan()


def test_an_old_page_is_met(tmp_path: Path) -> None:
    parts = Parts()
    page = tmp_path / "testplan.md"
    assert testplan.check(parts.plan(), page) == ["testplan.md is not what the sources say; write it again with: make gen"]
    page.write_text(render(parts.plan()))
    assert testplan.check(parts.plan(), page) == []
    parts.labels[0] = replace(parts.labels[0], line=2)
    assert len(testplan.check(parts.plan(), page)) == 1, "an assertion moved"


def test_the_page_names_all_of_it() -> None:
    text = render(Parts().plan())
    for rule in RULES:
        assert f"| [{rule}](#{rule.lower()}) |" in text and f"### {rule}\n" in text
        assert (
            f"`judge_{rule}` in tb/board.py" in text
            and f"* tests: t{rule}\n" in text
            and f"* cover groups: g {rule} (2 bins)" in text
        )
    assert "`SD-1_x` rtl/props/x.sv:1" in text and "* run-time checks: `check` in sw_stack/notifier/chain.py" in text
    assert "| gru_tlb | tSD-1, " in text and f"| {2 * len(RULES)} of {2 * len(RULES)} |" in text
    assert "about \\| it" in text, "a bar in a cell does not split it"


def test_results_are_read_from_a_regression_and_kept(tmp_path: Path) -> None:
    (tmp_path / "functional.json").write_text('{"g": {"a": 3, "b": 0}}')
    for seed, status in ((1, Status.PASS), (2, Status.TIMEOUT)):
        folder = tmp_path / "runs" / f"t.{seed}"
        folder.mkdir(parents=True)
        Outcome("t", seed, status, 1.0, "", RunResult(), "make", str(folder)).write(folder / "outcome.json")
    (tmp_path / "runs" / "t.3").mkdir()  # still running
    (tmp_path / "runs" / "t.4").mkdir()
    (tmp_path / "runs" / "t.4" / "outcome.json").write_text('{"test": "t"')
    found = LastResults.of_folder(tmp_path)
    assert found == LastResults({"t": (2, 1)}, {"g": (1, 2)})
    kept = tmp_path / "kept.json"
    found.write(kept)
    assert LastResults.read(kept) == found
    assert LastResults.read(tmp_path / "none.json") == LastResults()
    kept.write_text('{"layout": 2}')
    with pytest.raises(ValueError, match="layout 2, not 1"):
        LastResults.read(kept)


def test_a_folder_without_runs_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert testplan.run(False, tmp_path) == 2
    assert "holds no run that has ended" in capsys.readouterr().err
