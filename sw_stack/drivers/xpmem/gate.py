"""n_recall_PFNs: faults and recalls of one thread group keep out of each other's way.

    < 0   that many faults are entering a page: recalls wait
    > 0   that many recalls are going on: faults wait

A recall that waits holds later faults off, so it waits only for the faults it found. Source: xpmem_block_recall_PFNs and
xpmem_disallow_blocking_recall_PFNs.

Why it cannot deadlock:
* A fault is counted only while it holds the page lock and enters the page: it waits for nothing there, allocates nothing, takes no
  lock. It is not counted while it looks the page up, where it may reclaim memory, and reclaim may recall. A fault counted across
  its lookup would wait for its own recall.
* A fault that meets a recall gives back every lock, the page's and mmap_lock, before it waits.
* A recall may wait here under mmap_lock, a page lock, or a spinlock (then it spins): a counted fault needs none of them to go on.
* Whoever neither faults nor recalls does not touch the count: detach waits for a recall without blocking any.

Lock order: mmap_lock of the source, page lock, this count. Nothing is taken under it.
"""

from __future__ import annotations

from sw_stack.sched import Scheduler, WaitQueue

__all__ = ["RecallGate"]


class RecallGate:
    """The count of one thread group."""

    def __init__(self, sched: Scheduler, name: str) -> None:
        self.n_recall_pfns = 0
        self.waiting = 0
        """Recalls that wait for faults to end."""
        self._sched = sched
        self._allow = WaitQueue(sched, f"allow_recall_PFNs[{name}]")
        self._block = WaitQueue(sched, f"block_recall_PFNs[{name}]")

    @property
    def open(self) -> bool:
        """True if a fault may begin."""
        self._sched.touch(self._allow)
        return self.n_recall_pfns <= 0 and not self.waiting

    async def wait_open(self) -> None:
        """Until a fault may begin. Hold no lock a recall may be waiting under."""
        await self._block.wait_event(lambda: self.open)

    def begin_fault(self) -> bool:
        """Block recalls; False if one is going on or waiting."""
        if not self.open:
            return False
        self.n_recall_pfns -= 1
        return True

    def end_fault(self) -> None:
        """The page is entered, or given up."""
        self._sched.touch(self._allow)
        self.n_recall_pfns += 1
        if not self.n_recall_pfns:
            self._allow.wake_all()

    async def begin_recall(self, *, spin: bool = False) -> None:
        """Block faults, when those under way have ended."""
        self._sched.touch(self._allow)
        self.waiting += 1
        try:
            await self._allow.wait_event(lambda: self.n_recall_pfns >= 0, spin=spin)
        finally:
            self.waiting -= 1
        self.n_recall_pfns += 1

    def end_recall(self) -> None:
        """Faults may go on."""
        self._sched.touch(self._allow)
        self.n_recall_pfns -= 1
        if self.open:
            self._block.wake_all()
