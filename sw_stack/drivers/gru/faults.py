"""Misses: from the interrupt or from the user's call to the drop-in that answers them.

Every miss has one owner at a time. In MISS_FMM it is the interrupt handler of the fault map that shows it; the device keeps the
context loaded meanwhile. In MISS_UPM it is the user, who calls the driver; ts_ctxlock keeps the context loaded. USER_POLLING_MODE
passes the miss from the first to the second and never back.

Promises
  A drop-in answers the miss its fault handle showed *before* ms_range_active and the page table were read, and nobody else can
  restart that control block in between. tlbpurge.py says what hangs on it. gru_update_cch, which restarts every miss of the
  context, therefore ends an attempt: the handle is read anew.
  In atomic context (the handler) nothing sleeps: mmap_lock is only tried, the page table only looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hwif.fields import Line
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.gen.gru import LINE_BYTES, PAGE_SHIFT, PAGE_SHIFTS, Cbe, CbOpc, HandleStatus, Tfh, TfhCause, TfhState
from sw_stack.drivers.gru.contexts import gru_update_cch
from sw_stack.drivers.gru.handles import (
    gru_pagesize,
    tfh_exception,
    tfh_restart,
    tfh_user_polling_mode,
    tfh_write_only,
    tfh_write_restart,
    tfm_swap,
)
from sw_stack.drivers.gru.state import DriverCore, GruError, GruState, GruThreadState
from sw_stack.mm.types import MmError

__all__ = ["DropinResult", "gru_intr", "gru_try_dropin", "gru_user_dropin"]

PAGE_MASK = -1 << PAGE_SHIFT
# In MISS_* the device has a request for the driver; elsewhere a command would answer nothing.
PENDING = (TfhState.MISS_FMM, TfhState.MISS_UPM)


class DropinResult(Enum):
    """What became of a miss."""

    DONE = "answered, or nothing to answer"
    RETRY = "read the handle again when no range is active"
    AGAIN = "the context has no ASID: touch the segment first"
    FAULT = "no mapping: the instruction ended in an exception"


class VtopFailure(Enum):
    """Why there is no translation."""

    INVALID = "no mapping, or not with this right"
    RETRY = "only a sleeping lookup can tell"


@dataclass(frozen=True, slots=True)
class Target:
    """What to drop in: first frame and size of the page."""

    pfn: int
    shift: int


async def gru_vtop(drv: DriverCore, gts: GruThreadState, vaddr: int, write: bool, atomic: bool) -> Target | VtopFailure:
    """Look the page up. Needs mmap_lock for reading. Faults it in unless `atomic`."""
    mm = gts.ts_mm
    if gts.ts_gms.ms_released:
        return VtopFailure.INVALID
    if atomic and drv.policy.mutant == "walk_in_steps":
        found = await mm.follow_page_in_steps(vaddr, write)
    else:
        await drv.sched.charge(timing.SW_PAGE_WALK)
        found = mm.follow_page(vaddr, write)
    if found is None or (write and not found.dirty):
        if atomic:
            return VtopFailure.RETRY
        try:
            found = await mm.get_user_pages(vaddr, write)
        except MmError:
            return VtopFailure.INVALID
    # A page of a size the device does not have is entered as a piece of the next smaller size.
    shift = max(size for size in PAGE_SHIFTS.values() if size <= found.shift)
    return Target(found.pfn & -1 << (shift - PAGE_SHIFT), shift)


# ---- drop-in -----------------------------------------------------------------------------------------------------------


async def gru_try_dropin(drv: DriverCore, gru: GruState, gts: GruThreadState, cbr: int, tfh: Line, *, atomic: bool) -> DropinResult:
    """Answer the miss of a control block, if it can be answered now. `atomic`: from the interrupt handler.

    Needs `tfh`, the handle read just now; mmap_lock for reading; ts_ctxlock unless `atomic`.
    """
    port, stats = gru.gs_port, drv.stats
    if Tfh.status.get(tfh) != HandleStatus.EXCEPTION:
        # The device may be about to show it: look once more.
        tfh = await port.read_line(port.tfh(cbr))
        if Tfh.status.get(tfh) != HandleStatus.EXCEPTION:
            stats.tlb_dropin_fail_no_exception += 1
            return DropinResult.DONE
        stats.tfh_stale_on_fault += 1
    state = Tfh.state.get(tfh)
    if state not in PENDING:
        stats.tlb_dropin_fail_idle += 1
        return DropinResult.DONE
    if state == TfhState.MISS_FMM and not atomic:
        stats.tlb_dropin_fail_fmm += 1  # the handler is on its way
        return DropinResult.DONE

    write = bool(Tfh.cause.get(tfh) & TfhCause.TLB_MOD)
    vaddr, asid = Tfh.missvaddr.get(tfh), Tfh.missasid.get(tfh)
    if asid == 0:
        stats.tlb_dropin_fail_no_asid += 1
        if atomic:
            await _user_polling(drv, gru, cbr, tfh)
        return DropinResult.AGAIN

    # After the handle, never before: see tlbpurge.py.
    drv.sched.touch(gts.ts_gms.ms_wait_queue)
    if gts.ts_gms.ms_range_active and drv.policy.mutant != "ignore_range_active":
        stats.tlb_dropin_fail_range_active += 1
        if atomic:
            await _user_polling(drv, gru, cbr, tfh)
        return DropinResult.RETRY

    if write and drv.policy.mutant == "upgrade_assumed":
        found = gts.ts_mm.follow_page(vaddr, write)
        if found is not None and found.dirty:
            await tfh_restart(port, cbr, tfh)
            return DropinResult.DONE

    target = await gru_vtop(drv, gts, vaddr, write, atomic)
    if target is VtopFailure.INVALID:
        drv.trace.emit(drv.sched.now, TraceEvent.DRV_EXCEPTION, cbr, vaddr)
        await tfh_exception(port, cbr, tfh)
        stats.tlb_dropin_fail_invalid += 1
        return DropinResult.FAULT
    if not isinstance(target, Target):
        await _user_polling(drv, gru, cbr, tfh)
        stats.tlb_dropin_fail_upm += 1
        return DropinResult.RETRY

    if drv.policy.mutant == "large_not_flushed" and target.shift > PAGE_SHIFT:
        gts.ts_gms.ms_large.add((vaddr & -1 << target.shift, target.shift))
    size = 1 << gru_pagesize(target.shift)
    if not gts.ts_sizeavail & size:
        return await _add_page_size(drv, gru, gts, cbr, tfh, size, atomic)

    if drv.policy.preload_pages and target.shift == PAGE_SHIFT:
        await _gru_preload_tlb(drv, gru, gts, cbr, tfh, atomic)
    gts.ustats.tlbdropin += 1
    stats.tlb_dropin += 1
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_DROPIN, cbr, vaddr, target.pfn, int(write))
    dirty = write or drv.policy.mutant == "dropin_writable"
    await tfh_write_restart(port, cbr, tfh, vaddr, asid, target.pfn, dirty, gru_pagesize(target.shift))
    return DropinResult.DONE


async def _user_polling(drv: DriverCore, gru: GruState, cbr: int, tfh: Line) -> None:
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_UPM, cbr, Tfh.missvaddr.get(tfh))
    await tfh_user_polling_mode(gru.gs_port, cbr, tfh)


async def _add_page_size(
    drv: DriverCore, gru: GruState, gts: GruThreadState, cbr: int, tfh: Line, size: int, atomic: bool
) -> DropinResult:
    """The page has a size the context does not look for yet. Only the user's side may stop and start the context."""
    gts.ts_sizeavail |= size
    if atomic:
        gts.ts_force_cch_reload = True
        await _user_polling(drv, gru, cbr, tfh)
        drv.stats.tlb_dropin_fail_upm += 1
        return DropinResult.RETRY
    if not await gru_update_cch(drv, gts):
        raise GruError(f"context {gts.ts_ctxnum} is loaded but not running")
    # START looked every pending miss up again. What this handle shows now is another miss, perhaps younger than a shootdown
    # that followed the lookup above: the translation found is void.
    return DropinResult.RETRY


async def _gru_preload_tlb(drv: DriverCore, gru: GruState, gts: GruThreadState, cbr: int, tfh: Line, atomic: bool) -> None:
    """Drop in the pages a BCOPY will reach next, far to near, up to the one that missed. Stops at the first it cannot get."""
    cbe = await gru.gs_port.read_line(gru.gs_port.cbe(cbr))
    if Cbe.opccpy.get(cbe) != CbOpc.BCOPY:
        return
    write, vaddr = bool(Tfh.cause.get(tfh) & TfhCause.TLB_MOD), Tfh.missvaddr.get(tfh)
    if vaddr == Cbe.idef1upd.get(cbe):
        last = vaddr + LINE_BYTES * Cbe.idef6cpy.get(cbe) - 1
    elif vaddr == Cbe.idef3upd.get(cbe):
        last = vaddr + (1 << Cbe.xtypecpy.get(cbe)) * Cbe.idef5upd.get(cbe) - 1
    else:
        return
    near = vaddr & PAGE_MASK
    page = min(last & PAGE_MASK, near + (drv.policy.preload_pages << PAGE_SHIFT))
    while page > near:
        target = await gru_vtop(drv, gts, page, write, atomic)
        if not isinstance(target, Target) or not gts.ts_sizeavail & 1 << gru_pagesize(target.shift):
            return
        drv.trace.emit(drv.sched.now, TraceEvent.DRV_DROPIN, cbr, page, target.pfn, int(write))
        size = gru_pagesize(target.shift)
        await tfh_write_only(gru.gs_port, cbr, tfh, page, Tfh.missasid.get(tfh), target.pfn, write, size)
        drv.stats.tlb_preload_page += 1
        page -= 1 << PAGE_SHIFT


# ---- interrupt ---------------------------------------------------------------------------------------------------------


def _bits(bitmap: int) -> list[int]:
    """Numbers of the set bits, ascending."""
    found = []
    while bitmap:
        found.append((bitmap & -bitmap).bit_length() - 1)
        bitmap &= bitmap - 1
    return found


async def gru_intr(drv: DriverCore, gru: GruState, core: int) -> None:
    """Interrupt handler of one core's fault map. Context: interrupt, nothing may sleep."""
    drv.stats.intr += 1
    faults, done = await tfm_swap(gru.gs_port, core)
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_INTR, core, faults.bit_count())
    for cbr in _bits(done):
        drv.stats.intr_cbr += 1
        gru.gs_cbr_done[cbr].wake_all()
    for cbr in _bits(faults):
        drv.stats.intr_tfh += 1
        await _intr_fault(drv, gru, cbr)
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_INTR_DONE, core)


async def _intr_fault(drv: DriverCore, gru: GruState, cbr: int) -> None:
    """One miss. Its context cannot change before a command restarts it or hands it over: the fault bit locks it."""
    port = gru.gs_port
    tfh = await port.read_line(port.tfh(cbr))
    drv.sched.touch(gru.gs_lock)
    gts = gru.gs_gts[Tfh.ctxnum.get(tfh)]
    if gts is None:
        drv.stats.intr_spurious += 1
        return
    drv.stats.intr_fmm += 1
    gts.ustats.fmm_tlbmiss += 1
    drv.sched.touch(gts.ts_ctxlock)  # ts_force_cch_reload, ts_sizeavail: changed under it, or by the handler
    if drv.policy.dropin == "interrupt" and not gts.ts_force_cch_reload and gts.ts_mm.mmap_lock.down_read_trylock():
        try:
            await gru_try_dropin(drv, gru, gts, cbr, tfh, atomic=True)
        finally:
            gts.ts_mm.mmap_lock.up_read()
        return
    if drv.policy.dropin == "interrupt":
        drv.stats.intr_mm_lock_failed += 1
    if Tfh.state.get(tfh) == TfhState.MISS_FMM:
        await _user_polling(drv, gru, cbr, tfh)


# ---- user --------------------------------------------------------------------------------------------------------------


async def gru_user_dropin(drv: DriverCore, gru: GruState, gts: GruThreadState, cbr: int) -> DropinResult:
    """Answer a miss in the user's context, sleeping while a range is active. Needs mmap_lock for reading and ts_ctxlock.

    Whoever has a range active does not need either of them to end it: with mmap_lock held for writing it could not have begun.
    """
    gms = gts.ts_gms
    gts.ustats.upm_tlbmiss += 1
    while True:
        if drv.policy.mutant != "ignore_range_active":
            await gms.ms_wait_queue.wait_event(lambda: gms.ms_range_active == 0)
        tfh = await gru.gs_port.read_line(gru.gs_port.tfh(cbr))
        result = await gru_try_dropin(drv, gru, gts, cbr, tfh, atomic=False)
        if result is not DropinResult.RETRY:
            return result
        drv.stats.call_os_wait_queue += 1
