"""The driver's counters."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["HcaStats"]


@dataclass(slots=True)
class HcaStats(Counters):
    """One counter an event."""

    # commands
    commands: int = 0
    command_slot_waits: int = 0
    fences: int = 0
    # regions
    mr_reg: int = 0
    mr_dereg: int = 0
    pages_pinned: int = 0
    pages_unpinned: int = 0
    memlock_refused: int = 0
    tables_alloc: int = 0
    tables_free: int = 0
    # faults
    intr: int = 0
    intr_spurious: int = 0
    fault_records: int = 0
    fault_pool_empty: int = 0
    fault_pages: int = 0
    fault_large_pages: int = 0
    fault_retry: int = 0
    fault_again: int = 0
    fault_error: int = 0
    fault_bad_key: int = 0
    fault_no_qp: int = 0
    resume_refused: int = 0
    # invalidation
    invalidate_range: int = 0
    invalidate_page: int = 0
    invalidate_nothing: int = 0
    invalidated_pages: int = 0
    aged_pages: int = 0
    released: int = 0
    # prefetch
    prefetch: int = 0
    prefetch_pages: int = 0
    prefetch_failed: int = 0
    # queues
    qp_create: int = 0
    qp_destroy: int = 0
    cq_create: int = 0
    cq_destroy: int = 0
    flushed: int = 0
    async_events: int = 0
    cq_events: int = 0
