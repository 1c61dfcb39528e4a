"""KSM: pages of equal bytes become one, write-protected wherever it is mapped; a store copies it again.

Two steps a page, each a range of one page round the change of its entry (write_protect_page and replace_page of mm/ksm.c): first
the right to write goes, so that the bytes stand still; then, if they are equal, the entry names the other frame. The second could
wait until the end of the range, the bytes being the same (case B of Documentation/mm/mmu_notifier.rst); here it does not.

Unmerging is a write fault on every merged page of the area: copy-on-write as ever, with its own ranges.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm import fault
from sw_stack.mm.frames import Frame, PageFlag
from sw_stack.mm.mapping import check_alive, check_range
from sw_stack.mm.pagetable import ACCESSED, PRESENT, READ, VALUE_SHIFT, WRITE, make
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT, PAGE_SIZE, MmError
from sw_stack.mm.vma import Vma, VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["ksm_scan", "madvise_mergeable"]


async def madvise_mergeable(mm: Mm, addr: int, length: int, *, mergeable: bool) -> None:
    """Offer a range of private anonymous memory to KSM, or take it back: then every page is the address space's own again."""
    end = check_range(addr, length)
    await mm.machine.sched.charge(timing.SW_SYSCALL)
    async with mm.mmap_lock.writing():
        check_alive(mm)
        parts = mm.vmas.whole_pages(addr, end)
        for part in parts:
            if part.file is not None or part.shift != PAGE_SHIFT:
                raise MmError(errno.EINVAL, f"[{part.start:#x}, {part.end:#x}) is not small anonymous pages")
        for part in parts:
            flags = part.flags | VmaFlag.MERGEABLE if mergeable else part.flags & ~VmaFlag.MERGEABLE
            mm.vmas.carve(part.start, part.end)
            mm.vmas.insert(part._replace(flags=flags))
        if not mergeable:
            with traced(mm.machine, TraceEvent.VM_UNMERGE, mm.id, addr, end, mm=mm.id):
                for part in parts:
                    await _unmerge(mm, part)


async def _unmerge(mm: Mm, part: Vma) -> None:
    for vpn, _shift, _pte in mm.page_table.entries(part.start >> PAGE_SHIFT, part.end >> PAGE_SHIFT):
        while _merged(mm, vpn):
            await fault.break_sharing(mm, part, vpn)
            mm.machine.count("ksm_unmerged")


def _merged(mm: Mm, vpn: int) -> bool:
    pte = mm.page_table.get(vpn)
    return bool(pte & PRESENT) and bool(mm.machine.frames[pte >> VALUE_SHIFT].flags & PageFlag.KSM)


async def ksm_scan(machine: Machine) -> int:
    """Look once at every page of every area on offer and merge what is equal; how many pages were given back."""
    merged = 0
    stable: dict[bytes, Frame] = {}
    for frame in machine.frames.in_use():
        if frame.flags & PageFlag.KSM:
            stable[_bytes(machine, frame)] = frame
    for mm in list(machine.mms.values()):
        async with mm.mmap_lock.reading():
            if not mm.alive:
                continue
            for vma in mm.vmas:
                if vma.flags & VmaFlag.MERGEABLE:
                    merged += await _scan_area(mm, vma, stable)
    return merged


async def _scan_area(mm: Mm, vma: Vma, stable: dict[bytes, Frame]) -> int:
    machine, merged = mm.machine, 0
    for vpn, _shift, pte in mm.page_table.entries(vma.start >> PAGE_SHIFT, vma.end >> PAGE_SHIFT):
        if not pte & PRESENT or mm.page_table.get(vpn) != pte:
            continue
        frame = machine.frames[pte >> VALUE_SHIFT]
        await machine.sched.charge(timing.SW_PAGE_WALK)
        if frame.flags & PageFlag.KSM or frame.mapcount != 1 or frame.slot is not None or frame.file is not None:
            continue
        found = stable.get(_bytes(machine, frame))
        if found is None:
            # The first of its kind: write-protected, it is what others are merged with.
            if await _write_protect(mm, vpn, frame, PageFlag.KSM):
                stable[_bytes(machine, frame)] = frame
        elif machine.frames.in_use_as(found):
            merged += await _merge(mm, vpn, frame, found)
    return merged


def _bytes(machine: Machine, frame: Frame) -> bytes:
    return machine.memory.read(frame.pfn << PAGE_SHIFT, PAGE_SIZE)


async def _write_protect(mm: Mm, vpn: int, frame: Frame, flag: int = 0) -> bool:
    """Take the right to write from the one entry that maps the page, and note `flag` on it before anybody can take it back. False
    if the page is not alone, or somebody holds a reference."""
    machine, start = mm.machine, vpn << PAGE_SHIFT
    frame.pins += 1
    try:
        async with frame.lock, mm.notifiers.range(start, start + PAGE_SIZE, atomic=False), mm.pte_lock:
            pte = mm.page_table.get(vpn)
            if not pte & PRESENT or pte >> VALUE_SHIFT != frame.pfn or frame.mapcount != 1 or frame.pins > 1:
                return False
            mm.page_table.set(vpn, pte & ~WRITE)
            frame.flags |= flag
            await machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
            return True
    finally:
        machine.unpin(frame)


async def _merge(mm: Mm, vpn: int, frame: Frame, stable: Frame) -> bool:
    machine, start = mm.machine, vpn << PAGE_SHIFT
    with traced(machine, TraceEvent.VM_KSM, frame.pfn, stable.pfn, mm=mm.id):
        if not await _write_protect(mm, vpn, frame) or not machine.frames.in_use_as(stable):
            return False
        frame.pins += 1
        stable.pins += 1
        try:
            async with frame.lock, mm.notifiers.range(start, start + PAGE_SIZE, atomic=False), mm.pte_lock:
                pte = mm.page_table.get(vpn)
                # Protected and alone: the bytes stand still while this compares them.
                still = bool(pte & PRESENT) and not pte & WRITE and pte >> VALUE_SHIFT == frame.pfn and frame.pins == 1
                # The other's page lock is not held, two of a class have no order; from here to its new mapping no cycle passes.
                still = still and bool(stable.flags & PageFlag.KSM)
                if not still or frame.mapcount != 1 or _bytes(machine, frame) != _bytes(machine, stable):
                    return False
                frame.unmap(mm, vpn)
                entry = make(stable.pfn, PRESENT | READ | pte & ACCESSED)
                mm.page_table.set(vpn, entry)
                stable.map(mm, vpn)
                mm.shadow.established(vpn, entry)
                await machine.sched.charge(timing.SW_PTE_OP + timing.SW_CPU_TLB_FLUSH)
                machine.count("ksm_merged")
                return True
        finally:
            machine.unpin(frame)
            machine.unpin(stable)
