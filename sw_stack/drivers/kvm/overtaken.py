"""How a fault learns that an invalidation has overtaken it.

    wait while the page is being invalidated; seen = snapshot()
    look the page up, sleeping as need be
    mmu_lock: make the spte only unless stale(seen, hva)

Two ways. Both are right; they differ in whom they hold off.

* `InvalidateCount` (2008, the driver skeleton of V6-4): ranges that are active are counted, and while there is one nobody makes an
  spte, anywhere. The skeleton leaves a range that came and went between lookup and entry to the page lock; here the count of all
  that ever began tells it.
* `InvalidateSeq` (mmu_invalidate_retry_hva): the number counts what has *ended*; what is under way is known by the bounding union
  of its ranges. A second range can only widen it, and it stays as wide until the last has ended, since nobody remembers which range
  gave it which bound. Faults outside go on.

    fault                             VM
    seen = 7
    get_user_pages: frame 5
                                      begin: in_progress 1, zap (nothing)
                                      pte gone, frame 5 freed
                                      end: number 8, in_progress 0
    mmu_lock: 8 != 7, look up again

Needs: `begin`, `end`, `page`, `stale` with mmu_lock held. Nothing here awaits but `wait`.
"""

from __future__ import annotations

from typing import Protocol

from sw_stack.drivers.kvm.errors import KvmError
from sw_stack.sched import Scheduler, WaitQueue

__all__ = ["InvalidateCount", "InvalidateSeq", "Overtaken"]


class Overtaken(Protocol):
    """What faults and callbacks ask of either."""

    every_range: bool
    """Ranges that concern no memory slot count too."""

    def begin(self, start: int, end: int) -> None:
        """A range begins, before its sptes are zapped."""
        ...

    def end(self, start: int, end: int) -> None:
        """It has ended. KvmError if more have than began."""
        ...

    def page(self) -> None:
        """A single page is invalidated, at one instant; or everything, for good."""
        ...

    def blocked(self, hva: int) -> bool:
        """The page is being invalidated."""
        ...

    async def wait(self, hva: int) -> None:
        """Sleep until the page is not being invalidated."""
        ...

    def snapshot(self) -> int:
        """What to hand to `stale`."""
        ...

    def stale(self, seen: int, hva: int) -> bool:
        """What was looked up since the snapshot may be gone."""
        ...


class InvalidateCount:
    """`invalidates` of the V6 skeleton."""

    every_range = True

    def __init__(self, sched: Scheduler, name: str) -> None:
        self.invalidates = 0
        """Ranges between begin and end."""
        self._begun = 0
        self._ended = WaitQueue(sched, f"invalidates of {name}")

    def begin(self, start: int, end: int) -> None:
        self.invalidates += 1
        self._begun += 1

    def end(self, start: int, end: int) -> None:
        if self.invalidates == 0:
            raise KvmError(f"MN-1: end of [{start:#x}, {end:#x}) with no range counted")
        self.invalidates -= 1
        if not self.invalidates:
            self._ended.wake_all()

    def page(self) -> None:
        self._begun += 1

    def blocked(self, hva: int) -> bool:
        return self.invalidates > 0

    async def wait(self, hva: int) -> None:
        await self._ended.wait_event(lambda: not self.invalidates)

    def snapshot(self) -> int:
        return self._begun

    def stale(self, seen: int, hva: int) -> bool:
        return self.invalidates > 0 or self._begun != seen


class InvalidateSeq:
    """mmu_invalidate_seq, mmu_invalidate_in_progress and the remembered range. `shrinks`: the mutant union_shrinks."""

    every_range = False

    def __init__(self, sched: Scheduler, name: str, *, shrinks: bool = False) -> None:
        self.in_progress = 0
        self.low = self.high = 0
        """The bounding union of the ranges in progress, end exclusive; whatever it was when none is."""
        self._seq = 0
        self._shrinks = shrinks
        self._ended = WaitQueue(sched, f"mmu_invalidate_in_progress of {name}")

    def begin(self, start: int, end: int) -> None:
        self.in_progress += 1
        if self.in_progress == 1:
            self.low, self.high = start, end
        else:
            self.low, self.high = min(self.low, start), max(self.high, end)

    def end(self, start: int, end: int) -> None:
        if self.in_progress == 0:
            raise KvmError(f"MN-1: end of [{start:#x}, {end:#x}) with no range in progress: the slots changed since its begin")
        self._seq += 1
        self.in_progress -= 1
        if not self.in_progress:
            self._ended.wake_all()
        elif self._shrinks:
            if start <= self.low:
                self.low = end
            else:
                self.high = start
            self._ended.wake_all()

    def page(self) -> None:
        self._seq += 1

    def blocked(self, hva: int) -> bool:
        return self.in_progress > 0 and self.low <= hva < self.high

    async def wait(self, hva: int) -> None:
        await self._ended.wait_event(lambda: not self.blocked(hva))

    def snapshot(self) -> int:
        return self._seq

    def stale(self, seen: int, hva: int) -> bool:
        return self.blocked(hva) or self._seq != seen
