"""What a partition knows of its own memory that others have attached: segments, exports, and the reverse map of XPMEM.

    Segment   memory a process offers
    Export    one attachment of it, here or in another partition
    Holder    one page of an export: the translation the attachment may use, and the reference that keeps its frame

What is legal, and the oracle. The VM's own records end when invalidate_page has returned, but a client with reverse maps of its own
hears of the page only at the end of try_to_unmap, from the rmap notifier; until then its translations are good, because of the
reference it holds (V6-5). So an export's pages stand in the oracle under a number of their own, as pinned pages do
(sw_stack.mm.pinning): granted when a holder is made, revoked when its reference is dropped. Legal is exactly: while the reference
is held.

The data stay right in between. The reference keeps the frame; reclaim and migration copy the bytes only when theirs is the last
reference, so after the rmap notifier; a process that faults on the page meanwhile waits for the page lock, which they hold. A
holder that may write is dirty for good (MN-6): it is made only where the pte was dirty, and put back with set_page_dirty.

Concurrency: a holder is made, changed and dropped with no await in between, so no lock protects these maps. `going` belongs to the
task that set it: it alone drops the holder. Whoever else wants it gone waits for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwif.shadow import READ, WRITE
from sw_stack.drivers.xpmem.ids import XpmemId
from sw_stack.drivers.xpmem.stats import XpmemStats
from sw_stack.mm.frames import Frame
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT
from sw_stack.sched import WaitQueue

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.thread_group import ThreadGroup
    from sw_stack.mm.machine import Machine

__all__ = ["Export", "Holder", "Holders", "Segment"]


@dataclass(eq=False)
class Segment:
    """`size` bytes from `vaddr` of a process, for whom `permit` lets in (octal mode)."""

    segid: XpmemId
    tg: ThreadGroup
    vaddr: int
    size: int
    permit: int
    destroyed: bool = False


@dataclass(eq=False)
class Export:
    """An attachment as its memory's partition knows it."""

    number: int
    segment: Segment
    vaddr: int
    """Source address of its first byte."""
    pages: int
    writable: bool
    partid: int
    """Where it is attached."""
    owner: int
    """The oracle's number for it."""
    holders: dict[int, Holder] = field(default_factory=dict)
    """By page of the attachment."""

    def vpn(self, page: int) -> int:
        """The source's page number."""
        return (self.vaddr >> PAGE_SHIFT) + page

    def within(self, start: int, end: int) -> list[Holder]:
        """Holders whose source page is in bytes start..end-1, in order."""
        first, last = (start - self.vaddr) >> PAGE_SHIFT, (end - self.vaddr + PAGE_MASK) >> PAGE_SHIFT
        if last - first < len(self.holders):
            return [self.holders[page] for page in range(max(first, 0), min(last, self.pages)) if page in self.holders]
        return [self.holders[page] for page in sorted(self.holders) if first <= page < last]


@dataclass(eq=False)
class Holder:
    """`pfn` is the page's 4 KiB frame inside `frame`, on which one reference is held."""

    export: Export
    page: int
    frame: Frame
    pfn: int
    writable: bool
    young: bool = False
    """Used by another partition since the VM last asked, as far as is known here."""
    questions: int = 0
    """How often that partition has been asked."""
    going: bool = False
    gone: bool = False


class Holders:
    """The reverse map of one machine: which holders name a frame (mmu_rmap_notifier's "own reverse maps")."""

    def __init__(self, machine: Machine, stats: XpmemStats, *, forget_dirty: bool) -> None:
        self._machine = machine
        self._stats = stats
        self._forget_dirty = forget_dirty
        self._by_frame: dict[Frame, dict[Holder, None]] = {}
        self.left = WaitQueue(machine.sched, "xpmem pages to go")
        """Woken when holders have been dropped."""

    def look(self) -> None:
        """Holders and exports, which no lock guards, are about to be used."""
        self._machine.sched.touch(self.left)

    def of_frame(self, frame: Frame) -> list[Holder]:
        """Everybody who may use the frame, oldest first."""
        self.look()
        return list(self._by_frame.get(frame, ()))

    def enter(self, export: Export, page: int, frame: Frame, pfn: int, *, writable: bool) -> Holder:
        """Make a holder; the caller's reference on the frame becomes its."""
        holder = export.holders[page] = Holder(export, page, frame, pfn, writable)
        self._by_frame.setdefault(frame, {})[holder] = None
        self._grant(holder, fresh=True)
        self._stats.pages_entered += 1
        return holder

    def upgrade(self, holder: Holder) -> None:
        """It may write from here on."""
        holder.writable = True
        self._grant(holder, fresh=False)
        self._stats.pages_upgraded += 1

    def drop(self, holder: Holder) -> None:
        """No translation is left and no access is under way: give the reference back. Wake `left` afterwards."""
        self.look()
        export, machine = holder.export, self._machine
        del export.holders[holder.page]
        sharers = self._by_frame[holder.frame]
        del sharers[holder]
        if not sharers:
            del self._by_frame[holder.frame]
        machine.shadow_feed.revoke(holder.pfn, export.owner, export.vpn(holder.page))
        if holder.writable and not self._forget_dirty:
            machine.set_page_dirty(holder.frame)
            self._stats.pages_dirtied += 1
        holder.gone = True
        self._stats.pages_released += 1
        machine.unpin(holder.frame)

    def _grant(self, holder: Holder, *, fresh: bool) -> None:
        rights = READ | (WRITE if holder.writable else 0)
        export = holder.export
        self._machine.shadow_feed.grant(holder.pfn, export.owner, export.vpn(holder.page), rights, fresh=fresh)
