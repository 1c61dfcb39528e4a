"""The driver's face: open and close contexts, answer the user's calls, run the interrupt handlers.

Promises: an address space is watched by one notifier from its first open to its last close or its release; `statistics()` is a
snapshot. Costs: the charges of hwif.gen.timing for system calls and faults, and the device accesses of the parts.
"""

from __future__ import annotations

from collections.abc import Sequence

from hwif.gen import timing
from hwif.gen.gru import CBR_AU, DSR_AU_BYTES, DSR_BYTES, NUM_CBR, Cbe
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.gru.contexts import (
    gru_assign_gru_context,
    gru_load_context,
    gru_steal_context,
    gru_unload_context,
    gru_update_cch,
)
from sw_stack.drivers.gru.faults import DropinResult, gru_intr, gru_user_dropin
from sw_stack.drivers.gru.policy import DriverPolicy, UserOption
from sw_stack.drivers.gru.state import DriverCore, GruError, GruMmStruct, GruState, GruThreadState
from sw_stack.drivers.gru.tlbpurge import GruNotifier, gru_flush_tlb_range
from sw_stack.mm.mm import Mm
from sw_stack.sched import Scheduler
from sw_stack.sched.scheduler import PRIORITY_IRQ

__all__ = ["GruDriver"]


class GruDriver(DriverCore):
    """The driver of `len(bases)` chiplets whose interrupts go to `cores` processors."""

    def __init__(
        self,
        sched: Scheduler,
        trace: Trace,
        shadow: Shadow,
        *,
        policy: DriverPolicy | None = None,
        cores: int = 2,
        bases: Sequence[int] = (0,),
    ) -> None:
        super().__init__(sched, trace, shadow, policy if policy is not None else DriverPolicy(), cores, bases)
        self._spaces: dict[Mm, tuple[GruMmStruct, GruNotifier]] = {}
        self._opened = 0

    def start(self) -> None:
        """Spawn one interrupt handler a core and chiplet."""
        for gru in self.grus:
            for core in range(self.cores):
                name = f"gru_intr{core}" if len(self.grus) == 1 else f"gru_intr{gru.gs_gid}.{core}"
                self.sched.spawn(self._interrupts(gru, core), name, core, daemon=True, priority=PRIORITY_IRQ)

    async def _interrupts(self, gru: GruState, core: int) -> None:
        task = self.sched.task()
        while True:
            await self.sched.wait_irq(core)
            task.atomic += 1
            try:
                await gru_intr(self, gru, core)
            finally:
                task.atomic -= 1

    def statistics(self) -> dict[str, int]:
        """Counters by their kernel names."""
        return self.stats.snapshot()

    def address_spaces(self) -> list[tuple[Mm, GruMmStruct]]:
        """Address spaces with open contexts, and what the driver keeps of each."""
        return [(mm, gms) for mm, (gms, _notifier) in self._spaces.items()]

    # ---- open and close --------------------------------------------------------------------------------------------

    async def open(
        self, mm: Mm, *, cbrs: int, dsr_bytes: int, user_option: UserOption | None = None, cpu: int | None = None
    ) -> GruThreadState:
        """A context of `cbrs` control blocks and `dsr_bytes` of data segment, rounded up to allocation units.

        It is loaded at its first use. Misses interrupt the processor that runs the user, or `cpu` if given. Takes mmap_lock
        for writing: the first context of an address space registers the notifier.
        """
        if not 0 < cbrs <= NUM_CBR:
            raise GruError(f"a context has 1..{NUM_CBR} control blocks, not {cbrs}")
        if not 0 < dsr_bytes <= DSR_BYTES:
            raise GruError(f"a context has 1..{DSR_BYTES} bytes of data segment, not {dsr_bytes}")
        await self.sched.charge(timing.SW_SYSCALL)
        async with mm.mmap_lock.writing():
            if not mm.alive:
                raise GruError("the address space is gone")
            if mm not in self._spaces:
                gms = GruMmStruct(self.sched, mm, len(self.grus))
                notifier = GruNotifier(self, gms, self._release)
                mm.notifiers.register(notifier)
                self._spaces[mm] = (gms, notifier)
                self.stats.gms_alloc += 1
            gms = self._spaces[mm][0]
            gts = GruThreadState(
                self.sched,
                gms,
                -(-cbrs // CBR_AU),
                -(-dsr_bytes // DSR_AU_BYTES),
                user_option if user_option is not None else self.policy.tlb_mode,
                self._opened,
                cpu,
            )
            self._opened += 1
            gms.ms_contexts.append(gts)
            self.stats.gts_alloc += 1
        return gts

    async def close(self, gts: GruThreadState) -> None:
        """Unload without saving; the last context of an address space unregisters the notifier. Twice is harmless."""
        await self.sched.charge(timing.SW_SYSCALL)
        if self.policy.mutant == "unregister_first":
            await self._close_late(gts)
            return
        async with gts.ts_mm.mmap_lock.writing():
            if await self._shut(gts):
                await self._forget(gts)

    async def _close_late(self, gts: GruThreadState) -> None:
        """The mistake "unregister_first": from the unregistration on nobody tells the device of anything."""
        async with gts.ts_mm.mmap_lock.writing():
            await self._forget(gts)
        await self._shut(gts)

    async def _shut(self, gts: GruThreadState) -> bool:
        """Unload for good. False if it was shut already."""
        async with gts.ts_ctxlock:
            if gts.ts_closed:
                return False
            gts.ts_closed = True
            await gru_unload_context(self, gts, savestate=False)
        self.stats.gts_free += 1
        return True

    async def _forget(self, gts: GruThreadState) -> None:
        """Take a shut context out of its address space; with the last, stop watching it."""
        gms = gts.ts_gms
        if gts in gms.ms_contexts:
            gms.ms_contexts.remove(gts)
        if gms.ms_contexts or gts.ts_mm not in self._spaces:
            return
        _, notifier = self._spaces.pop(gts.ts_mm)
        self.stats.gms_free += 1
        if not gms.ms_released:
            await gts.ts_mm.notifiers.unregister(notifier)

    async def _release(self, gms: GruMmStruct) -> None:
        """The address space is going: every context of it is shut; a user who still waits on one is told."""
        for gts in list(gms.ms_contexts):
            await self._shut(gts)
            await self._forget(gts)

    # ---- the user's fault and calls --------------------------------------------------------------------------------

    async def gru_fault(self, gts: GruThreadState) -> None:
        """The user touched a segment that is not mapped: load its context, taking somebody else's place if need be."""
        await self.sched.charge(timing.SW_MINOR_FAULT)
        self.stats.nopfn += 1
        while True:
            async with gts.ts_mm.mmap_lock.reading(), gts.ts_ctxlock:
                self._need_open(gts)
                await self._check_context_placement(gts)
                if gts.ts_gru is None and await gru_assign_gru_context(self, gts):
                    await gru_load_context(self, gts)
                if gts.ts_gru is not None:
                    gts.ts_mapped = True
                    return
            await self.sched.sleep(self.policy.assign_delay)
            stolen = gts.ts_steal_jiffies
            if stolen is None or self.sched.now - stolen > self.policy.steal_delay:
                await gru_steal_context(self, gts)

    async def gru_handle_user_call_os(self, gts: GruThreadState, ucbnum: int) -> DropinResult:
        """A control block shows CALL_OS. AGAIN: the context is not loaded, touch the segment first."""
        await self.sched.charge(timing.SW_SYSCALL)
        self.stats.call_os += 1
        async with gts.ts_mm.mmap_lock.reading(), gts.ts_ctxlock:
            self._need_open(gts)
            gru = gts.ts_gru
            await self._check_context_placement(gts)
            if self.policy.mutant != "place_after_unload":
                gru = gts.ts_gru
            if gru is None:
                return DropinResult.AGAIN
            if gts.ts_force_cch_reload:
                gts.ts_force_cch_reload = False
                await gru_update_cch(self, gts)
            return await gru_user_dropin(self, gru, gts, gts.thread_cbr_number(ucbnum))

    async def gru_get_exception_detail(self, gts: GruThreadState, ucbnum: int) -> int:
        """The ecause bits of a control block that ended in an exception."""
        await self.sched.charge(timing.SW_SYSCALL)
        self.stats.user_exception += 1
        async with gts.ts_ctxlock:
            self._need_open(gts)
            if gts.ts_gru is not None:
                port = gts.ts_gru.gs_port
                return Cbe.ecause.get(await port.read_line(port.cbe(gts.thread_cbr_number(ucbnum))))
            if gts.ts_gdata is None:
                raise GruError(f"context {gts.ts_number} was never loaded")
            return Cbe.ecause.get(gts.ts_gdata.cbes[ucbnum])

    async def gru_user_flush_tlb(self, gts: GruThreadState, vaddr: int, length: int) -> None:
        """The user asks for a shootdown of its own range. Harmless at any time."""
        await self.sched.charge(timing.SW_SYSCALL)
        self.stats.user_flush_tlb += 1
        await gru_flush_tlb_range(self, gts.ts_gms, vaddr, length)

    async def gru_user_unload_context(self, gts: GruThreadState) -> None:
        """Unload and keep the state; the next touch loads it again."""
        await self.sched.charge(timing.SW_SYSCALL)
        self.stats.user_unload_context += 1
        async with gts.ts_ctxlock:
            self._need_open(gts)
            await gru_unload_context(self, gts, savestate=True)

    async def gru_set_context_option(self, gts: GruThreadState, *, cch_req_slice: int) -> None:
        """Requests a slice (0..3: 4, 8, 16, all), from the next load on."""
        if not 0 <= cch_req_slice <= 3:
            raise GruError(f"cch_req_slice is 0..3, not {cch_req_slice}")
        await self.sched.charge(timing.SW_SYSCALL)
        self.stats.set_context_option += 1
        async with gts.ts_ctxlock:
            gts.ts_cch_req_slice = cch_req_slice

    async def _check_context_placement(self, gts: GruThreadState) -> None:
        """The user runs on another processor than the one its misses interrupt: turn them round."""
        if gts.ts_gru is None or gts.ts_tlb_int_select < 0 or gts.ts_tlb_int_select == gts.fault_map_id(self):
            return
        if self.policy.mutant == "place_after_unload":
            await gru_unload_context(self, gts, savestate=True)  # as if the processor were of another blade
            return
        self.stats.check_context_retarget_intr += 1
        await gru_update_cch(self, gts)

    def _need_open(self, gts: GruThreadState) -> None:
        if gts.ts_closed or not gts.ts_mm.alive:
            raise GruError(f"context {gts.ts_number} is closed, or its address space gone")
