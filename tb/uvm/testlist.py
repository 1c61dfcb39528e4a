"""The list of UVM tests: what `make regress` runs.

A test is a class derived from TlbBaseTest in a module of tb/uvm/tests, and a line here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TESTS", "TestEntry"]


@dataclass(frozen=True)
class TestEntry:
    """A class in the module tb.uvm.tests.`name`, or in `home`."""

    name: str
    cls: str
    about: str
    home: str = ""

    @property
    def module(self) -> str:
        """For cocotb."""
        return self.home or f"tb.uvm.tests.{self.name}"


_ALL = (
    TestEntry("tlb_random", "TlbRandom", "every page size, every scope, a bit of everything"),
    TestEntry("tlb_races", "TlbRaces", "few pages, much at once: shootdowns against lookups and drop-ins of the same page"),
    TestEntry("tlb_sizes", "TlbSizes", "every address space mixes page sizes, wide shootdowns"),
    TestEntry("tlb_scope", "TlbScope", "few drop-ins, many lookups: what no shootdown covers must still be there"),
    TestEntry("tlb_storm", "TlbStorm", "bursts of shootdowns until slots and handles run out, long accesses"),
    TestEntry("tlb_slow_fills", "TlbSlowFills", "drop-ins so late that the log of shootdowns has lapped"),
    TestEntry("tlb_crowded", "TlbCrowded", "more pages than the sets they share have ways"),
)
TESTS = {entry.name: entry for entry in _ALL}
