"""The UVM tests of the TLB. A test is a class derived from TlbBaseTest in a module of tb/uvm/tlb/tests, and a line here."""

from __future__ import annotations

from tb.plan.test import Kind, Test, Tier
from tb.tlb.bench import CORNERS

__all__ = ["TESTS"]

GROUPS = ("tlb size", "tlb scope", "tlb race", "tlb edge")


def _test(name: str, cls: str, about: str, rules: str) -> Test:
    target = f"tb.uvm.tlb.tests.{name}:{cls}"
    return Test(name, about, Kind.UVM, target, "gru_tlb", "tlb", tuple(rules.split()), GROUPS, seeds=3, seconds=300)


def _corner(name: str, cls: str, corner: str, about: str) -> Test:
    """A test of above in another size, which changes nothing for the oracle but the length of the log. Drawn by its own name."""
    target = f"tb.uvm.tlb.tests.{name.rpartition('_in_')[0]}:{cls}"
    simulator = "tlb:" + ",".join(f"{parameter}={value}" for parameter, value in CORNERS[corner].parameters)
    return Test(name, about, Kind.UVM, target, "gru_tlb", simulator, ("SD-1", "SD-3", "SD-8"), GROUPS, 1, 300, Tier.FULL)


TESTS = (
    _test("tlb_random", "TlbRandom", "every page size, every scope, a bit of everything", "SD-1 SD-2 SD-3 SD-5 SD-6 SD-7"),
    _test("tlb_races", "TlbRaces", "few pages: shootdowns against lookups and drop-ins of the same page", "SD-1 SD-2 SD-3"),
    _test("tlb_sizes", "TlbSizes", "every address space mixes page sizes, wide shootdowns", "SD-5 SD-7"),
    _test("tlb_scope", "TlbScope", "few drop-ins, many lookups: what no shootdown covers must still be there", "SD-4 SD-6"),
    _test("tlb_storm", "TlbStorm", "bursts of shootdowns until slots and handles run out, long accesses", "SD-2 SD-8"),
    _test("tlb_slow_fills", "TlbSlowFills", "drop-ins so late that the log of shootdowns has lapped", "SD-3"),
    _test("tlb_crowded", "TlbCrowded", "more pages than the sets they share have ways", "SD-1 SD-4"),
    _corner("tlb_random_in_few", "TlbRandom", "smallest", "the smallest TLB, one slot, the shortest log"),
    _corner("tlb_races_in_two_ways", "TlbRaces", "two ways", "two ways, three slots, a short log"),
    _corner("tlb_storm_in_many", "TlbStorm", "largest", "the largest TLB, a long log"),
)
