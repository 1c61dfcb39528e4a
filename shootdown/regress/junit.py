"""JUnit XML of a regression, for whatever collects test results.

Promises: a test case for every run that ended; a check's objection is a failure, everything else that did not pass an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from shootdown.regress.outcome import Outcome, Status
from tb.plan.test import Test
from tb.whole_file import write_whole

__all__ = ["write"]

UNPRINTABLE = {code: None for code in range(32) if code not in (9, 10, 13)}


def write(outcomes: Sequence[Outcome], tests: Mapping[str, Test], path: Path) -> None:
    """Whole or not at all."""
    failed = sum(outcome.status is Status.FAIL for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    suite = ElementTree.Element("testsuite", name="regress", tests=str(len(outcomes)), failures=str(failed))
    suite.set("errors", str(len(outcomes) - failed - passed))
    suite.set("skipped", "0")
    suite.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")
    for outcome in outcomes:
        block = tests[outcome.test].block if outcome.test in tests else "unknown"
        name = f"{outcome.test}[{outcome.seed}]"
        case = ElementTree.SubElement(suite, "testcase", classname=block, name=name, time=f"{outcome.seconds:.3f}")
        if not outcome.passed:
            kind = "failure" if outcome.status is Status.FAIL else "error"
            message = outcome.text.translate(UNPRINTABLE)
            lines = [*outcome.result.objections, f"log: {outcome.folder}/run.log", f"again: {outcome.command}"]
            said = ElementTree.SubElement(case, kind, message=message, type=outcome.status.value)
            said.text = "\n".join(lines).translate(UNPRINTABLE)
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True))
