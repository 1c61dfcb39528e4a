"""What a run may choose about the driver. Everything here is fixed when the driver starts.

Promises: an impossible policy raises ValueError with one line, before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sw_stack.drivers.choices import check_choice

__all__ = ["MAX_ASID", "MIN_ASID", "MUTANT_TEXT", "DriverPolicy", "Dropin", "Mutant", "Race", "UserOption"]

Dropin = Literal["interrupt", "user"]
"""Where a miss is answered first. "interrupt": the handler walks the page table itself and hands over to user polling only
when it cannot (2008). "user": the handler hands every miss to user polling, since a walk without locks may meet a page table
that is being freed (2026)."""

UserOption = Literal["FMM_INTR", "USER_POLL"]
"""How a context reports misses: fault map and interrupt, or straight to the user."""

Mutant = Literal[
    "free_before_ack",
    "ignore_range_active",
    "no_flush",
    "flush_short",
    "stale_asid",
    "flush_all",
    "count_late",
    "lost_wakeup",
    "end_lost",
    "wrap_no_flush",
    "dropin_writable",
]
"""A driver broken on purpose, for tests of the checks; MUTANT_TEXT says what is broken."""

MUTANT_TEXT: Mapping[str, str] = {
    "free_before_ack": "a shootdown's status is not waited for",
    "ignore_range_active": "drop-ins go on between range begin and end",
    "no_flush": "callbacks return without a shootdown",
    "flush_short": "shootdowns cover one page too few",
    "stale_asid": "a flush of an address space without loaded contexts keeps its ASID",
    "flush_all": "every shootdown purges the whole ASID, as an empty range once did on arm64",
    "count_late": "range begin counts ms_range_active up after its shootdown, not before",
    "lost_wakeup": "range end wakes nobody",
    "end_lost": "range end does not count ms_range_active down: a begin without its end",
    "wrap_no_flush": "ASIDs are given out again without emptying the TLB",
    "dropin_writable": "drop-ins grant writing whatever the pte says",
}

Race = Literal[
    # the interrupt handler walks the page table step by step, under no lock that whoever frees tables takes
    "walk_in_steps",
    # the placement check unloads a context, and its caller goes on with the place it had before
    "place_after_unload",
    # a shootdown of base pages is not sent to an entry of a larger page that contains them
    "large_not_flushed",
    # the page count of a shootdown is cut to its ten bits: 1,025 pages are one
    "long_wraps",
    # a shootdown of length 0 covers one page, not the whole address space
    "empty_is_one",
    # the region of a shootdown's ASID is taken from two bits of the address instead of three
    "region_short",
    # an address space keeps its ASID although they were given out anew since it was unloaded
    "old_generation",
    # close takes the notifier out of the chain and unloads the context afterwards
    "unregister_first",
    # a write that met a clean entry is restarted only: the page is writable, so the entry is thought to be gone
    "upgrade_assumed",
]
"""A mistake of a real driver that needs an order of its own to show: found by a search over orders (sw_stack/workloads/explored),
not by the hunts."""

MIN_ASID = 8
MAX_ASID = 0xFFFFF0
ASID_STEP = 8


@dataclass(frozen=True, slots=True)
class DriverPolicy:
    """`assign_delay` and `steal_delay` are the kernel's 20 ms and 200 ms, scaled down so that a run sees many of them."""

    dropin: Dropin = "interrupt"
    tlb_mode: UserOption = "FMM_INTR"
    preload_pages: int = 0
    """Pages dropped in ahead of a BCOPY that missed (tlb_preload_count)."""
    max_asid: int = MAX_ASID
    """ASIDs are given out from MIN_ASID below this; a small value makes wraps frequent."""
    assign_delay: int = 10_000
    """Cycles a fault waits for a context to become free before it looks again."""
    steal_delay: int = 100_000
    """Cycles during which a context that was stolen from does not steal."""
    mutant: Mutant | Race | None = None

    def __post_init__(self) -> None:
        check_choice("driver policy", "dropin", self.dropin, Dropin)
        check_choice("driver policy", "tlb_mode", self.tlb_mode, UserOption)
        check_choice("driver policy", "mutant", self.mutant, Literal[Mutant, Race], optional=True)
        if self.preload_pages < 0:
            raise ValueError(f"driver policy: preload_pages {self.preload_pages} is negative")
        if self.max_asid % ASID_STEP or not MIN_ASID + ASID_STEP <= self.max_asid <= MAX_ASID:
            raise ValueError(f"driver policy: max_asid {self.max_asid:#x} is not a multiple of 8 in 0x10..{MAX_ASID:#x}")
