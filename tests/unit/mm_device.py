"""A device with a TLB, in Python: what a correct client of the notifiers does, and switches to do it wrong.

It plays by the same oracle as the real device: an access is legal iff the frame has a record for it, from the lookup until the last
byte moved. A drop-in under way is killed by an invalidation that covers it, as the hardware does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mm_rig import Rig

from hwif.gen import timing
from hwif.shadow import READ, WRITE
from sw_stack.mm import Mm, MmError
from sw_stack.notifier import MmuNotifier
from sw_stack.sched import WaitQueue


@dataclass(eq=False)
class Pending:
    """A drop-in between the miss and the fill."""

    vpn: int
    killed: bool = False


class Device(MmuNotifier):
    """`broken`: "" or one of MUTANTS."""

    MUTANTS = ("no flush", "ignore range_active", "no drain", "no kill")

    def __init__(self, rig: Rig, mm: Mm, seed: int, broken: str = "") -> None:
        self.rig, self.mm, self.sched = rig, mm, rig.sched
        self.rng = random.Random(seed)
        self.broken = broken
        self.tlb: dict[int, tuple[int, bool]] = {}
        self.pending: list[Pending] = []
        self.flying: list[tuple[int, object]] = []
        self.used: set[int] = set()
        self.range_active = 0
        self.wait = WaitQueue(rig.sched, "range_active")
        self.gone = False
        self.violations: list[str] = []
        self.accesses = self.drops = self.killed = 0

    # ---- the client ------------------------------------------------------------------------------------------------

    async def _kill(self, first: int, last: int) -> None:
        if self.broken != "no flush":
            for vpn in [vpn for vpn in self.tlb if first <= vpn < last]:
                del self.tlb[vpn]
        if self.broken != "no kill":
            for pending in self.pending:
                if first <= pending.vpn < last:
                    pending.killed = True
        if self.broken != "no drain":
            flying = [access for access in self.flying if first <= access[0] < last]
            while any(access in self.flying for access in flying):
                await self.sched.charge(20)

    async def invalidate_range_begin(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.range_active += 1
        await self._kill(start >> 12, end >> 12)

    async def invalidate_range_end(self, mm: Mm, start: int, end: int, atomic: bool) -> None:
        self.range_active -= 1
        self.wait.wake_all()

    async def invalidate_page(self, mm: Mm, address: int) -> None:
        await self._kill(address >> 12, (address >> 12) + 1)

    async def age_page(self, mm: Mm, address: int) -> bool:
        young = address >> 12 in self.used
        self.used.discard(address >> 12)
        return young

    async def release(self, mm: Mm) -> None:
        self.gone = True
        await self._kill(0, 1 << 52)

    # ---- the device ------------------------------------------------------------------------------------------------

    async def access(self, vpn: int, write: bool) -> int:
        """One access; the physical address, good at this instant and no later. MmError if the page may not be accessed so."""
        while True:
            entry = self.tlb.get(vpn)
            if entry is not None and (entry[1] or not write):
                break
            await self._drop_in(vpn, write)
        token = (vpn, object())
        self.flying.append(token)
        self._check(entry[0], vpn, write)
        await self.sched.charge(self.rng.choice((5, 50, 400)))
        self._check(entry[0], vpn, write)
        self.flying.remove(token)
        self.used.add(vpn)
        self.accesses += 1
        return entry[0] << 12

    def _check(self, pfn: int, vpn: int, write: bool) -> None:
        rights = self.rig.shadow.rights(pfn, self.mm.id, vpn)
        if not rights & (WRITE if write else READ):
            self.violations.append(f"cycle {self.sched.now}: {'write' if write else 'read'} of frame {pfn} at page {vpn:#x}")

    async def _drop_in(self, vpn: int, write: bool) -> None:
        if self.gone:
            raise MmError(14, "the device has let go of the address space")
        pending = Pending(vpn)
        self.pending.append(pending)
        try:
            if self.rng.random() < 0.5:
                await self._from_interrupt(pending, write)
            else:
                await self._from_user(pending, write)
        finally:
            self.pending.remove(pending)

    async def _from_interrupt(self, pending: Pending, write: bool) -> None:
        task = self.sched.task()
        task.atomic += 1
        try:
            await self.sched.charge(30)
            if self.mm.mmap_lock.down_read_trylock():
                try:
                    if not self.range_active or self.broken == "ignore range_active":
                        await self._fill(pending, self.mm.follow_page(pending.vpn << 12, write))
                finally:
                    self.mm.mmap_lock.up_read()
        finally:
            task.atomic -= 1

    async def _from_user(self, pending: Pending, write: bool) -> None:
        async with self.mm.mmap_lock.reading():
            if self.broken != "ignore range_active":
                await self.wait.wait_event(lambda: self.range_active == 0)
            await self._fill(pending, await self.mm.get_user_pages(pending.vpn << 12, write))

    async def _fill(self, pending: Pending, found: object) -> None:
        if found is None:
            return
        await self.sched.charge(self.rng.choice((timing.SW_MMIO_WRITE, 500)))
        if pending.killed:
            self.killed += 1
            return
        self.drops += 1
        self.tlb[pending.vpn] = (found.pfn, found.writable and found.dirty)  # type: ignore[attr-defined]
