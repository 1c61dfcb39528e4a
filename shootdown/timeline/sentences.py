"""A record as a sentence, for the table that explains a failure. Words as the driver and the hardware use them.

Promises: every event of the catalogue has one; it never fails, whatever the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hwif.gen.events import TraceEvent as T
from shootdown.timeline.words import area, context_state, ending, fault_kind, miss_name, opcode, page_size, pages, shot_pages

__all__ = ["sentence"]

Args = Sequence[int]


def _writable(flag: int) -> str:
    return "writable" if flag else "read-only"


def _shot(start: int, asid: int, n: int, everything: int = 0) -> str:
    what = shot_pages(n, everything)
    if everything:
        return what
    return f"{what} from {start:#x} of asid {asid}" if what.endswith(("page", "pages")) else f"the whole of asid {asid}"


def _operands(first: int, second: int) -> str:
    return f"{first:#x}, {second:#x}" if second else f"{first:#x}"


SENTENCES: Final[dict[T, Callable[[Args], str]]] = {
    T.VM_MMAP: lambda a: f"mmap {area(a[1], a[2])}",
    T.VM_MUNMAP: lambda a: f"munmap {area(a[1], a[2])}",
    T.VM_MPROTECT: lambda a: f"mprotect {area(a[1], a[2])}, prot {a[3]}",
    T.VM_MREMAP: lambda a: f"mremap {a[1]:#x} to {a[2]:#x}, {pages(a[3] >> 12)}",
    T.VM_BRK: lambda a: f"brk from {a[1]:#x} to {a[2]:#x}",
    T.VM_MADVISE: lambda a: f"madvise(DONTNEED) {area(a[1], a[2])}",
    T.VM_FORK: lambda a: f"fork of mm {a[0]}: child is mm {a[1]}, pages become read-only",
    T.VM_FAULT_BEGIN: lambda a: f"{'write' if a[2] else 'read'} fault at {a[1]:#x}",
    T.VM_FAULT: lambda a: f"{'write' if a[2] else 'read'} fault at {a[1]:#x}: {fault_kind(a[3])}",
    T.VM_PAGEOUT: lambda a: f"reclaim takes frame {a[0]} out of its mappings",
    T.VM_RECLAIM: lambda a: f"reclaim unmaps {a[2]:#x}, frame {a[0]}",
    T.VM_SWAP_OUT: lambda a: f"frame {a[0]} written to swap slot {a[1]}",
    T.VM_MIGRATE_BEGIN: lambda a: f"migrate {a[1]:#x}, frame {a[2]}",
    T.VM_MIGRATE: lambda a: f"frame {a[0]} moved to frame {a[1]}",
    T.VM_EXIT: lambda a: f"exit of mm {a[0]}",
    T.VM_DONE: lambda a: "the VM operation is over",
    T.MN_RELEASE: lambda a: f"release of mm {a[0]}",
    T.MN_RELEASE_DONE: lambda a: f"release of mm {a[0]} returned",
    T.MN_AGE_PAGE: lambda a: f"age_page {a[1]:#x}: {'young' if a[2] else 'old'}",
    T.MN_INVALIDATE_PAGE: lambda a: f"invalidate_page {a[1]:#x}",
    T.MN_INVALIDATE_PAGE_DONE: lambda a: f"invalidate_page {a[1]:#x} returned: revoked",
    T.MN_RANGE_BEGIN: lambda a: f"invalidate_range_begin {area(a[1], a[2])}",
    T.MN_RANGE_BEGIN_DONE: lambda a: f"invalidate_range_begin {area(a[1], a[2])} returned: revoked",
    T.MN_RANGE_END: lambda a: f"invalidate_range_end {area(a[1], a[2])} returned",
    T.DRV_INTR: lambda a: f"interrupt handler {a[0]} takes {a[1]} fault{'' if a[1] == 1 else 's'}",
    T.DRV_INTR_DONE: lambda a: f"interrupt handler {a[0]} leaves",
    T.DRV_CALL_OS: lambda a: f"user calls the driver for CB {a[0]}",
    T.DRV_CALL_OS_DONE: lambda a: f"user's call for CB {a[0]} returned",
    T.DRV_DROPIN: lambda a: f"drop-in for CB {a[0]}: {a[1]:#x} is frame {a[2]}, {_writable(a[3])}",
    T.DRV_UPM: lambda a: f"miss of CB {a[0]} at {a[1]:#x} handed to user polling",
    T.DRV_EXCEPTION: lambda a: f"no mapping for {a[1]:#x}: exception for CB {a[0]}",
    T.DRV_SHOOTDOWN: lambda a: f"shootdown on TGH {a[0]}: {_shot(a[1], a[2], a[3])}",
    T.DRV_SHOOTDOWN_DONE: lambda a: f"status of TGH {a[0]} seen",
    T.DRV_LOAD_BEGIN: lambda a: f"load context {a[0]} for mm {a[1]}",
    T.DRV_LOAD: lambda a: f"context {a[0]} loaded for mm {a[1]}",
    T.DRV_UNLOAD_BEGIN: lambda a: f"unload context {a[0]} of mm {a[1]}",
    T.DRV_UNLOAD: lambda a: f"context {a[0]} of mm {a[1]} unloaded",
    T.DRV_STEAL: lambda a: f"context {a[0]} of mm {a[1]} stolen",
    T.USR_ISSUE: lambda a: f"{opcode(a[1])} {_operands(a[2], a[3])} on CB {a[0]}",
    T.USR_DONE: lambda a: f"CB {a[0]} seen {ending(a[1])}",
    T.DEV_MISS: lambda a: f"CB {a[0]}: {miss_name(a[3])} at {a[1]:#x}, parked",
    T.DEV_FILL: lambda a: f"TLB takes {a[1]:#x} of asid {a[2]}: frame {a[3]}, {page_size(a[4])}, {_writable(a[5])}",
    T.DEV_FILL_DROPPED: lambda a: f"drop-in for CB {a[0]} at {a[1]:#x} ignored: a shootdown covered it",
    T.DEV_SHOOT_ACCEPT: lambda a: f"TGH {a[0]} accepts {_shot(a[1], a[2], a[3], a[4])}",
    T.DEV_SHOOT_DONE: lambda a: f"TGH {a[0]} done: drained",
    T.DEV_KILL: lambda a: f"TLB entry {a[0]:#x} of asid {a[1]} gone, {page_size(a[2])}",
    T.DEV_RESTART: lambda a: f"CB {a[0]} restarts",
    T.DEV_CB_DONE: lambda a: f"CB {a[0]} {ending(a[1])}",
    T.DEV_IRQ: lambda a: f"interrupt {a[0]} {'raised' if a[1] else 'down'}",
    T.DEV_CCH: lambda a: f"context {a[0]} {context_state(a[1])}",
}


def sentence(event: T, args: Args) -> str:
    """What the record says. `args`: all six words, unused ones 0."""
    return SENTENCES[event](args)
