"""What the TLB's checks must have been in, as cover groups.

Groups: `tlb size` page size x what happened to an entry of it; `tlb scope` scope of a shootdown x what it met; `tlb race` a
shootdown against a lookup or drop-in by the cycle, and other coincidences; `tlb edge` values easily taken for something special.
"""

from __future__ import annotations

from hwif.gen.gru import PAGE_SHIFTS
from pymodels.oracle import Scope
from tb.plan.cover import CoverGroup, cross

__all__ = ["ALL", "EDGE", "MANY", "MET", "RACE", "SCOPE", "SIZE", "size_name"]

UNITS = {30: "G", 20: "M", 10: "K"}
MANY = 32  # misses side by side
MET = ("nothing", "live entry", "access in flight", "drop-in under way", "miss pending")


def size_name(code: int) -> str:
    """Of a page size code."""
    shift = PAGE_SHIFTS[code]
    unit = next(bits for bits in UNITS if shift >= bits)
    return f"{1 << shift - unit}{UNITS[unit]}"


SIZE = CoverGroup(
    "tlb size",
    "a page size and what happened to an entry of it",
    "gru",
    ("SD-5", "SD-7"),
    cross([size_name(code) for code in PAGE_SHIFTS], ["hit", "entered", "dropped", "shot"]),
)
SCOPE = CoverGroup(
    "tlb scope",
    "the scope of a shootdown and what it met",
    "gru",
    ("SD-1", "SD-2", "SD-6"),
    cross([scope.name.lower() for scope in Scope], MET),
)
RACE = CoverGroup(
    "tlb race",
    "a shootdown against a lookup or a drop-in, by the cycle",
    "gru",
    ("SD-1", "SD-2", "SD-3", "SD-4", "SD-5", "SD-7", "SD-8"),
    (
        "shootdown in the cycle of the hit",
        "shootdown in the cycle of the answer",
        "shootdown in the cycle a covered lookup is accepted",
        "shootdown in the cycle a covered drop-in is accepted",
        "shootdown in the cycle a covered drop-in is decided",
        "shootdown in the cycle a covered drop-in is reported",
        "drop-in and lookup of its page accepted together",
        "two acknowledgements in a cycle",
        "acknowledgement and acceptance in a cycle",
        "shootdown waits for a slot",
        "drop-in after the log has lapped",
        "large page partly in range, starts below",
        "large page partly in range, ends above",
        "range inside one page",
        "access in flight starts below the range",
        "access in flight ends above the range",
        "hit after shootdown and new drop-in",
        "clean entry upgraded",
        "drop-in over another size",
        "many misses outstanding",
        "access through another context's entry",
    ),
)
EDGE = CoverGroup(
    "tlb edge",
    "values that are easily taken for something special",
    "gru",
    ("SD-6",),
    (
        "lookup of address 0",
        "lookup of the last page",
        "shootdown of asid 0",
        "shootdown of the largest asid",
        "range of one page",
        "range from page 0",
        "range to the last page",
        "range of everything",
        "mask hides low bits",
        "mask with holes",
        "no context",
        "context 0",
        "every context",
    ),
)
ALL = (SIZE, SCOPE, RACE, EDGE)
