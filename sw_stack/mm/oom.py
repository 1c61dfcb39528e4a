"""Out of memory: the verdict, the killer and the reaper.

The killer picks the address space with the most frames and swap (oom_badness without its adjustments). Its memory is wanted at
once, so the reaper does not wait for its exit: it takes the private anonymous areas away itself, each as a range that may not
sleep. A client that would have to sleep makes it skip the area (invalidate_range_start of a non-blockable range, -EAGAIN).
Whoever touches the victim afterwards gets EFAULT, as a task that is being killed would never return from the fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_SHIFT
from sw_stack.mm.unmapping import zap_range
from sw_stack.mm.vma import VmaFlag

if TYPE_CHECKING:
    from sw_stack.mm.machine import Machine
    from sw_stack.mm.mm import Mm

__all__ = ["badness", "oom_kill", "oom_reap"]


def badness(mm: Mm) -> int:
    """Pages of memory and swap that its end would give back, for the choice of a victim."""
    return mm.page_table.count()


async def oom_kill(machine: Machine) -> int:
    """Kill the worst address space that is not dying yet and reap it; frames that came free. 0 if there is nobody to kill."""
    alive = [mm for mm in machine.mms.values() if mm.alive and not mm.oom_victim and not mm.oom_exempt]
    victim = max(alive, key=lambda mm: (badness(mm), -mm.id), default=None)
    if victim is None or not badness(victim):
        return 0
    victim.oom_victim = True
    machine.count("oom_kill")
    before = machine.frames.free
    with traced(machine, TraceEvent.VM_OOM, victim.id, badness(victim), mm=victim.id):
        await oom_reap(victim)
    return max(0, machine.frames.free - before)


async def oom_reap(mm: Mm) -> int:
    """Take the private anonymous memory of a dying address space away; areas skipped. Takes its mmap lock only if that needs no
    wait: the victim may hold it and be waiting for memory."""
    machine = mm.machine
    skipped = 0
    if not mm.mmap_lock.down_read_trylock():
        machine.count("oom_reap_failed")
        return len(mm.vmas)
    try:
        for vma in mm.vmas:
            if vma.file is not None or not vma.cow or vma.flags & VmaFlag.LOCKED or vma.shift != PAGE_SHIFT:
                continue
            active = await mm.notifiers.try_range(vma.start, vma.end)
            if active is None:
                skipped += 1
                machine.count("oom_area_skipped")
                continue
            try:
                await zap_range(mm, [vma])
                machine.count("oom_area_reaped")
            finally:
                await mm.notifiers.range_end(active)
    finally:
        mm.mmap_lock.up_read()
    return skipped
