"""The trace catalogue. Generated from spec/ by `make gen`. Do not edit."""

from enum import IntEnum
from typing import Final


class TraceEvent(IntEnum):
    VM_MMAP = 1  # mmap entered
    VM_MUNMAP = 2  # munmap entered
    VM_MPROTECT = 3  # mprotect entered
    VM_MREMAP = 4  # mremap entered
    VM_BRK = 5  # brk entered
    VM_MADVISE = 6  # madvise(DONTNEED) entered
    VM_FORK = 7  # fork entered
    VM_FAULT_BEGIN = 8  # CPU or driver fault entered
    VM_FAULT = 9  # CPU or driver fault handled; kind: a FaultKind (kinds.toml)
    VM_PAGEOUT = 10  # reclaim begins to take a page out of its mappings
    VM_RECLAIM = 11  # a page was unmapped by reclaim
    VM_SWAP_OUT = 12  # a page's bytes went to swap
    VM_MIGRATE_BEGIN = 13  # migration begins to move a page
    VM_MIGRATE = 14  # a page's bytes moved to another frame
    VM_EXIT = 15  # exit entered
    VM_DONE = 16  # the operation this task entered last was left, whatever came of it
    MN_RELEASE = 17  # release dispatched
    MN_RELEASE_DONE = 18  # release returned
    MN_AGE_PAGE = 19  # age_page returned
    MN_INVALIDATE_PAGE = 20  # invalidate_page dispatched
    MN_INVALIDATE_PAGE_DONE = 21  # invalidate_page returned
    MN_RANGE_BEGIN = 22  # invalidate_range_begin dispatched
    MN_RANGE_BEGIN_DONE = 23  # invalidate_range_begin returned
    MN_RANGE_END = 24  # invalidate_range_end returned
    DRV_INTR = 25  # interrupt handler took the fault map
    DRV_INTR_DONE = 26  # interrupt handler left
    DRV_CALL_OS = 27  # the user called the driver about a miss
    DRV_CALL_OS_DONE = 28  # the user's call left
    DRV_DROPIN = 29  # drop-in issued
    DRV_UPM = 30  # fault handed to user polling
    DRV_EXCEPTION = 31  # fault answered with an exception
    DRV_SHOOTDOWN = 32  # shootdown issued
    DRV_SHOOTDOWN_DONE = 33  # shootdown status seen
    DRV_LOAD_BEGIN = 34  # load of a context entered
    DRV_LOAD = 35  # context loaded
    DRV_UNLOAD_BEGIN = 36  # unload of a context entered
    DRV_UNLOAD = 37  # context unloaded
    DRV_STEAL = 38  # context stolen
    USR_ISSUE = 39  # instruction started on control block cb of a context
    USR_DONE = 40  # instruction seen finished
    DEV_MISS = 41  # lookup missed and parked the control block
    DEV_FILL = 42  # drop-in entered the TLB
    DEV_FILL_DROPPED = 43  # drop-in ignored: a shootdown covered it
    DEV_SHOOT_ACCEPT = 44  # shootdown accepted: covered entries are dead
    DEV_SHOOT_DONE = 45  # shootdown status returned to idle
    DEV_KILL = 46  # an entry left the TLB by a shootdown
    DEV_RESTART = 47  # control block runs again after a fault
    DEV_CB_DONE = 48  # instruction finished
    DEV_IRQ = 49  # interrupt line changed
    DEV_CCH = 50  # context changed state
    HCA_POST_SEND = 51  # send work request posted
    HCA_POST_RECV = 52  # receive work request posted
    HCA_POLL = 53  # completion seen by its user
    HCA_REG_MR = 54  # memory region registered; kind: an MrKind (kinds.toml)
    HCA_DEREG_MR = 55  # deregistration entered
    HCA_DEREG_MR_DONE = 56  # deregistration left: the key is dead
    HCA_INTR = 57  # fault interrupt handler entered
    HCA_INTR_DONE = 58  # fault interrupt handler left
    HCA_FAULT = 59  # page fault work began
    HCA_FAULT_DONE = 60  # page fault answered: resumed, with or without error
    HCA_MAP = 61  # translation written to the table
    HCA_UNMAP = 62  # translations taken out of the table
    HCA_COMMAND = 63  # command rung
    HCA_COMMAND_DONE = 64  # command's status seen
    HCA_FENCE = 65  # fence issued
    HCA_FENCE_DONE = 66  # fence's value seen
    HCA_PREFETCH = 67  # advise_mr entered
    HCA_PREFETCH_DONE = 68  # advise_mr left
    HCA_QP_ERROR = 69  # queue pair's error reported
    HDEV_WALK = 70  # walk of the translation table began
    HDEV_FILL = 71  # translation entered the cache
    HDEV_FILL_DROPPED = 72  # walk's result dropped: an invalidation covered it; it is walked again
    HDEV_INVALIDATE = 73  # invalidation accepted: covered translations are dead
    HDEV_KILL = 74  # a translation left the cache by an invalidation; the cache knows keys by their index
    HDEV_FENCE = 75  # fence written: accesses under earlier invalidations are over
    HDEV_FAULT = 76  # fault recorded; it may wait for room in the queue
    HDEV_RECORD = 77  # fault record in memory, producer index moved
    HDEV_RESUME = 78  # resume taken; ok 0: the token was stale
    HDEV_QP = 79  # queue pair changed state
    HDEV_PACKET = 80  # packet sent (1) or taken (0)
    HDEV_NAK = 81  # negative acknowledgement sent (1) or received (0)
    HDEV_LAND = 82  # a packet's payload is in memory
    HDEV_CQE = 83  # completion written
    VM_TRUNCATE = 84  # truncate or hole punch entered: these pages of the file go
    VM_WRITEBACK = 85  # writeback of a file's page entered
    VM_REMAP_FILE = 86  # remap_file_pages entered
    VM_XIP_UNMAP = 87  # an execute-in-place page is about to be taken from every mapping
    VM_MLOCK = 88  # mlock (1) or munlock (0) entered
    VM_KSM = 89  # two pages of equal bytes are about to become one
    VM_UNMERGE = 90  # madvise(UNMERGEABLE) entered
    VM_OFFLINE = 91  # frames are about to be taken out of service
    VM_PIN = 92  # pin_user_pages entered
    VM_OOM = 93  # out of memory: this address space dies for it
    VM_EXCLUSIVE = 94  # make_device_exclusive entered
    MN_RANGE_FAILED = 95  # a client would have had to sleep: a range that may not is not begun
    MN_RMAP_PAGE = 96  # rmap notifier: invalidate_page dispatched
    MN_RMAP_PAGE_DONE = 97  # rmap notifier: invalidate_page returned


# Event -> (layer, argument names).
CATALOGUE: Final[dict[TraceEvent, tuple[str, tuple[str, ...]]]] = {
    TraceEvent.VM_MMAP: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_MUNMAP: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_MPROTECT: ("vm", ("mm", "start", "end", "prot",)),
    TraceEvent.VM_MREMAP: ("vm", ("mm", "old", "new", "len",)),
    TraceEvent.VM_BRK: ("vm", ("mm", "old", "new",)),
    TraceEvent.VM_MADVISE: ("vm", ("mm", "start", "end",)),
    TraceEvent.VM_FORK: ("vm", ("mm", "child",)),
    TraceEvent.VM_FAULT_BEGIN: ("vm", ("mm", "vaddr", "write",)),
    TraceEvent.VM_FAULT: ("vm", ("mm", "vaddr", "write", "kind",)),
    TraceEvent.VM_PAGEOUT: ("vm", ("frame",)),
    TraceEvent.VM_RECLAIM: ("vm", ("frame", "mm", "vaddr",)),
    TraceEvent.VM_SWAP_OUT: ("vm", ("frame", "slot",)),
    TraceEvent.VM_MIGRATE_BEGIN: ("vm", ("mm", "vaddr", "old",)),
    TraceEvent.VM_MIGRATE: ("vm", ("old", "new",)),
    TraceEvent.VM_EXIT: ("vm", ("mm",)),
    TraceEvent.VM_DONE: ("vm", ("mm",)),
    TraceEvent.MN_RELEASE: ("notifier", ("mm",)),
    TraceEvent.MN_RELEASE_DONE: ("notifier", ("mm",)),
    TraceEvent.MN_AGE_PAGE: ("notifier", ("mm", "vaddr", "young",)),
    TraceEvent.MN_INVALIDATE_PAGE: ("notifier", ("mm", "vaddr",)),
    TraceEvent.MN_INVALIDATE_PAGE_DONE: ("notifier", ("mm", "vaddr",)),
    TraceEvent.MN_RANGE_BEGIN: ("notifier", ("mm", "start", "end", "atomic",)),
    TraceEvent.MN_RANGE_BEGIN_DONE: ("notifier", ("mm", "start", "end",)),
    TraceEvent.MN_RANGE_END: ("notifier", ("mm", "start", "end",)),
    TraceEvent.DRV_INTR: ("driver", ("core", "faults",)),
    TraceEvent.DRV_INTR_DONE: ("driver", ("core",)),
    TraceEvent.DRV_CALL_OS: ("driver", ("cbr", "thread", "cb",)),
    TraceEvent.DRV_CALL_OS_DONE: ("driver", ("cbr",)),
    TraceEvent.DRV_DROPIN: ("driver", ("cbr", "vaddr", "pfn", "write",)),
    TraceEvent.DRV_UPM: ("driver", ("cbr", "vaddr",)),
    TraceEvent.DRV_EXCEPTION: ("driver", ("cbr", "vaddr",)),
    TraceEvent.DRV_SHOOTDOWN: ("driver", ("tgh", "vaddr", "asid", "n",)),
    TraceEvent.DRV_SHOOTDOWN_DONE: ("driver", ("tgh",)),
    TraceEvent.DRV_LOAD_BEGIN: ("driver", ("ctx", "mm", "thread",)),
    TraceEvent.DRV_LOAD: ("driver", ("ctx", "mm",)),
    TraceEvent.DRV_UNLOAD_BEGIN: ("driver", ("ctx", "mm", "thread",)),
    TraceEvent.DRV_UNLOAD: ("driver", ("ctx", "mm",)),
    TraceEvent.DRV_STEAL: ("driver", ("ctx", "mm",)),
    TraceEvent.USR_ISSUE: ("user", ("cbr", "opc", "baddr0", "baddr1", "thread", "cb",)),
    TraceEvent.USR_DONE: ("user", ("cbr", "istatus", "thread", "cb",)),
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
    TraceEvent.HCA_POST_SEND: ("hca_user", ("qpn", "index", "opcode", "addr", "length", "remote",)),
    TraceEvent.HCA_POST_RECV: ("hca_user", ("qpn", "index", "addr", "length",)),
    TraceEvent.HCA_POLL: ("hca_user", ("qpn", "index", "status", "recv",)),
    TraceEvent.HCA_REG_MR: ("hca_driver", ("key", "mm", "start", "length", "access", "kind",)),
    TraceEvent.HCA_DEREG_MR: ("hca_driver", ("key",)),
    TraceEvent.HCA_DEREG_MR_DONE: ("hca_driver", ("key",)),
    TraceEvent.HCA_INTR: ("hca_driver", ("records",)),
    TraceEvent.HCA_INTR_DONE: ("hca_driver", ("records",)),
    TraceEvent.HCA_FAULT: ("hca_driver", ("qpn", "direction", "key", "va", "length", "token",)),
    TraceEvent.HCA_FAULT_DONE: ("hca_driver", ("qpn", "direction", "key", "pages", "error",)),
    TraceEvent.HCA_MAP: ("hca_driver", ("key", "va", "pfn", "write",)),
    TraceEvent.HCA_UNMAP: ("hca_driver", ("key", "start", "end", "pages",)),
    TraceEvent.HCA_COMMAND: ("hca_driver", ("index", "opcode", "key", "addr", "length",)),
    TraceEvent.HCA_COMMAND_DONE: ("hca_driver", ("index", "status",)),
    TraceEvent.HCA_FENCE: ("hca_driver", ("value",)),
    TraceEvent.HCA_FENCE_DONE: ("hca_driver", ("value",)),
    TraceEvent.HCA_PREFETCH: ("hca_driver", ("key", "start", "length", "advice",)),
    TraceEvent.HCA_PREFETCH_DONE: ("hca_driver", ("key", "pages",)),
    TraceEvent.HCA_QP_ERROR: ("hca_driver", ("qpn", "syndrome",)),
    TraceEvent.HDEV_WALK: ("hca_device", ("key", "va",)),
    TraceEvent.HDEV_FILL: ("hca_device", ("key", "va", "pfn", "shift", "write",)),
    TraceEvent.HDEV_FILL_DROPPED: ("hca_device", ("key", "va",)),
    TraceEvent.HDEV_INVALIDATE: ("hca_device", ("index", "key", "addr", "length", "whole",)),
    TraceEvent.HDEV_KILL: ("hca_device", ("key_index", "va", "shift",)),
    TraceEvent.HDEV_FENCE: ("hca_device", ("index", "value",)),
    TraceEvent.HDEV_FAULT: ("hca_device", ("qpn", "direction", "key", "va", "cause", "token",)),
    TraceEvent.HDEV_RECORD: ("hca_device", ("qpn", "direction", "token", "producer",)),
    TraceEvent.HDEV_RESUME: ("hca_device", ("qpn", "direction", "token", "error", "ok",)),
    TraceEvent.HDEV_QP: ("hca_device", ("qpn", "state",)),
    TraceEvent.HDEV_PACKET: ("hca_device", ("opcode", "qpn", "psn", "length", "sent",)),
    TraceEvent.HDEV_NAK: ("hca_device", ("qpn", "psn", "syndrome", "sent",)),
    TraceEvent.HDEV_LAND: ("hca_device", ("qpn", "psn", "va", "length",)),
    TraceEvent.HDEV_CQE: ("hca_device", ("cqn", "qpn", "status", "opcode", "wqe_index",)),
    TraceEvent.VM_TRUNCATE: ("vm_file", ("file", "first", "last",)),
    TraceEvent.VM_WRITEBACK: ("vm_file", ("file", "page", "frame",)),
    TraceEvent.VM_REMAP_FILE: ("vm_file", ("mm", "start", "end", "page",)),
    TraceEvent.VM_XIP_UNMAP: ("vm_file", ("file", "page", "frame",)),
    TraceEvent.VM_MLOCK: ("vm_more", ("mm", "start", "end", "lock",)),
    TraceEvent.VM_KSM: ("vm_more", ("frame", "other",)),
    TraceEvent.VM_UNMERGE: ("vm_more", ("mm", "start", "end",)),
    TraceEvent.VM_OFFLINE: ("vm_more", ("first", "last",)),
    TraceEvent.VM_PIN: ("vm_more", ("mm", "start", "end", "write",)),
    TraceEvent.VM_OOM: ("vm_more", ("mm", "frames",)),
    TraceEvent.VM_EXCLUSIVE: ("vm_more", ("mm", "vaddr", "frame",)),
    TraceEvent.MN_RANGE_FAILED: ("notifier_more", ("mm", "start", "end",)),
    TraceEvent.MN_RMAP_PAGE: ("notifier_more", ("frame",)),
    TraceEvent.MN_RMAP_PAGE_DONE: ("notifier_more", ("frame",)),
}


class FaultKind(IntEnum):
    ANON = 0
    SWAP_IN = 1
    COW_COPY = 2
    REUSE = 3
    ERROR = 4
    FILE = 5
    EXCLUSIVE = 6

    @property
    def words(self) -> str:
        """For a reader."""
        return _FAULTKIND_WORDS[self]


_FAULTKIND_WORDS: Final = {
    FaultKind.ANON: "first touch",
    FaultKind.SWAP_IN: "swap-in",
    FaultKind.COW_COPY: "copy-on-write",
    FaultKind.REUSE: "reuse",
    FaultKind.ERROR: "bad address",
    FaultKind.FILE: "file page",
    FaultKind.EXCLUSIVE: "back from a device",
}


class MrKind(IntEnum):
    PINNED = 0
    ON_DEMAND = 1
    IMPLICIT = 2

    @property
    def words(self) -> str:
        """For a reader."""
        return _MRKIND_WORDS[self]


_MRKIND_WORDS: Final = {
    MrKind.PINNED: "pinned",
    MrKind.ON_DEMAND: "on demand",
    MrKind.IMPLICIT: "the whole address space,",
}
