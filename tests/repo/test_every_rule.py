"""docs/testplan.md is what the sources say, and every rule has an assertion, a checker, a cover group, a test and a last result."""

from __future__ import annotations

from shootdown.regress.last_results import LastResults
from shootdown.regress.plan import collect, gaps
from shootdown.regress.testplan import PAGE, RESULTS
from shootdown.regress.testplan_page import render


def test_the_page_is_what_the_sources_say() -> None:
    assert PAGE.read_text() == render(collect(LastResults.read(RESULTS))), "write it again with: make gen"


def test_every_rule_has_all_five() -> None:
    assert gaps(collect(LastResults.read(RESULTS))) == []
