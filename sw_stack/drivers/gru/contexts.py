"""Contexts: assign, load, unload, steal, and change while loaded.

Promises
  While a context is loaded, shadow.ctx_mm names its address space: set before it can run, cleared after its last access.
  Nobody touches the segment of a context that is being taken away: the user's mapping goes first, accesses on the bus are
  waited for, and a processor that spins on one of its control blocks is thrown off and faults.
Needs: ts_ctxlock held by the caller wherever a placement changes, except in gru_steal_context, which try-locks its victim's.
"""

from __future__ import annotations

from hwif.fields import Line, new_line
from hwif.gen.events import TraceEvent
from hwif.gen.gru import DSR_AU_BYTES, HANDLE_BYTES, NUM_CTX, NUM_REGION, Cb, Cch, CchState
from hwif.port import LineKind, Snoop
from sw_stack.drivers.gru.handles import (
    HandlePort,
    cch_allocate,
    cch_deallocate,
    cch_failure,
    cch_interrupt,
    cch_interrupt_sync,
    cch_start,
)
from sw_stack.drivers.gru.mm_tracker import gru_load_mm_tracker, gru_unload_mm_tracker
from sw_stack.drivers.gru.state import DriverCore, GruError, GruState, GruThreadState, SavedContext

__all__ = [
    "gru_assign_gru_context",
    "gru_free_gru_context",
    "gru_load_context",
    "gru_steal_context",
    "gru_unload_context",
    "gru_update_cch",
]

DSR_LINES_PER_AU = DSR_AU_BYTES // HANDLE_BYTES


# ---- resources ---------------------------------------------------------------------------------------------------------


def _reserve(free: int, count: int) -> tuple[int, list[int]]:
    """The lowest `count` set bits of `free`: as a map, and their numbers."""
    taken, numbers = 0, []
    for _ in range(count):
        bit = (free & -free).bit_length() - 1
        taken |= 1 << bit
        free &= free - 1
        numbers.append(bit)
    return taken, numbers


def _check_gru_resources(gru: GruState, gts: GruThreadState) -> bool:
    return (
        gru.gs_cbr_map.bit_count() >= gts.ts_cbr_au_count
        and gru.gs_dsr_map.bit_count() >= gts.ts_dsr_au_count
        and gru.gs_active_contexts < NUM_CTX
    )


async def gru_assign_gru_context(drv: DriverCore, gts: GruThreadState) -> bool:
    """Give the context a place on the least active chiplet that has room. False if none has."""
    fitting = [gru for gru in drv.grus if _check_gru_resources(gru, gts)]
    if not fitting:
        drv.stats.assign_context_failed += 1
        return False
    gru = min(fitting, key=lambda candidate: candidate.gs_active_contexts)
    async with gru.gs_lock:
        if not _check_gru_resources(gru, gts):  # somebody was quicker while this one waited for the lock
            drv.stats.assign_context_failed += 1
            return False
        gts.ts_cbr_map, gts.ts_cbr_idx = _reserve(gru.gs_cbr_map, gts.ts_cbr_au_count)
        gts.ts_dsr_map, _ = _reserve(gru.gs_dsr_map, gts.ts_dsr_au_count)
        gru.gs_cbr_map &= ~gts.ts_cbr_map
        gru.gs_dsr_map &= ~gts.ts_dsr_map
        gru.gs_active_contexts += 1
        gts.ts_ctxnum = gru.gs_gts.index(None)
        gru.gs_gts[gts.ts_ctxnum] = gts
        gts.ts_gru = gru
    drv.stats.assign_context += 1
    return True


async def gru_free_gru_context(drv: DriverCore, gru: GruState, gts: GruThreadState) -> None:
    """Give the place back."""
    async with gru.gs_lock:
        gru.gs_gts[gts.ts_ctxnum] = None
        gru.gs_cbr_map |= gts.ts_cbr_map
        gru.gs_dsr_map |= gts.ts_dsr_map
        gru.gs_active_contexts -= 1
        gts.ts_gru = None
        gts.ts_ctxnum = -1
        gts.ts_cbr_map = gts.ts_dsr_map = 0
        gts.ts_cbr_idx = []
        gts.ts_tlb_int_select = -1
    drv.stats.free_context += 1


# ---- load --------------------------------------------------------------------------------------------------------------


def _check(word: int, what: str, gts: GruThreadState) -> None:
    failure = cch_failure(word)
    if failure is not None:
        raise GruError(f"{what} of context {gts.ts_ctxnum} failed: {failure}")


def _select_interrupt(drv: DriverCore, gts: GruThreadState, cch: Line) -> None:
    """Misses go to the core that runs the user now."""
    interrupts = gts.ts_user_options == "FMM_INTR"
    Cch.tfm_fault_bit_enable.put(cch, int(interrupts))
    Cch.tlb_int_enable.put(cch, int(interrupts))
    if interrupts:
        gts.ts_tlb_int_select = gts.fault_map_id(drv)
        Cch.tlb_int_select.put(cch, gts.ts_tlb_int_select)


def _set_sizeavail(gts: GruThreadState, cch: Line) -> None:
    width = Cch.sizeavail.width // NUM_REGION
    Cch.sizeavail.put(cch, sum(gts.ts_sizeavail << width * region for region in range(NUM_REGION)))


async def gru_load_context(drv: DriverCore, gts: GruThreadState) -> None:
    """Bring the context to its assigned place and let it run."""
    gru = gts.ts_gru
    if gru is None:
        raise GruError(f"context {gts.ts_number} has no place to be loaded to")
    ctx, port = gts.ts_ctxnum, gru.gs_port
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_LOAD_BEGIN, ctx, gts.ts_mm.id, gts.ts_number)
    cch = new_line()
    Cch.dsr_allocation_map.put(cch, gts.ts_dsr_map)
    Cch.cbr_allocation_map.put(cch, gts.ts_cbr_map)
    async with gru.gs_cch_lock[ctx]:
        asid = await gru_load_mm_tracker(drv, gru, gts)
        width = Cch.asid.width // NUM_REGION
        Cch.asid.put(cch, sum(asid + region << width * region for region in range(NUM_REGION)))
        _set_sizeavail(gts, cch)
        _select_interrupt(drv, gts, cch)
        if gts.ts_cch_req_slice >= 0:
            Cch.req_slice_set_enable.put(cch, 1)
            Cch.req_slice.put(cch, gts.ts_cch_req_slice)
        _check(await cch_allocate(port, ctx, cch), "ALLOCATE", gts)
        await _restore(port, gts)
        drv.shadow.set_context(ctx, gts.ts_mm.id)
        _check(await cch_start(port, ctx, cch), "START", gts)
    drv.stats.load_user_context += 1
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_LOAD, ctx, gts.ts_mm.id)


async def _restore(port: HandlePort, gts: GruThreadState) -> None:
    """Saved contents, or zeros so that no user reads what another left.

    A control block goes back with its start bit clear: what it was doing is in the extension, and START goes on from there.
    """
    saved, ctx, write = gts.ts_gdata, gts.ts_ctxnum, port.sched.mmio_write
    for ucbnum, cbr in enumerate(gts.cbrs()):
        line = saved.cbs[ucbnum] if saved else new_line()
        Cb.icmd.put(line, 0)
        await write(port.cb(ctx, ucbnum), line)
        await write(port.cbe(cbr), saved.cbes[ucbnum] if saved else new_line())
    for index in range(gts.ts_dsr_au_count * DSR_LINES_PER_AU):
        await write(port.dsr(ctx, index * HANDLE_BYTES), saved.dsr[index] if saved else new_line())


# ---- unload ------------------------------------------------------------------------------------------------------------


async def _zap_user_mapping(drv: DriverCore, gru: GruState, gts: GruThreadState) -> None:
    """Take the segment out of the user's page table and off its processors."""
    gts.ts_mapped = False
    # A processor that spins on a control block holds its line. The flush of the user's mapping takes the line away: it looks
    # again, faults, and waits for the context to be loaded elsewhere.
    for cbr in gts.cbrs():
        drv.sched.deliver(Snoop(drv.sched.now, LineKind.CB, cbr))
    await gts.ts_user_mmio_wait.wait_event(lambda: gts.ts_user_mmio == 0)


async def gru_unload_context(drv: DriverCore, gts: GruThreadState, savestate: bool) -> None:
    """Stop the context, keep its state if wanted, and free its place. Needs ts_ctxlock; may sleep.

    INTERRUPT_SYNC waits for two things: misses in fault-map mode, which the interrupt handler answers without this context's
    locks, and accesses in flight. After it nothing of the context moves, so its shootdowns may go elsewhere.
    """
    gru = gts.ts_gru
    if gru is None:
        return
    ctx, port = gts.ts_ctxnum, gru.gs_port
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_UNLOAD_BEGIN, ctx, gts.ts_mm.id, gts.ts_number)
    await _zap_user_mapping(drv, gru, gts)
    async with gru.gs_cch_lock[ctx]:
        cch = await port.read_line(port.cch(ctx))
        _check(await cch_interrupt_sync(port, ctx, cch), "INTERRUPT_SYNC", gts)
        await gru_unload_mm_tracker(gru, gts)
        drv.shadow.set_context(ctx, 0)
        if savestate:
            gts.ts_gdata = await _save(port, gts)
        _check(await cch_deallocate(port, ctx, cch), "DEALLOCATE", gts)
    drv.stats.unload_user_context += 1
    drv.trace.emit(drv.sched.now, TraceEvent.DRV_UNLOAD, ctx, gts.ts_mm.id)
    await gru_free_gru_context(drv, gru, gts)


async def _save(port: HandlePort, gts: GruThreadState) -> SavedContext:
    saved, ctx = SavedContext(), gts.ts_ctxnum
    for ucbnum, cbr in enumerate(gts.cbrs()):
        saved.cbs.append(await port.read_line(port.cb(ctx, ucbnum)))
        saved.cbes.append(await port.read_line(port.cbe(cbr)))
    for index in range(gts.ts_dsr_au_count * DSR_LINES_PER_AU):
        saved.dsr.append(await port.read_line(port.dsr(ctx, index * HANDLE_BYTES)))
    return saved


# ---- change ------------------------------------------------------------------------------------------------------------


async def gru_update_cch(drv: DriverCore, gts: GruThreadState) -> bool:
    """Give a running context its present page sizes and interrupt target. Needs ts_ctxlock. False if it is not running.

    Every pending miss of the context is looked up again afterwards: whoever held one has to read its fault handle anew.
    """
    gru, ctx = gts.ts_gru, gts.ts_ctxnum
    if gru is None:
        return False
    port = gru.gs_port
    async with gru.gs_cch_lock[ctx]:
        cch = await port.read_line(port.cch(ctx))
        if Cch.state.get(cch) != CchState.ACTIVE:
            return False
        _check(await cch_interrupt(port, ctx, cch), "INTERRUPT", gts)
        _set_sizeavail(gts, cch)
        _select_interrupt(drv, gts, cch)
        _check(await cch_start(port, ctx, cch), "START", gts)
    return True


# ---- steal -------------------------------------------------------------------------------------------------------------


def _next_ctxnum(ctxnum: int) -> int:
    """Where the search for a victim begins: it advances with each theft and, as on the real machine, never begins at 15."""
    return ctxnum + 1 if ctxnum < NUM_CTX - 2 else 0


async def gru_steal_context(drv: DriverCore, gts: GruThreadState) -> bool:
    """Unload somebody else's context so that `gts` may find room. Needs: no ts_ctxlock held. False if nobody could be robbed.

    The victim's ts_ctxlock is taken under chiplet locks, against the order, so it is only tried.
    """
    victim: GruThreadState | None = None
    blade = drv.blade
    async with blade.bs_lock:
        blade.bs_lru_ctxnum = _next_ctxnum(blade.bs_lru_ctxnum)
        if blade.bs_lru_ctxnum == 0:
            blade.bs_lru_gru = (blade.bs_lru_gru + 1) % len(blade.bs_grus)
        count = len(blade.bs_grus)
        for step in range(NUM_CTX * count):
            place = blade.bs_lru_ctxnum + step
            gru = blade.bs_grus[(blade.bs_lru_gru + place // NUM_CTX) % count]
            async with gru.gs_lock:
                candidate = gru.gs_gts[place % NUM_CTX]
                if candidate is not None and candidate is not gts and candidate.ts_ctxlock.try_acquire():
                    victim = candidate
                    break
    if victim is None:
        drv.stats.steal_context_failed += 1
        return False
    try:
        if victim.ts_gru is not None:
            drv.stats.steal_user_context += 1
            gts.ustats.context_stolen += 1
            drv.trace.emit(drv.sched.now, TraceEvent.DRV_STEAL, victim.ts_ctxnum, victim.ts_mm.id)
            victim.ts_steal_jiffies = drv.sched.now
            await gru_unload_context(drv, victim, savestate=True)
    finally:
        victim.ts_ctxlock.release()
    return True
