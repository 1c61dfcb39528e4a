"""Interval notifiers: the sequence-counted notifier of today (mm/mmu_notifier.c, mmu_interval_*), on top of the V6 chain.

A subscription watches a range. Whoever establishes a translation in it does

    seq = await subs.read_begin(sub)        sleeps while an invalidation of the range is under way
    ... look the pages up, sleeping as need be ...
    lock
    if subs.read_retry(sub, seq): unlock and begin again
    ... establish ...
    unlock

and `sub.invalidate` takes the same lock. So what is established under the lock was looked up after the last invalidation began
and before the next one did.

Promises: `invalidate` is called for every overlapping subscription between begin and end of a range, for every page that is
invalidated, and once, for everything, at release. A subscription inserted while invalidations run does not miss one: it joins when
they have ended, and its readers wait until then. `remove` returns when no invalidation can still be using the subscription.
Needs: `insert` of the first subscription under mmap_lock for writing (it registers with the chain); `remove` without any lock that
`invalidate` takes. Costs one notifier callback an event, and a pass over the subscriptions.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from hwif.gen import timing
from hwif.gen.gru import PAGE_SHIFT
from sw_stack.notifier.chain import MmuNotifierChain
from sw_stack.notifier.client import MmuNotifier, NotifierError
from sw_stack.sched import Scheduler, WaitQueue
from sw_stack.sched.task import DONE

__all__ = ["EVERYTHING", "IntervalSubscription", "IntervalSubscriptions"]

EVERYTHING = 1 << 64
"""End of a range without an end."""


class AddressSpace(Protocol):
    """What is asked of an address space (sw_stack.mm.Mm)."""

    id: int
    notifiers: MmuNotifierChain


class IntervalSubscription:
    """A watched range, start inclusive, end exclusive. Extended by the driver."""

    def __init__(self, start: int, end: int) -> None:
        if not 0 <= start < end <= EVERYTHING:
            raise NotifierError(f"no interval [{start:#x}, {end:#x})")
        self.start = start
        self.end = end
        self.seq = 0
        """Sequence number of the invalidation that touched it last."""
        self.gone = False
        """`remove` has returned: it is its owner's to free."""

    def overlaps(self, start: int, end: int) -> bool:
        return start < self.end and self.start < end

    async def invalidate(self, start: int, end: int, atomic: bool) -> None:
        """Drop every translation of the range; hold the lock `read_retry` is called under while they are taken out. The range may
        be larger than the subscription. Must not sleep if `atomic`."""
        raise NotImplementedError

    async def invalidate_try(self, start: int, end: int) -> bool:
        """As `invalidate`, for a range that may not sleep and may fail: False if it would have to sleep, with nothing done (the
        -EAGAIN of a non-blockable range). Atomic."""
        await self.invalidate(start, end, True)
        return True

    async def age_page(self, address: int) -> bool:
        """True if the device has used the page since the last call. Atomic."""
        return False


class IntervalSubscriptions(MmuNotifier):
    """The subscriptions of one address space. Stays with the chain from its first subscription to release.

    `seq` is odd while an invalidation runs that a subscription overlaps. No lock: nothing here awaits between test and change. What
    is said to be used where the numbers and lists are is the wait queue `_ended`.
    """

    def __init__(self, sched: Scheduler, mm: AddressSpace, *, remove_early: bool = False) -> None:
        super().__init__()
        self._remove_early = remove_early
        """A mistake to make (mm/mmu_notifier.c until 5.18): `remove` looks at the number without the lock of the end, which moves
        the number first and lets go of the subscriptions then."""
        self._sched = sched
        self._mm = mm
        self._seq = 2
        self._active = 0
        self._subs: list[IntervalSubscription] = []
        self._inserts: list[IntervalSubscription] = []
        self._removes: list[IntervalSubscription] = []
        self._ended = WaitQueue(sched, f"interval invalidation of mm {mm.id}")
        self._registered = False
        self._released = False

    @property
    def invalidating(self) -> bool:
        """An invalidation runs that a subscription overlaps."""
        return bool(self._seq & 1)

    def subscriptions(self) -> tuple[IntervalSubscription, ...]:
        """Those that are called."""
        return tuple(self._subs)

    # ---- subscribing -----------------------------------------------------------------------------------------------

    def insert(self, sub: IntervalSubscription) -> None:
        """Watch. The first needs mmap_lock for writing. NotifierError after release."""
        self._sched.touch(self._ended)
        if self._released:
            raise NotifierError(f"MN-4: interval subscribed on mm {self._mm.id} after its release")
        if not self._registered:
            self._mm.notifiers.register(self)
            self._registered = True
        if self._active:
            # Its begin has passed without this subscription: readers must wait for the end.
            if self.invalidating:
                self._inserts.append(sub)
            else:
                self._seq |= 1
                self._subs.append(sub)
            sub.seq = self._seq
        else:
            sub.seq = self._seq - 1  # odd: no invalidation has this number
            self._subs.append(sub)

    async def remove(self, sub: IntervalSubscription) -> None:
        """Stop watching; sleeps until no invalidation that may know the subscription is left."""
        self._sched.touch(self._ended)
        if sub in self._inserts:
            self._inserts.remove(sub)
            sub.gone = True
            return
        if sub not in self._subs or sub in self._removes:
            raise NotifierError(f"interval [{sub.start:#x}, {sub.end:#x}) is not subscribed on mm {self._mm.id}")
        if not self.invalidating:
            self._subs.remove(sub)
            sub.gone = True
            return
        self._removes.append(sub)
        seq = self._seq
        if self._remove_early:
            await self._sched.charge(timing.SW_NOTIFIER_CALL)
        await self._ended.wait_event(lambda: self._seq != seq)
        sub.gone = True

    # ---- establishing ----------------------------------------------------------------------------------------------

    async def read_begin(self, sub: IntervalSubscription) -> int:
        """The number to hand to `read_retry`. Sleeps while the subscription is being invalidated."""
        self._sched.touch(self._ended)
        seq = sub.seq
        if seq == self._seq:
            await self._ended.wait_event(lambda: self._seq != seq)
        # Linux: the end makes the number even and leaves sub.seq odd, so it stays valid until the next invalidation of the range.
        return seq

    def read_retry(self, sub: IntervalSubscription, seq: int) -> bool:
        """True if an invalidation of the subscription began since `read_begin`. Under the lock `invalidate` takes."""
        self._sched.touch(self._ended)
        return sub.seq != seq

    # ---- the chain's callbacks -------------------------------------------------------------------------------------

    async def invalidate_range_begin(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        await self._begin(start, end, atomic)

    async def invalidate_range_try(self, mm: Any, start: int, end: int) -> bool:
        """A range that may fail. If one subscription would sleep, the range is over for all of them: those told before it are open
        again, as after an end, and the chain calls none."""
        agreed = False
        found = self._number(start, end)
        try:
            for sub in found:
                if not await sub.invalidate_try(start, end):
                    return False
            agreed = True
            return True
        finally:
            if not agreed:
                await self._end()

    async def invalidate_range_end(self, mm: Any, start: int, end: int, atomic: bool) -> None:
        await self._end()

    async def invalidate_page(self, mm: Any, address: int) -> None:
        start = address & -1 << PAGE_SHIFT
        try:
            await self._begin(start, start + (1 << PAGE_SHIFT), True)
        finally:
            await self._end()

    async def age_page(self, mm: Any, address: int) -> bool:
        young = False
        for sub in self.subscriptions():
            if sub.overlaps(address, address + 1):
                young |= await sub.age_page(address)
        return young

    async def release(self, mm: Any) -> None:
        self._released = True
        try:
            await self._begin(0, EVERYTHING, False)
        finally:
            await self._end()

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _begin(self, start: int, end: int, atomic: bool) -> None:
        for sub in self._number(start, end):
            await sub.invalidate(start, end, atomic)

    def _number(self, start: int, end: int) -> list[IntervalSubscription]:
        """One more invalidation runs; the subscriptions it concerns, with its number. All are numbered before the first is
        called: none may be established from what was read before this begin."""
        self._sched.touch(self._ended)
        self._active += 1
        found = [sub for sub in self._subs if sub.overlaps(start, end)]
        if found:
            self._seq |= 1
            for sub in found:
                sub.seq = self._seq
        return found

    def _end(self) -> Awaitable[None]:
        """One invalidation less; await it."""
        self._sched.touch(self._ended)
        self._active -= 1
        if self._active or not self.invalidating:
            return DONE
        self._seq += 1
        if self._remove_early:
            return self._let_go_late()
        self._let_go()
        return DONE

    async def _let_go_late(self) -> None:
        """The mistake `remove_early`: whoever looks at the number meanwhile takes it for the end."""
        await self._sched.charge(timing.SW_NOTIFIER_CALL)
        self._sched.touch(self._ended)
        self._let_go()

    def _let_go(self) -> None:
        """What came and went during the invalidations, now that none is left."""
        for sub in self._inserts:
            self._subs.append(sub)
        for sub in self._removes:
            if sub.gone:
                raise NotifierError(
                    f"the end of an invalidation on mm {self._mm.id} takes the interval [{sub.start:#x}, {sub.end:#x}) out of its "
                    "list, but its remove has returned already: the memory is somebody else's"
                )
            self._subs.remove(sub)
        self._inserts.clear()
        self._removes.clear()
        self._ended.wake_all()
