"""The UVM tests of the HCA. A test is a class derived from HcaBaseTest in a module of tb/uvm/hca/tests, and a line here."""

from __future__ import annotations

from tb.plan.test import Kind, Test

__all__ = ["TESTS"]


def _test(
    name: str, cls: str, about: str, rules: str, *, module: str = "", seconds: float = 240, groups: tuple[str, ...] = ()
) -> Test:
    target = f"tb.uvm.hca.tests.{module or name}:{cls}"
    return Test(name, about, Kind.UVM, target, "hca", "hca", tuple(rules.split()), groups, seeds=1, seconds=seconds)


TESTS = (_test("hca_mixed", "HcaMixed", "every verb under every policy, pages that go and come back", "SD-1 SD-2 SD-3 FQ-1 FQ-4"),)
