"""The hypervisor's counters."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["KvmStats"]


@dataclass(slots=True)
class KvmStats(Counters):
    """One counter an event; `references` is a level."""

    # faults
    faults: int = 0
    """Exits of a guest for want of an spte, or of a right."""
    retries: int = 0
    """Lookups overtaken by an invalidation."""
    blocked: int = 0
    """Lookups put off because a range was active."""
    upgrades: int = 0
    """Read-only sptes replaced by writable ones."""
    errors: int = 0
    """Faults that ended as an exception of the guest."""
    # sptes
    sptes_made: int = 0
    sptes_dropped: int = 0
    references: int = 0
    """References held on pages, now."""
    # invalidation
    range_begin: int = 0
    range_end: int = 0
    invalidate_page: int = 0
    nothing_mapped: int = 0
    """Callbacks that concern no memory slot."""
    aged: int = 0
    """Questions of age_page answered with "used"."""
    released: int = 0
    # guest TLBs
    flushes: int = 0
    kicks: int = 0
    """Vcpus that were in the guest and had to be interrupted and waited for."""
    tlb_hits: int = 0
    tlb_fills: int = 0
    # memory slots
    slots_added: int = 0
    slots_removed: int = 0
    slot_waits: int = 0
    """Changes put off because an invalidation was under way."""
