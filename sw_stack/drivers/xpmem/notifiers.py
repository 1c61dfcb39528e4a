"""The two notifiers XPMEM is a client of, and what each asks for.

Style "v6" (V6-5 and the thread: "must sleep in order to wait for remote acks"):
* invalidate_range_begin recalls the range and keeps faults out until the matching end, by n_recall_PFNs. Ranges nest and run at the
  same time: the count does too. With `atomic` it does the same spinning (policy "spin"), or breaks MN-2 (policy "sleep").
* invalidate_page of the mm is left alone, as V6-5 says of drivers that use the rmap notifier. That one is called with the page lock
  held and no spinlock, at the end of try_to_unmap or page_mkclean, and recalls the page from everybody.
* age_page answers for attachments on this machine from their tables. Another partition is asked in a message, and the answer counts
  for the next question: to wait for it would be to spin for a link's round trip under a pte lock. A page just filled counts as
  used. An answer that comes after the next question has been asked counts for nothing, so that a page that is no longer used is
  found unused by the third question at the latest, however fast they follow each other: reclaim looks four times and gives up.

Style "today": only invalidate_range_end and release, and of the ends only those the owner's own tasks make. Between the change of
the page table and the end an attachment still uses the old frame, which the reference keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sw_stack.drivers.xpmem.leaving import check_attachments, teardown
from sw_stack.drivers.xpmem.messages import Age
from sw_stack.drivers.xpmem.recall import recall
from sw_stack.mm.frames import Frame
from sw_stack.notifier import MmuNotifier, MmuRmapNotifier

if TYPE_CHECKING:
    from sw_stack.drivers.xpmem.partition import Partition
    from sw_stack.drivers.xpmem.thread_group import ThreadGroup

__all__ = ["OwnerNotifier", "RmapClient", "V6Notifier"]


class _Notifier(MmuNotifier):
    """What both styles do: one client an address space, for what it offers and for what it has attached."""

    def __init__(self, tg: ThreadGroup) -> None:
        self.tg = tg
        self.part = tg.partition

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.tg.mm.name}>"

    def spins(self, atomic: bool) -> bool:
        """Whether a wait in this callback spins."""
        return atomic and self.part.policy.atomic_range == "spin"

    async def release(self, mm: Any) -> None:
        """Everything goes: what others have of this process, and what it has of others. May sleep."""
        part, tg = self.part, self.tg
        if part.policy.mutant == "close_unlisted" and part.groups.get(tg.tgid) is not tg:
            return  # whose is it?
        await teardown(self.tg, exiting=True)


class V6Notifier(_Notifier):
    """Style "v6"."""

    def __init__(self, tg: ThreadGroup) -> None:
        super().__init__(tg)
        self._failed = 0  # begins that raised: their ends have nothing to open

    async def age_page(self, mm: Any, address: int) -> bool:
        """Context: page lock and pte lock held."""
        part, young = self.part, False
        for holder in self.tg.held(address, address + 1):
            if holder.going:
                continue
            export = holder.export
            if export.partid == part.partid:
                attachment = part.attachments.get((part.partid, export.number))
                young |= attachment is not None and attachment.test_and_clear_used(holder.page)
            else:
                young |= holder.young
                holder.young = False
                holder.questions += 1
                part.stats.age_sent += 1
                part.fabric.send(part.partid, export.partid, Age(export.number, holder.page, holder.questions))
        part.stats.aged += young
        return young

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        """Context: mmap_lock, or a spinlock if `atomic`; page locks too (KSM, device-exclusive pages)."""
        spin = self.spins(atomic)
        try:
            await self.tg.gate.begin_recall(spin=spin)
        except BaseException:
            self._failed += 1
            raise
        holders = self.tg.held(start, end)
        if holders:
            self.part.stats.recalls += 1
            await recall(self.part, holders, spin=spin)
        check_attachments(self.tg, start, end)

    async def invalidate_range_try(self, mm: Any, start: int, end: int) -> bool:
        """Refuse if anybody would have to be waited for."""
        gate = self.tg.gate
        away = any(holder.going or holder.export.partid != self.part.partid for holder in self.tg.held(start, end))
        if away or gate.n_recall_pfns < 0:
            self.part.stats.ranges_refused += 1
            return False
        await self.invalidate_range_begin(mm, start, end, True)
        return True

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        """Faults go on when no other range is active."""
        if self._failed:
            self._failed -= 1
        else:
            self.tg.gate.end_recall()


class OwnerNotifier(_Notifier):
    """Style "today"."""

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        """Context: as the begin's. The pages have been unmapped, and freed but for the references held here."""
        tg, spin = self.tg, self.spins(atomic)
        if tg.belongs(self.part.sched.task()):
            await tg.gate.begin_recall(spin=spin)
            try:
                holders = tg.held(start, end)
                if holders:
                    self.part.stats.recalls += 1
                    await recall(self.part, holders, spin=spin)
            finally:
                tg.gate.end_recall()
        else:
            self.part.stats.ranges_ignored += 1
        check_attachments(tg, start, end)


class RmapClient(MmuRmapNotifier):
    """The one rmap client of a machine. Only in style "v6"."""

    def __init__(self, part: Partition) -> None:
        self._part = part

    def __repr__(self) -> str:
        return f"<XPMEM partition {self._part.partid}>"

    async def invalidate_page(self, page: Frame) -> None:
        """Context: page lock held, no spinlock; possibly a task that reclaims memory, so nothing here allocates any.

        The page lock keeps faults on this page out. The gates do it too for a page that another range of the same process is
        about to put in its place."""
        part = self._part
        holders = part.holders.of_frame(page)
        if not holders:
            return
        part.stats.rmap_recalls += 1
        groups = list(dict.fromkeys(holder.export.segment.tg for holder in holders))
        for tg in groups:
            await tg.gate.begin_recall()
        try:
            await recall(part, part.holders.of_frame(page), late=part.policy.mutant == "drop_late")
        finally:
            for tg in groups:
                tg.gate.end_recall()
