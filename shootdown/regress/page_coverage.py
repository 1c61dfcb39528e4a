"""Functional coverage and the test plan for the page: by rule, by block, by cover group with its holes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from shootdown.regress.page_data import Facts
from shootdown.regress.page_parts import Below, Cell, anchor, fold, link, meter, table
from shootdown.regress.plan import Row
from shootdown.words import plural
from tb.plan.cover import CoverGroup
from tb.plan.test import Test

__all__ = ["by_block", "by_group", "by_rule", "test_plan"]


def by_rule(facts: Facts) -> str:
    """A row a rule: runs and bins."""
    rows = (
        (
            Cell(row.rule, "k"),
            Cell(escape(row.text), "w"),
            _ran(row.passed, row.runs),
            meter(row.hit, row.bins),
            _groups(row.groups, facts),
        )
        for row in facts.plan.rows
    )
    return table(("rule", "what it says", "runs passed", "bins hit", "cover groups"), rows)


def by_block(facts: Facts) -> str:
    """A row a block."""
    rows = (
        (Cell(escape(block.name), "k"), _ran(block.passed, block.runs), meter(block.hit, block.bins), _groups(block.groups, facts))
        for block in facts.plan.blocks
    )
    return table(("block", "runs passed", "bins hit", "cover groups"), rows)


def by_group(facts: Facts) -> str:
    """A row a group, with the bins that nobody hit."""
    rows = []
    for name in sorted(facts.functional):
        bins = facts.functional[name]
        group = next((one for one in facts.plan.groups if one.name == name), None)
        holes = [one for one, times in bins.items() if not times]
        about = group.about if group is not None else "of another tree"
        rows.append(
            (
                Cell(f'<span id="{anchor("group", name)}">{escape(name)}</span>', "k"),
                Cell(escape(about), "w"),
                " ".join(group.rules).replace("-", "\u2011") if group is not None else "",
                meter(len(bins) - len(holes), len(bins)),
                Below(fold(f"{plural(len(holes), 'bin')} never hit", holes)),
            )
        )
    if not rows:
        return '<p class="muted">No run left counts of cover groups.</p>'
    return table(("group", "what it counts", "rules", "bins hit"), rows)


def test_plan(facts: Facts) -> str:
    """Rule, assertion, checker, cover group, test, result of this regression."""
    rows = (
        (
            Cell(row.rule, "k"),
            str(row.asserted),
            str(len(row.checkers)),
            str(len(row.groups)),
            _tests(row.tests, facts),
            _result(row),
        )
        for row in facts.plan.rows
    )
    head = ("rule", "assertions", "checkers", "cover groups", "tests", "this regression")
    return table(head, rows, numbers=(1, 2, 3))


def _ran(passed: int, runs: int) -> Cell:
    if not runs:
        return Cell("not run", "missed")
    return Cell(f"{passed:,} of {runs:,}", "met" if passed == runs else "bad")


def _result(row: Row) -> Cell:
    kind = "missed" if not row.runs else "met" if row.passed == row.runs else "bad"
    return Cell(row.last, kind)


def _groups(groups: Iterable[CoverGroup], facts: Facts) -> Cell:
    """Links to those that were fed."""
    return Cell(
        ", ".join(
            link(f"#{anchor('group', group.name)}", group.name) if group.name in facts.functional else escape(group.name)
            for group in groups
        )
        or "–",
        "t",
    )


def _tests(tests: Sequence[Test], facts: Facts) -> Cell:
    """How many, and which when it is opened."""
    ran = {outcome.test for outcome in facts.outcomes}
    names = [test.name for test in tests]
    listed = ", ".join(link(f"#{anchor('test', name)}", name) if name in ran else escape(name) for name in names)
    if not names:
        return Cell("–")
    return Cell(
        f"<details><summary>{plural(len(names), 'test')}, {sum(name in ran for name in names)} ran</summary>{listed}</details>"
    )
