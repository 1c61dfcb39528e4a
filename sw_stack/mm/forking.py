"""fork: the child gets the parent's entries, both lose the right to write.

The parent's translations are invalidated area by area, over the whole area both at the begin and at the end. An error on the way
ends the range, tears the half-made child down and is passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from sw_stack.mm.mapping import check_alive
from sw_stack.mm.pagetable import ACCESSED, MIGRATION, PRESENT, SWAP, VALUE_SHIFT, WAS_WRITE, WRITE, Entry
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.vma import Vma

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["fork"]


async def fork(parent: Mm, name: str) -> Mm:
    machine = parent.machine
    await machine.sched.charge(timing.SW_SYSCALL)
    async with parent.mmap_lock.writing():
        check_alive(parent)
        child = machine.new_mm(name)
        with traced(machine, TraceEvent.VM_FORK, parent.id, child.id, mm=parent.id):
            machine.count("fork")
            try:
                async with child.mmap_lock.writing():
                    child.heap_start, child.heap_end = parent.heap_start, parent.heap_end
                    for vma in parent.vmas:
                        child.vmas.insert(vma)
                        async with parent.notifiers.range(vma.start, vma.end, atomic=False):
                            await _copy_entries(parent, child, vma)
                    await machine.sched.charge(timing.SW_CPU_TLB_FLUSH)
            except BaseException:
                await child.exit()
                raise
    return child


async def _copy_entries(parent: Mm, child: Mm, vma: Vma) -> None:
    for first, last in parent.page_table.populated(vma.start >> PAGE_SHIFT, vma.end >> PAGE_SHIFT):
        async with child.pte_lock, parent.pte_lock:
            entries = parent.page_table.entries(first, last)
            for entry in entries:
                _share(parent, child, entry)
            await parent.machine.sched.charge(timing.SW_PTE_OP * 2 * len(entries))


def _share(parent: Mm, child: Mm, entry: Entry) -> None:
    machine = parent.machine
    vpn, shift, pte = entry
    value = pte >> VALUE_SHIFT
    if pte & PRESENT:
        machine.frames[value].map(child, vpn)
        pte &= ~WRITE
    elif pte & SWAP:
        machine.swap[value].entries += 1
    elif pte & MIGRATION:
        machine.frames[value].add_moving(child, vpn)
        pte &= ~WAS_WRITE
    parent.page_table.set(vpn, pte, shift)
    parent.shadow.established(vpn, pte, shift)
    child_pte = pte & ~ACCESSED if pte & PRESENT else pte
    child.page_table.set(vpn, child_pte, shift)
    child.shadow.established(vpn, child_pte, shift)
