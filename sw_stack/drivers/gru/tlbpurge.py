"""Shootdowns, and the notifier callbacks that ask for them.

Promises
  When invalidate_page or invalidate_range_begin returns, the device holds no translation of the range, no access that used
  one is in flight, and none can come back: until range end for a range, until the pte is set again for a page.
Needs: nothing but ms_asid_lock and a TGH lock, both spinlocks, so every callback but release may run under a pte lock.
Costs: one TGH command and its wait per chiplet that runs the address space; nothing if it runs nowhere.

Why a page needs no ms_range_active. invalidate_page is called under the pte lock, with the pte already clear. A drop-in that
still holds the old pte read it before, and read its fault handle before that:

    drop-in                               invalidate_page                     device
    reads the handle: miss M pending                                          M parked, log position noted
    reads the old pte                     (pte cleared)
                                          shootdown ─────────────────────▶    accepted: after M in the log
    writes the drop-in ────────────────────────────────────────────────▶    compares M's position: dropped; M misses again
                                          status seen, returns                covered entries dead, accesses drained

If the drop-in lands before the shootdown it is an ordinary entry and dies with the others. A drop-in that reads the pte later
finds it clear, and whoever would fill the pte needs the pte lock, which is held until the callback has returned. All of this
hangs on one condition: the drop-in answers the very miss that was pending before the pte was read. faults.py keeps it.

A range is not under one pte lock: its ptes change between begin and end while others may still be read. So begin counts
ms_range_active up *before* its shootdown, and a drop-in reads the count *after* its fault handle. Either the drop-in sees the
count, or its miss is older than the shootdown and the device drops it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hwif.gen.events import TraceEvent
from hwif.gen.gru import INVAL_ALL_N, NUM_TGH, PAGE_SHIFT, REGION_LSB, HandleStatus
from sw_stack.drivers.gru.handles import tgh_flush_all, tgh_invalidate, tgh_wait
from sw_stack.drivers.gru.state import DriverCore, GruError, GruMmStruct, GruState
from sw_stack.mm.mm import Mm
from sw_stack.notifier import MmuNotifier

__all__ = ["GruNotifier", "gru_flush_all_tlb", "gru_flush_tlb_range"]

PAGE = 1 << PAGE_SHIFT
REGION = 1 << REGION_LSB
REGIONS = 1 << 64 - REGION_LSB
MAX_VADDR = 1 << 64
WHOLE = -1
"""Length that stands for everything from `start` to the end of its region."""


def _get_lock_tgh_handle(drv: DriverCore, gru: GruState) -> int | None:
    """A free handle, beginning at the processor's own; None if all are taken."""
    first = drv.sched.task().cpu
    for offset in range(NUM_TGH):
        index = (first + offset) % NUM_TGH
        if gru.gs_tgh_lock[index].try_acquire():
            return index
    return None


async def _locked_tgh(drv: DriverCore, gru: GruState) -> int:
    index = _get_lock_tgh_handle(drv, gru)
    if index is None:
        index = drv.sched.task().cpu % NUM_TGH
        await gru.gs_tgh_lock[index].acquire()
    if drv.policy.mutant == "free_before_ack":
        await tgh_wait(gru.gs_port, index)  # the last owner did not
    return index


async def _finish_tgh(drv: DriverCore, gru: GruState, index: int) -> None:
    """Wait for the acknowledgement and give the handle back."""
    if drv.policy.mutant != "free_before_ack":
        status = await tgh_wait(gru.gs_port, index)
        if status != HandleStatus.IDLE:
            raise GruError(f"shootdown handle {index} ended in {status.name}")
        drv.trace.emit(drv.sched.now, TraceEvent.DRV_SHOOTDOWN_DONE, index)
    gru.gs_tgh_lock[index].release()


async def _shoot(drv: DriverCore, gru: GruState, vaddr: int, asid: int, n: int, ctxbitmap: int) -> None:
    drv.stats.flush_tlb_gru_tgh += 1
    index = await _locked_tgh(drv, gru)
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_SHOOTDOWN, index, vaddr, asid, n)
    await tgh_invalidate(gru.gs_port, index, vaddr, asid, n, ctxbitmap)
    await _finish_tgh(drv, gru, index)


def _pieces(drv: DriverCore, start: int, length: int) -> list[tuple[int, int]]:
    """(first address, n) of the shootdowns that cover the range: one a region, each with its own ASID.

    A piece longer than the device counts purges the whole ASID, and so does length 0, as on the real machine.
    """
    mutant = drv.policy.mutant
    if length == 0:
        return [(start & -PAGE, 0 if mutant == "empty_is_one" else INVAL_ALL_N)]
    end = MAX_VADDR if length == WHOLE else min(start + length, MAX_VADDR)
    first, last = start & -PAGE, (end + PAGE - 1) & -PAGE
    if mutant == "flush_short":
        last -= PAGE
    pieces = []
    while first < last:
        stop = min(last, (first | REGION - 1) + 1)
        pages = INVAL_ALL_N + 1 if mutant == "flush_all" else (stop - first) >> PAGE_SHIFT
        n = (pages - 1) & INVAL_ALL_N if mutant == "long_wraps" else min(pages, INVAL_ALL_N + 1) - 1
        pieces.append((first, n))
        first = stop
    return pieces


async def gru_flush_tlb_range(drv: DriverCore, gms: GruMmStruct, start: int, length: int) -> None:
    """Take the range out of every chiplet. Context: may run atomic. On return: dead and drained.

    A chiplet on which no context of the address space is loaded needs no shootdown: its ASID is dropped instead, and the old
    entries can never be matched again.
    """
    if drv.policy.mutant == "no_flush" or (drv.policy.mutant == "large_not_flushed" and _inside_large(gms, start, length)):
        return
    regions = REGIONS // 2 if drv.policy.mutant == "region_short" else REGIONS
    drv.stats.flush_tlb += 1
    async with gms.ms_asid_lock:
        for gid in sorted(gms.ms_asidmap):
            drv.stats.flush_tlb_gru += 1
            gru, tracker = drv.grus[gid], gms.ms_asids[gid]
            if tracker.mt_ctxbitmap and tracker.mt_asid:
                for vaddr, n in _pieces(drv, start, length):
                    await _shoot(drv, gru, vaddr, tracker.mt_asid + (vaddr >> REGION_LSB) % regions, n, tracker.mt_ctxbitmap)
            else:
                drv.stats.flush_tlb_gru_zero_asid += 1
                if drv.policy.mutant != "stale_asid":
                    tracker.mt_asid = 0
                    gms.ms_asidmap.discard(gid)


def _inside_large(gms: GruMmStruct, start: int, length: int) -> bool:
    """True if an entry was made of a larger page that contains the range and more."""
    return length > 0 and any(base <= start < base + (1 << shift) and length < 1 << shift for base, shift in gms.ms_large)


async def gru_flush_all_tlb(drv: DriverCore, gru: GruState) -> None:
    """Empty a chiplet's TLB: ASIDs are about to be used again."""
    if drv.policy.mutant == "wrap_no_flush":
        return
    index = await _locked_tgh(drv, gru)
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_SHOOTDOWN, index, 0, 0, INVAL_ALL_N)
    await tgh_flush_all(gru.gs_port, index)
    await _finish_tgh(drv, gru, index)


class GruNotifier(MmuNotifier):
    """The callbacks of one address space."""

    def __init__(self, drv: DriverCore, gms: GruMmStruct, unload: Callable[[GruMmStruct], Awaitable[None]]) -> None:
        super().__init__()
        self._drv = drv
        self._gms = gms
        self._unload = unload

    async def release(self, mm: Mm) -> None:
        """The address space goes away: no drop-in from here on, every context unloaded, the ASIDs dropped. May sleep."""
        self._gms.ms_released = True
        await self._unload(self._gms)
        await gru_flush_tlb_range(self._drv, self._gms, 0, WHOLE)
        self._gms.ms_wait_queue.wake_all()

    async def age_page(self, mm: Mm, address: int) -> bool:
        """The device has no accessed bit. "Not young" lets reclaim go on to invalidate_page; a page in use misses again."""
        return False

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        """Context: pte lock held, pte already clear."""
        self._drv.stats.mmu_invalidate_page += 1
        await gru_flush_tlb_range(self._drv, self._gms, address, PAGE)

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        """Pairs with invalidate_range_end. Never sleeps, whatever `atomic` says: a shootdown is waited for by spinning."""
        self._drv.stats.mmu_invalidate_range += 1
        late = self._drv.policy.mutant == "count_late"
        self._gms.ms_range_active += not late
        await gru_flush_tlb_range(self._drv, self._gms, start, end - start)
        self._gms.ms_range_active += late

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        """Drop-ins may go on; whoever waited looks again."""
        self._gms.ms_range_active -= self._drv.policy.mutant != "end_lost"
        if self._drv.policy.mutant != "lost_wakeup":
            self._gms.ms_wait_queue.wake_all()
