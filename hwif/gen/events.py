"""The trace catalogue. Generated from spec/ by `make gen`. Do not edit."""

from enum import IntEnum
from typing import Final


class TraceEvent(IntEnum):
    VM_MMAP = 1  # a mapping was made
    VM_MUNMAP = 2  # munmap entered
    VM_MPROTECT = 3  # mprotect entered
    VM_MREMAP = 4  # mremap entered
    VM_BRK = 5  # brk entered
    VM_MADVISE = 6  # madvise(DONTNEED) entered
    VM_FORK = 7  # fork entered
    VM_FAULT = 8  # CPU or driver fault handled; kind: 0 anon, 1 swap-in, 2 cow copy, 3 reuse, 4 error
    VM_RECLAIM = 9  # a page was unmapped by reclaim
    VM_SWAP_OUT = 10  # a page's bytes went to swap
    VM_MIGRATE = 11  # a page's bytes moved to another frame
    VM_EXIT = 12  # exit entered
    MN_RELEASE = 13  # release dispatched
    MN_AGE_PAGE = 14  # age_page returned
    MN_INVALIDATE_PAGE = 15  # invalidate_page dispatched
    MN_INVALIDATE_PAGE_DONE = 16  # invalidate_page returned
    MN_RANGE_BEGIN = 17  # invalidate_range_begin dispatched
    MN_RANGE_BEGIN_DONE = 18  # invalidate_range_begin returned
    MN_RANGE_END = 19  # invalidate_range_end returned
    DRV_INTR = 20  # interrupt handler took the fault map
    DRV_DROPIN = 21  # drop-in issued
    DRV_UPM = 22  # fault handed to user polling
    DRV_EXCEPTION = 23  # fault answered with an exception
    DRV_SHOOTDOWN = 24  # shootdown issued
    DRV_SHOOTDOWN_DONE = 25  # shootdown status seen
    DRV_LOAD = 26  # context loaded
    DRV_UNLOAD = 27  # context unloaded
    DRV_STEAL = 28  # context stolen
    USR_ISSUE = 29  # instruction started
    USR_DONE = 30  # instruction seen finished
    DEV_MISS = 31  # lookup missed and parked the control block
    DEV_FILL = 32  # drop-in entered the TLB
    DEV_FILL_DROPPED = 33  # drop-in ignored: a shootdown covered it
    DEV_SHOOT_ACCEPT = 34  # shootdown accepted: covered entries are dead
    DEV_SHOOT_DONE = 35  # shootdown status returned to idle
    DEV_KILL = 36  # an entry left the TLB by a shootdown
    DEV_RESTART = 37  # control block runs again after a fault
    DEV_CB_DONE = 38  # instruction finished
    DEV_IRQ = 39  # interrupt line changed
    DEV_CCH = 40  # context changed state


# Event -> (layer, argument names).
CATALOGUE: Final[dict[TraceEvent, tuple[str, tuple[str, ...]]]] = {
    TraceEvent.VM_MMAP: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_MUNMAP: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_MPROTECT: ("vm", ("mm", "start", "end", "prot",)),
    TraceEvent.VM_MREMAP: ("vm", ("mm", "old", "new", "len",)),
    TraceEvent.VM_BRK: ("vm", ("mm", "old", "new",)),
    TraceEvent.VM_MADVISE: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_FORK: ("vm", ("mm", "child",)),
    TraceEvent.VM_FAULT: ("vm", ("mm", "vaddr", "write", "kind",)),
    TraceEvent.VM_RECLAIM: ("vm", ("frame", "mm", "vaddr",)),
    TraceEvent.VM_SWAP_OUT: ("vm", ("frame", "slot",)),
    TraceEvent.VM_MIGRATE: ("vm", ("old", "new",)),
    TraceEvent.VM_EXIT: ("vm", ("mm",)),
    TraceEvent.MN_RELEASE: ("notifier", ("mm",)),
    TraceEvent.MN_AGE_PAGE: ("notifier", ("mm", "vaddr", "young",)),
    TraceEvent.MN_INVALIDATE_PAGE: ("notifier", ("mm", "vaddr",)),
    TraceEvent.MN_INVALIDATE_PAGE_DONE: ("notifier", ("mm", "vaddr",)),
    TraceEvent.MN_RANGE_BEGIN: ("notifier", ("mm", "start", "end", "atomic",)),
    TraceEvent.MN_RANGE_BEGIN_DONE: ("notifier", ("mm", "start", "end",)),
    TraceEvent.MN_RANGE_END: ("notifier", ("mm", "start", "end",)),
    TraceEvent.DRV_INTR: ("driver", ("core", "faults",)),
    TraceEvent.DRV_DROPIN: ("driver", ("cbr", "vaddr", "pfn", "write",)),
    TraceEvent.DRV_UPM: ("driver", ("cbr", "vaddr",)),
    TraceEvent.DRV_EXCEPTION: ("driver", ("cbr", "vaddr",)),
    TraceEvent.DRV_SHOOTDOWN: ("driver", ("tgh", "vaddr", "asid", "n",)),
    TraceEvent.DRV_SHOOTDOWN_DONE: ("driver", ("tgh",)),
    TraceEvent.DRV_LOAD: ("driver", ("ctx", "mm",)),
    TraceEvent.DRV_UNLOAD: ("driver", ("ctx", "mm",)),
    TraceEvent.DRV_STEAL: ("driver", ("ctx", "mm",)),
    TraceEvent.USR_ISSUE: ("user", ("cbr", "opc", "baddr0", "baddr1",)),
    TraceEvent.USR_DONE: ("user", ("cbr", "istatus",)),
    TraceEvent.DEV_MISS: ("device", ("cbr", "vaddr", "asid", "cause",)),
    TraceEvent.DEV_FILL: ("device", ("cbr", "vaddr", "asid", "pfn", "pagesize", "dirty",)),
    TraceEvent.DEV_FILL_DROPPED: ("device", ("cbr", "vaddr", "asid",)),
    TraceEvent.DEV_SHOOT_ACCEPT: ("device", ("tgh", "vaddr", "asid", "n", "global",)),
    TraceEvent.DEV_SHOOT_DONE: ("device", ("tgh",)),
    TraceEvent.DEV_KILL: ("device", ("vaddr", "asid", "pagesize",)),
    TraceEvent.DEV_RESTART: ("device", ("cbr",)),
    TraceEvent.DEV_CB_DONE: ("device", ("cbr", "istatus", "ecause",)),
    TraceEvent.DEV_IRQ: ("device", ("line", "level",)),
    TraceEvent.DEV_CCH: ("device", ("ctx", "state",)),
}
