"""The regression's tests of the RTL through the port, without software."""

from __future__ import annotations

from tb.plan.test import Kind, Test

__all__ = ["TESTS"]


def _far(name: str, about: str, rules: str) -> Test:
    target = f"tb.hil.hca_far:{name}"
    return Test(f"hca_far_{name}", about, Kind.BLOCK, target, "hca", rules=tuple(rules.split()), seconds=240)


TESTS = (
    _far("commands", "a command queue of the largest size, once round and anew", "SD-2 SD-8"),
    _far("time", "traffic, retries and coalesced interrupts across every power of two of the clock", "FQ-6"),
    _far("cable", "cables of every length and rate", ""),
)
