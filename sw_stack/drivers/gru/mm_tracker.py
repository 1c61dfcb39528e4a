"""ASIDs: which address space owns which, on each chiplet.

An address space gets a block of eight (one a region) when a context of it is first loaded and keeps it across unloads. Blocks
are given out upwards. At the limit, the next block in use by a loaded context or the end of the space, the TLB is emptied and
the next free stretch is found; at the end of the space the search wraps and the generation counts up.

Promises: two address spaces with loaded contexts never share an ASID, and an ASID is given out again only after its old entries
are gone:
  a block kept by an address space without loaded contexts is worthless once the generation has changed (gru_load_mm_tracker),
  and every stretch that is entered anew was preceded by gru_flush_all_tlb.
Needs: ts_ctxlock of the context. Takes ms_asid_lock, then gs_asid_lock.
"""

from __future__ import annotations

from sw_stack.drivers.gru.policy import ASID_STEP, MIN_ASID
from sw_stack.drivers.gru.state import DriverCore, GruError, GruState, GruThreadState
from sw_stack.drivers.gru.tlbpurge import gru_flush_all_tlb

__all__ = ["gru_load_mm_tracker", "gru_unload_mm_tracker"]


def _gru_wrap_asid(drv: DriverCore, gru: GruState) -> int:
    """Begin again at the bottom, in a new generation."""
    drv.stats.asid_wrap += 1
    gru.gs_asid_gen += 1
    return MIN_ASID


def _asids_in_use(gru: GruState) -> set[int]:
    """Blocks of the contexts on the chiplet. Those being loaded count too: they may be about to use theirs again."""
    found = set()
    for gts in gru.gs_gts:
        if gts is not None:
            found.add(gts.ts_gms.ms_asids[gru.gs_gid].mt_asid)
    found.discard(0)
    return found


async def _gru_reset_asid_limit(drv: DriverCore, gru: GruState, asid: int) -> int:
    """The first free block from `asid` on, with gs_asid_limit at the end of its free stretch."""
    drv.stats.asid_next += 1
    wraps = 0
    await gru_flush_all_tlb(drv, gru)
    in_use = _asids_in_use(gru)
    while True:
        if asid >= drv.policy.max_asid:
            if wraps == 2:
                raise GruError(f"chiplet {gru.gs_gid}: all ASIDs below {drv.policy.max_asid:#x} are in use")
            wraps += 1
            asid = _gru_wrap_asid(drv, gru)
        if asid not in in_use:
            break
        asid += ASID_STEP
    gru.gs_asid = asid
    gru.gs_asid_limit = min((used for used in in_use if used > asid), default=drv.policy.max_asid)
    return asid


async def _gru_assign_asid(drv: DriverCore, gru: GruState) -> int:
    asid = gru.gs_asid + ASID_STEP
    if asid < gru.gs_asid_limit:
        gru.gs_asid = asid
        return asid
    return await _gru_reset_asid_limit(drv, gru, asid)


async def gru_load_mm_tracker(drv: DriverCore, gru: GruState, gts: GruThreadState) -> int:
    """The context is about to run on the chiplet: from here on shootdowns go there. Its base ASID."""
    gms = gts.ts_gms
    tracker = gms.ms_asids[gru.gs_gid]
    bit = 1 << gts.ts_ctxnum
    async with gms.ms_asid_lock:
        async with gru.gs_asid_lock:
            old = tracker.mt_asid_gen != gru.gs_asid_gen and drv.policy.mutant != "old_generation"
            if tracker.mt_asid == 0 or (tracker.mt_ctxbitmap == 0 and old):
                tracker.mt_asid = await _gru_assign_asid(drv, gru)
                tracker.mt_asid_gen = gru.gs_asid_gen
                drv.stats.asid_new += 1
            else:
                drv.stats.asid_reuse += 1
        if tracker.mt_ctxbitmap & bit:
            raise GruError(f"context {gts.ts_ctxnum} is loaded twice")
        tracker.mt_ctxbitmap |= bit
        gms.ms_asidmap.add(gru.gs_gid)
        return tracker.mt_asid


async def gru_unload_mm_tracker(gru: GruState, gts: GruThreadState) -> None:
    """The context has stopped and nothing of it is in flight: shootdowns need not reach it."""
    gms = gts.ts_gms
    async with gms.ms_asid_lock:
        gms.ms_asids[gru.gs_gid].mt_ctxbitmap &= ~(1 << gts.ts_ctxnum)
