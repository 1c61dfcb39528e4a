"""pin_user_pages: what a driver does that cannot follow the page tables.

Every page is brought in and gets a reference of the driver's own; nothing the VM does can take the frame away from it, and the VM
does not know what for. Reclaim and migration meet the reference last and in vain. The pages count against RLIMIT_MEMLOCK.

The oracle knows what was pinned under a number of its own: through it the frames stay legal, whatever becomes of the mapping, until
they are unpinned.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.shadow import READ, WRITE
from sw_stack.mm.mapping import check_range
from sw_stack.mm.mlock import charge_memlock
from sw_stack.mm.traced import traced
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PROT_WRITE, MmError

if TYPE_CHECKING:
    from sw_stack.mm.mm import Mm

__all__ = ["Pinned", "pin_user_pages", "unpin_user_pages"]


@dataclass(eq=False)
class Pinned:
    """Pages held. Frame `pfns[i]` is behind page `first + i` of `mm` as it was when it was pinned; `owner` is the oracle's
    number."""

    mm: Mm
    first: int
    writable: bool
    owner: int
    charged: int
    pfns: list[int] = field(default_factory=list)

    def address(self, vaddr: int) -> int:
        """Physical byte address behind `vaddr`. IndexError outside."""
        page = (vaddr >> PAGE_SHIFT) - self.first
        if page < 0:
            raise IndexError(f"{vaddr:#x} is below the pinned pages")
        return self.pfns[page] << PAGE_SHIFT | vaddr & PAGE_MASK


async def pin_user_pages(mm: Mm, addr: int, length: int, *, write: bool, account: bool = True) -> Pinned:
    """Pin the pages of [addr, addr + length), for stores too if `write`. Takes mmap_lock for reading; may sleep. A refusal changes
    nothing: MmError ENOMEM over RLIMIT_MEMLOCK or for want of frames, EFAULT where the process has no such page.
    `account` False: held only for a moment, as get_user_pages for an operation under way."""
    start = addr & ~PAGE_MASK
    end = check_range(start, addr + length - start if length > 0 else 0)
    machine, pages = mm.machine, end - start >> PAGE_SHIFT
    if account:
        charge_memlock(mm, pages)
    pinned = Pinned(mm, start >> PAGE_SHIFT, write, machine.take_number(), pages if account else 0)
    try:
        with traced(machine, TraceEvent.VM_PIN, mm.id, start, end, int(write), mm=mm.id):
            async with mm.mmap_lock.reading():
                if not mm.alive:
                    raise MmError(errno.EFAULT, f"{mm.name} has exited")
                for vaddr in range(start, end, PAGE_SIZE):
                    await _pin_page(pinned, vaddr)
    except BaseException:
        unpin_user_pages(pinned)
        raise
    return pinned


async def _pin_page(pinned: Pinned, vaddr: int) -> None:
    mm, machine = pinned.mm, pinned.mm.machine
    vma = mm.vmas.find(vaddr)
    # Break copy-on-write where the process may write, whatever the driver wants: a page shared with a child is not the one the
    # process will go on with (FOLL_FORCE | FOLL_WRITE of ib_umem_get).
    write = pinned.writable or (vma is not None and vma.cow and bool(vma.prot & PROT_WRITE))
    found = await mm.get_user_pages(vaddr, write)
    # No cycle has passed since the entry was found good, so the frame is still the page's.
    machine.frames[found.pfn].pins += 1
    rights = READ | (WRITE if pinned.writable else 0)
    machine.shadow_feed.grant(found.pfn, pinned.owner, vaddr >> PAGE_SHIFT, rights, fresh=True)
    pinned.pfns.append(found.pfn)
    machine.count("pinned")
    await machine.sched.charge(timing.SW_PIN_PAGE)


def unpin_user_pages(pinned: Pinned) -> None:
    """Let every page go; one that was stored to is dirty. Twice is harmless."""
    machine = pinned.mm.machine
    if pinned.owner == 0:
        return
    for page, pfn in enumerate(pinned.pfns):
        frame = machine.frames[pfn]
        machine.shadow_feed.revoke(pfn, pinned.owner, pinned.first + page)
        if pinned.writable:
            machine.set_page_dirty(frame)
        machine.unpin(frame)
    machine.count("unpinned", len(pinned.pfns))
    pinned.pfns.clear()
    pinned.mm.locked_vm -= pinned.charged
    machine.give_number(pinned.owner)
    pinned.owner = pinned.charged = 0
