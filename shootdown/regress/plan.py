"""The verification plan as data, read out of the sources: what keeps each rule, what aims at each block.

A rule is kept by five things: an assertion, a checker, a cover group, a test, and a last result that is a pass. `gaps` names what
is not there.

Promises: complete for the sources as they are; two reads of the same sources and results are equal.
Needs: sources that import; no simulator. Costs: a second.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from hwif.gen.rules import RULES
from shootdown.regress.checkers import Checker, checkers
from shootdown.regress.last_results import LastResults
from tb.plan import catalogue
from tb.plan.assertions import Assertion, assertions, by_rule
from tb.plan.cover import GROUPS, CoverGroup
from tb.plan.test import Test

__all__ = ["Block", "Plan", "Row", "collect", "gaps", "groups", "make", "tests"]

COSIM = "shootdown.regress.cosim_tests"
"""Tests of software and RTL together: tb may not import what they run, so they are listed on this side."""
NO_SIGNALS = "MN-"
"""Rules of the software stack: what takes an assertion's place is the stack's own check while it runs."""


@dataclass(frozen=True)
class Row:
    """One rule and what keeps it."""

    rule: str
    text: str
    assertions: tuple[Assertion, ...]
    contract: tuple[Checker, ...]  # run-time checks that stand for assertions
    checkers: tuple[Checker, ...]
    groups: tuple[CoverGroup, ...]
    tests: tuple[Test, ...]
    runs: int
    passed: int
    hit: int  # bins of its groups
    bins: int

    @property
    def has_signals(self) -> bool:
        """Hardware keeps it, so an assertion can."""
        return not self.rule.startswith(NO_SIGNALS)

    @property
    def asserted(self) -> int:
        """How many assertions, or checks that stand for them."""
        return len(self.assertions if self.has_signals else self.contract)

    @property
    def last(self) -> str:
        """The last result, in words."""
        if not self.runs:
            return "not run"
        verdict = f"{self.passed} of {self.runs} runs passed"
        return f"{verdict}, {self.hit} of {self.bins} bins" if self.bins else verdict


@dataclass(frozen=True)
class Block:
    """What aims at one block: a file stem of rtl, a chip, or the software."""

    name: str
    tests: tuple[Test, ...]
    groups: tuple[CoverGroup, ...]
    runs: int
    passed: int
    hit: int
    bins: int


@dataclass(frozen=True)
class Plan:
    """Everything the page and the check need."""

    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    groups: tuple[CoverGroup, ...]
    results: LastResults


def tests() -> dict[str, Test]:
    """Every test there is, those of software and RTL together too."""
    found = dict(catalogue.tests())
    if importlib.util.find_spec(COSIM) is not None:
        for test in import_module(COSIM).TESTS:
            if found.setdefault(test.name, test) is not test:
                raise ValueError(f"two tests are called {test.name}")
    return found


def groups() -> dict[str, CoverGroup]:
    """Every cover group there is, those that the modules of `tests` make too."""
    tests()
    return {**catalogue.groups(), **GROUPS}


def collect(results: LastResults) -> Plan:
    """From the sources as they are."""
    return make(*_written(), groups(), tests(), results)


@cache
def _written() -> tuple[list[Assertion], list[Checker]]:
    """Sources do not change while they run."""
    return assertions(), checkers()


def make(
    labels: list[Assertion],
    places: list[Checker],
    groups: Mapping[str, CoverGroup],
    listed: Mapping[str, Test],
    results: LastResults,
) -> Plan:
    """From parts. Raises ValueError for a test that names a cover group nobody made."""
    for test in listed.values():
        for name in test.groups:
            if name not in groups:
                raise ValueError(f"test {test.name} feeds the cover group {name}, which does not exist")
    asserted = by_rule(labels)
    rows = tuple(
        _row(rule, asserted[rule], [place for place in places if place.rule == rule], groups, listed, results) for rule in RULES
    )
    names = sorted({test.block for test in listed.values()})
    blocks = tuple(_block(name, [test for test in listed.values() if test.block == name], groups, results) for name in names)
    return Plan(rows, blocks, tuple(groups.values()), results)


def _row(
    rule: str,
    asserted: list[Assertion],
    places: list[Checker],
    groups: Mapping[str, CoverGroup],
    listed: Mapping[str, Test],
    results: LastResults,
) -> Row:
    contract = [place for place in places if place.of_contract] if rule.startswith(NO_SIGNALS) else []
    own = [group for group in groups.values() if rule in group.rules]
    named = [test for test in listed.values() if rule in test.rules]
    return Row(
        rule,
        RULES[rule],
        tuple(asserted),
        tuple(contract),
        tuple(place for place in places if place not in contract),
        tuple(own),
        tuple(named),
        *results.runs(test.name for test in named),
        *results.bins(group.name for group in own),
    )


def _block(name: str, aimed: list[Test], groups: Mapping[str, CoverGroup], results: LastResults) -> Block:
    fed = list(dict.fromkeys(group for test in aimed for group in test.groups))
    return Block(
        name,
        tuple(aimed),
        tuple(groups[group] for group in fed),
        *results.runs(test.name for test in aimed),
        *results.bins(fed),
    )


def gaps(plan: Plan) -> list[str]:
    """A line for each thing a rule lacks."""
    found = []
    for row in plan.rows:
        wanted = {
            "an assertion in rtl/props" if row.has_signals else "a run-time check in the software stack": row.asserted,
            "a checker": len(row.checkers),
            "a cover group": len(row.groups),
            "a test": len(row.tests),
            "a last result": row.runs,
        }
        found += [f"{row.rule} lacks {what}" for what, count in wanted.items() if not count]
        if row.runs != row.passed:
            found.append(f"{row.rule}: its last result is a failure: {row.last}")
    return found
