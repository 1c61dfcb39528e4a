"""The driver's counters, under the names of the kernel's gru_stats_s (/proc/sgi_uv/gru/statistics)."""

from __future__ import annotations

from dataclasses import dataclass

from sw_stack.drivers.counters import Counters

__all__ = ["GruStats"]


@dataclass(slots=True)
class GruStats(Counters):
    """One counter an event."""

    # objects
    gts_alloc: int = 0
    gts_free: int = 0
    gms_alloc: int = 0
    gms_free: int = 0
    # contexts
    assign_context: int = 0
    assign_context_failed: int = 0
    free_context: int = 0
    load_user_context: int = 0
    unload_user_context: int = 0
    steal_user_context: int = 0
    steal_context_failed: int = 0
    nopfn: int = 0
    set_context_option: int = 0
    check_context_retarget_intr: int = 0
    user_unload_context: int = 0
    # address-space identifiers
    asid_new: int = 0
    asid_next: int = 0
    asid_wrap: int = 0
    asid_reuse: int = 0
    # interrupts
    intr: int = 0
    intr_cbr: int = 0
    intr_tfh: int = 0
    intr_fmm: int = 0
    intr_spurious: int = 0
    intr_mm_lock_failed: int = 0
    # calls from the user
    call_os: int = 0
    call_os_wait_queue: int = 0
    user_flush_tlb: int = 0
    user_exception: int = 0
    # drop-ins
    tlb_dropin: int = 0
    tlb_preload_page: int = 0
    tlb_dropin_fail_no_asid: int = 0
    tlb_dropin_fail_upm: int = 0
    tlb_dropin_fail_invalid: int = 0
    tlb_dropin_fail_range_active: int = 0
    tlb_dropin_fail_idle: int = 0
    tlb_dropin_fail_fmm: int = 0
    tlb_dropin_fail_no_exception: int = 0
    tfh_stale_on_fault: int = 0
    # shootdowns
    mmu_invalidate_range: int = 0
    mmu_invalidate_page: int = 0
    flush_tlb: int = 0
    flush_tlb_gru: int = 0
    flush_tlb_gru_tgh: int = 0
    flush_tlb_gru_zero_asid: int = 0
