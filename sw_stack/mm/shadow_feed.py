"""What the oracle is told: the only writer of its records of user pages.

Promises the rules of docs/architecture.md §2. A record is revoked at the instant the notifier call that covers it *returned*
(begin, invalidate_page, release) and granted when an entry is established outside every active range, or at the end of the last
range that covers it, from the page table as it then is. The page table may change earlier or later than the record: that
difference is what the notifier contract is about. An establishment that would change a live record to another frame, or narrow
its rights, has skipped its notifier call and raises NotifierError; so does freeing a frame with a live record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hwif import shadow as oracle
from hwif.shadow import RIGHTS_BITS, RIGHTS_MASK
from sw_stack.mm.pagetable import EXCLUSIVE, LEAF_ENTRIES, PRESENT, READ, VALUE_SHIFT, WAS_WRITE, WRITE, PageTable
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT
from sw_stack.notifier import NotifierError
from sw_stack.sched.callchain import call_chain

__all__ = ["MmShadow", "ShadowFeed", "entry_rights"]


def entry_rights(pte: int) -> int:
    """What a device may do by an entry. A page that a device has to itself is the device's to use as the processor might."""
    if pte & EXCLUSIVE:
        return oracle.READ | (oracle.WRITE if pte & WAS_WRITE else 0)
    return (oracle.READ if pte & READ else 0) | (oracle.WRITE if pte & WRITE else 0)


class ShadowFeed:
    """The records of one machine, counted by frame."""

    def __init__(self, shadow: oracle.Shadow, frames: int, changing: Callable[[], None] = lambda: None) -> None:
        self.shadow = shadow
        self.changing = changing
        """Called before records change that a device's accesses are held against."""
        self.live = [0] * frames
        """Records of each frame."""

    def grant(self, pfn: int, mm: int, vpn: int, rights: int, *, fresh: bool) -> None:
        self.shadow.grant(pfn, mm, vpn, rights)
        self.live[pfn] += fresh

    def revoke(self, pfn: int, mm: int, vpn: int) -> None:
        if not self.shadow.revoke(pfn, mm, vpn):
            raise NotifierError(f"the oracle has lost the record of frame {pfn} at page {vpn:#x} of mm {mm}")
        self.live[pfn] -= 1

    def revoke_run(self, mm: int, vpn: int, frames: list[int]) -> None:
        """Revoke pages from `vpn` on; `frames` has each page's frame, or a negative number."""
        for lost in self.shadow.revoke_run(mm, vpn, frames):
            raise NotifierError(f"the oracle has lost the record of page {lost:#x} of mm {mm}")
        live = self.live
        for frame in frames:
            if frame >= 0:
                live[frame] -= 1

    def check_free(self, pfn: int, count: int) -> None:
        """Frames pfn..pfn+count-1 are about to be freed: no client may hold a translation to them."""
        if count == 1 and not self.live[pfn]:
            return
        for number in range(pfn, pfn + count):
            if self.live[number]:
                raise NotifierError(
                    f"MN-3: frame {number} is freed while {self.live[number]} translations to it are still allowed; "
                    f"called by {call_chain()}"
                )


class MmShadow:
    """The records of one address space; the observer of its notifier chain."""

    def __init__(self, feed: ShadowFeed, mm: int, table: PageTable) -> None:
        self._feed = feed
        self._mm = mm
        self._table = table
        # leaf -> for each of its pages frame << RIGHTS_BITS | rights, 0 without a record; and how many it has
        self._records: dict[int, list[int]] = {}
        self._counts: dict[int, int] = {}
        self._ranges: list[tuple[int, int]] = []  # begun and not ended, in pages
        self._released = False

    def records(self) -> dict[int, tuple[int, int]]:
        """Page -> (frame, rights) of every live record."""
        return {
            key * LEAF_ENTRIES + index: (record >> RIGHTS_BITS, record & RIGHTS_MASK)
            for key, leaf in self._records.items()
            for index, record in enumerate(leaf)
            if record
        }

    def covered(self, vpn: int) -> bool:
        """True if a range between begin and end covers the page."""
        return any(start <= vpn < end for start, end in self._ranges)

    def established(self, vpn: int, pte: int, shift: int = PAGE_SHIFT) -> None:
        """An entry was written. Call in the same instant. After release no client is left to use it."""
        if not pte & (PRESENT | EXCLUSIVE) or self._released:
            return
        if shift == PAGE_SHIFT:
            if not (self._ranges and self.covered(vpn)):
                self._grant(vpn, pte >> VALUE_SHIFT, entry_rights(pte))
            return
        rights = entry_rights(pte)
        base = pte >> VALUE_SHIFT
        for offset in range(1 << (shift - PAGE_SHIFT)):
            if not (self._ranges and self.covered(vpn + offset)):
                self._grant(vpn + offset, base + offset, rights)

    def overlooked(self, start: int, end: int) -> None:
        """Entries of the range are about to lose rights and no client will be told: a mistake of V6. The records follow the page
        table, so that it is the device's next access that is found to be illegal."""
        self._revoke(start >> PAGE_SHIFT, (end + PAGE_MASK) >> PAGE_SHIFT)

    @contextmanager
    def unheard(self, vpn: int) -> Iterator[None]:
        """The entry is changed inside, and whoever has the old translation keeps it until it is told: a mistake, which the records
        follow."""
        self._ranges.append((vpn, vpn + 1))
        try:
            yield
        finally:
            self._ranges.remove((vpn, vpn + 1))

    def _grant(self, vpn: int, pfn: int, rights: int) -> None:
        key, index = divmod(vpn, LEAF_ENTRIES)
        leaf = self._records.get(key)
        old = 0 if leaf is None else leaf[index]
        if old:
            old_pfn, old_rights = old >> RIGHTS_BITS, old & RIGHTS_MASK
            if old_pfn != pfn or old_rights & ~rights:
                raise NotifierError(
                    f"MN-3: page {vpn:#x} of mm {self._mm} changes from frame {old_pfn} rights {old_rights} to frame {pfn} "
                    f"rights {rights} without a notifier call; called by {call_chain()}"
                )
            if old_rights == rights:
                return
        if rights:
            feed = self._feed
            feed.changing()
            feed.shadow.grant(pfn, self._mm, vpn, rights)
            feed.live[pfn] += not old
            if leaf is None:
                leaf = self._records[key] = [0] * LEAF_ENTRIES
                self._counts[key] = 0
            leaf[index] = pfn << RIGHTS_BITS | rights
            self._counts[key] += not old

    def _revoke(self, start: int, end: int) -> None:
        first, last = start // LEAF_ENTRIES, (end - 1) // LEAF_ENTRIES
        if first == last:
            keys = [first] if first in self._records else []
        elif last - first < len(self._records):
            keys = [k for k in range(first, last + 1) if k in self._records]
        else:
            keys = [k for k in self._records if first <= k <= last]
        for key in keys:
            leaf, base = self._records[key], key * LEAF_ENTRIES
            low, high = max(start - base, 0), min(end - base, LEAF_ENTRIES)
            run = leaf[low:high]
            gone = len(run) - run.count(0)
            if not gone:
                continue
            self._feed.changing()
            leaf[low:high] = [0] * (high - low)
            self._feed.revoke_run(self._mm, base + low, [(record or -1) >> RIGHTS_BITS for record in run])
            self._counts[key] -= gone
            if not self._counts[key]:
                del self._records[key], self._counts[key]

    # ---- TranslationObserver ---------------------------------------------------------------------------------------

    def range_begun(self, start: int, end: int) -> None:
        first, last = start >> PAGE_SHIFT, (end + PAGE_MASK) >> PAGE_SHIFT
        self._revoke(first, last)
        self._ranges.append((first, last))

    def range_ending(self, start: int, end: int) -> None:
        first, last = start >> PAGE_SHIFT, (end + PAGE_MASK) >> PAGE_SHIFT
        self._ranges.remove((first, last))
        for entry in self._table.entries(first, last):
            self.established(entry.vpn, entry.pte, entry.shift)

    def page_invalidated(self, address: int) -> None:
        vpn = address >> PAGE_SHIFT
        self._revoke(vpn, vpn + 1)

    def released(self) -> None:
        self._released = True
        for start, end in [(key * LEAF_ENTRIES, (key + 1) * LEAF_ENTRIES) for key in self._records]:
            self._revoke(start, end)
