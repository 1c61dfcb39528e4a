"""Every test and every cover group there is.

Promises: `tests()` and `groups()` are complete, in order, without two of a name. Needs nothing that runs a simulator.
Costs: imports the modules named here.

To add a test: a line in the list of its module below. To add a module: a name here.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from tb.plan.cover import GROUPS, CoverGroup
from tb.plan.test import Test

__all__ = ["groups", "tests"]

TESTLISTS = (
    "tb.uvm.tlb.testlist",
    "tb.block.testlist_gru",
    "tb.block.testlist",
    "tb.uvm.gru.testlist",
    "tb.uvm.hca.testlist",
    "tb.hil.testlist",
)
"""Modules with a list TESTS."""
COVER = ("tb.uvm.tlb.points", "tb.block.points_gru", "tb.block.points_hca", "tb.uvm.gru.points", "tb.uvm.hca.points")
"""Modules that make cover groups."""


@cache
def tests() -> dict[str, Test]:
    """By name."""
    found: dict[str, Test] = {}
    for module in TESTLISTS:
        for test in import_module(module).TESTS:
            if found.setdefault(test.name, test) is not test:
                raise ValueError(f"two tests are called {test.name}")
    return found


@cache
def groups() -> dict[str, CoverGroup]:
    """By name, in the order of names: whoever imported a module first changes nothing."""
    for module in COVER:
        import_module(module)
    return dict(sorted(GROUPS.items()))
