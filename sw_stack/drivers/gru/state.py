"""What the driver knows: chiplets, address spaces, contexts. Names are the kernel's (grutables.h).

Who protects what
  gs_lock       gs_gts, free maps, active count of a chiplet           spinlock
  gs_asid_lock  next ASID, limit, generation of a chiplet              spinlock
  ms_asid_lock  ms_asids, ms_asidmap of an address space               spinlock
  ts_ctxlock    placement of a context: ts_gru, ts_ctxnum, saved data  mutex
  CCH, TGH      one spinlock a handle: a command and its wait
  ms_range_active and ms_wait_queue change without a lock; a drop-in reads the count after it has read its fault handle.
Order: mmap_lock, ts_ctxlock, CCH lock, ms_asid_lock, gs_asid_lock, TGH lock. bs_lock, gs_lock stand by themselves below
ts_ctxlock. The notifier callbacks start at ms_asid_lock, so they may run under a pte lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwif.gen.gru import CBR_AU, DSR_AU_BYTES, DSR_BYTES, NUM_CBR, NUM_CTX, NUM_TGH
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.gru.handles import HandlePort
from sw_stack.drivers.gru.policy import ASID_STEP, MIN_ASID, DriverPolicy, UserOption
from sw_stack.drivers.gru.stats import GruStats
from sw_stack.sched import Mutex, Scheduler, SpinLock, WaitQueue

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["DriverCore", "GruBladeState", "GruError", "GruMmStruct", "GruMmTracker", "GruState", "GruThreadState", "UserStats"]


class GruError(Exception):
    """The driver refuses, or the device answered what it must not. One line."""


@dataclass(slots=True)
class GruMmTracker:
    """One address space on one chiplet."""

    mt_asid: int = 0
    """Base of the eight ASIDs of the regions; 0: none."""
    mt_asid_gen: int = 0
    mt_ctxbitmap: int = 0
    """Contexts loaded on the chiplet."""


class GruMmStruct:
    """One address space."""

    def __init__(self, sched: Scheduler, mm: Mm, chiplets: int) -> None:
        self.ms_mm = mm
        self.ms_asid_lock = SpinLock(sched, f"ms_asid_lock[{mm.id}]")
        self.ms_asids = [GruMmTracker() for _ in range(chiplets)]
        self.ms_asidmap: set[int] = set()
        """Chiplets on which it has an ASID."""
        self.ms_range_active = 0
        self.ms_wait_queue = WaitQueue(sched, f"ms_wait_queue[{mm.id}]")
        self.ms_contexts: list[GruThreadState] = []
        """Open contexts; as many references to this."""
        self.ms_released = False
        self.ms_large: set[tuple[int, int]] = set()
        """Large pages entered: start, shift. Kept by the mistake "large_not_flushed" alone."""


class GruState:
    """One chiplet."""

    def __init__(self, sched: Scheduler, gid: int, base: int, max_asid: int) -> None:
        self.gs_gid = gid
        self.gs_port = HandlePort(sched, base)
        self.gs_lock = SpinLock(sched, f"gs_lock[{gid}]", nests=True)
        self.gs_asid_lock = SpinLock(sched, f"gs_asid_lock[{gid}]")
        self.gs_cch_lock = [SpinLock(sched, f"cch_lock[{gid}.{index}]") for index in range(NUM_CTX)]
        self.gs_tgh_lock = [SpinLock(sched, f"tgh_lock[{gid}.{index}]") for index in range(NUM_TGH)]
        self.gs_gts: list[GruThreadState | None] = [None] * NUM_CTX
        self.gs_cbr_map = (1 << NUM_CBR // CBR_AU) - 1
        """Free pairs of control blocks."""
        self.gs_dsr_map = (1 << DSR_BYTES // DSR_AU_BYTES) - 1
        """Free KiB of the data segment."""
        self.gs_active_contexts = 0
        self.gs_asid = MIN_ASID - ASID_STEP  # the first to be given out is MIN_ASID; the TLB is empty at reset
        self.gs_asid_limit = max_asid
        self.gs_asid_gen = 0
        self.gs_cbr_done = [WaitQueue(sched, f"gs_cbr_done[{gid}.{index}]") for index in range(NUM_CBR)]


class GruBladeState:
    """The chiplets that share processors, and where the next theft begins."""

    def __init__(self, sched: Scheduler, grus: Sequence[GruState]) -> None:
        self.bs_grus = list(grus)
        self.bs_lock = SpinLock(sched, "bs_lock")
        self.bs_lru_ctxnum = 0
        self.bs_lru_gru = 0


@dataclass(slots=True)
class UserStats:
    """Counters of one context."""

    fmm_tlbmiss: int = 0
    upm_tlbmiss: int = 0
    tlbdropin: int = 0
    context_stolen: int = 0


@dataclass(slots=True)
class SavedContext:
    """What a context leaves behind when it is unloaded: a line per control block, its extension, and the data segment."""

    cbs: list[list[int]] = field(default_factory=list)
    cbes: list[list[int]] = field(default_factory=list)
    dsr: list[list[int]] = field(default_factory=list)


class GruThreadState:
    """One context: the resources a user asked for, loaded on a chiplet or not."""

    def __init__(
        self,
        sched: Scheduler,
        gms: GruMmStruct,
        cbr_aus: int,
        dsr_aus: int,
        option: UserOption,
        number: int,
        cpu: int | None,
    ) -> None:
        self.ts_mm = gms.ms_mm
        self.ts_gms = gms
        self.ts_ctxlock = Mutex(sched, f"ts_ctxlock[{number}]")
        self.ts_cbr_au_count = cbr_aus
        self.ts_dsr_au_count = dsr_aus
        self.ts_user_options = option
        self.ts_sizeavail = 1  # code 0: 4 KiB
        self.ts_force_cch_reload = False
        self.ts_steal_jiffies: int | None = None
        """Cycle at which it was last stolen from."""
        self.ts_tlb_int_select = -1
        self.ts_cpu = cpu
        """Processor its misses interrupt; None: the one that runs the user."""
        self.ts_cch_req_slice = -1
        self.ts_gru: GruState | None = None
        self.ts_ctxnum = -1
        self.ts_cbr_map = 0
        self.ts_dsr_map = 0
        self.ts_cbr_idx: list[int] = []
        """Allocation units of ts_cbr_map, ascending."""
        self.ts_gdata: SavedContext | None = None
        """Saved state; None until it was unloaded once (ts_data_valid)."""
        self.ts_mapped = False
        """The user's page table maps the segment."""
        self.ts_user_mmio = 0
        """User accesses to the segment on the bus."""
        self.ts_user_mmio_wait = WaitQueue(sched, f"ts_user_mmio[{number}]")
        self.ts_closed = False
        self.ts_number = number
        self.ustats = UserStats()

    def thread_cbr_number(self, ucbnum: int) -> int:
        """Physical control block of the user's `ucbnum`; the context must be loaded."""
        if not 0 <= ucbnum < self.ts_cbr_au_count * CBR_AU:
            raise GruError(f"control block {ucbnum} outside the context's {self.ts_cbr_au_count * CBR_AU}")
        if self.ts_gru is None:
            raise GruError(f"context {self.ts_number}: control block {ucbnum} is used after the context was unloaded")
        return self.ts_cbr_idx[ucbnum // CBR_AU] * CBR_AU + ucbnum % CBR_AU

    def fault_map_id(self, drv: DriverCore) -> int:
        """Fault map and interrupt line its misses should use now."""
        return (drv.sched.task().cpu if self.ts_cpu is None else self.ts_cpu) % drv.cores

    def cbrs(self) -> list[int]:
        """Physical control blocks, in the user's order."""
        return [unit * CBR_AU + index for unit in self.ts_cbr_idx for index in range(CBR_AU)]


class DriverCore:
    """What every part of the driver works with."""

    def __init__(
        self, sched: Scheduler, trace: Trace, shadow: Shadow, policy: DriverPolicy, cores: int, bases: Sequence[int]
    ) -> None:
        self.sched = sched
        self.trace = trace
        self.shadow = shadow
        self.policy = policy
        self.cores = cores
        self.stats = GruStats()
        self.grus = [GruState(sched, gid, base, policy.max_asid) for gid, base in enumerate(bases)]
        self.blade = GruBladeState(sched, self.grus)
