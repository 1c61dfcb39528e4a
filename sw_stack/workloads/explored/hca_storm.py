"""A fault is answered while invalidations go on and on.

Each invalidation of a region spoils the lookups of its faults that are under way. A driver that looks up again and again holds its
worker, the region and the queue pair for as long as the storm lasts; Linux bounded one of its two retries, not the other. Here a
fault gives up after `fault_retries` lookups, and the device is sent to fault again: it makes no progress, but holds nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from hwif.gen import timing
from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import DriverPolicy
from sw_stack.workloads.explored.hca_play import BASE, PAGE, HcaPlay
from sw_stack.workloads.explored.play import Actor, Planted

LOOKUPS = 2
INVALIDATIONS = 4
OTHER = BASE + PAGE


class Scene(HcaPlay):
    PLANTED: ClassVar[Mapping[str, Planted]] = {
        "hca_retry_unbounded": Planted(
            (21,), "a fault whose lookups are spoilt by invalidations looks up again without bound", 17, "retry_forever"
        ),
    }

    def policy(self) -> DriverPolicy:
        return replace(super().policy(), fault_retries=LOOKUPS)

    async def begin(self) -> None:
        self.mm = await self.program("program", 2)
        self.mr = await self.region(self.mm, 2)
        self.wire = await self.connect(self.mm)
        self.before = self._counts()
        await self._write()
        await self.settle()

    def actors(self) -> Sequence[Actor]:
        self.before = self._counts()
        return Actor("user", 0, self._write()), Actor("storm", 1, self._storm())

    def _counts(self) -> tuple[int, int]:
        stats = self.driver.stats
        return stats.fault_records, stats.fault_retry

    async def _write(self) -> None:
        status = await self.wire.write(self.mr, BASE, self.mr, BASE + 8)
        self.check(status is WcStatus.SUCCESS, f"the write ended in {status.name}")

    async def _storm(self) -> None:
        """Ranges, one after the other: another client of the address space takes its time in each."""
        async with self.mm.mmap_lock.reading():
            for _ in range(INVALIDATIONS):
                async with self.mm.notifiers.range(OTHER, OTHER + PAGE):
                    await self.sched.sleep(timing.SW_BACKOFF)

    async def settle(self) -> None:
        faults, spoilt = (now - then for now, then in zip(self._counts(), self.before, strict=True))
        self.check(
            spoilt <= LOOKUPS * faults,
            f"{faults} faults have looked up {spoilt} times in vain: each is to give up after {LOOKUPS}, and hold nobody longer",
        )
        await self.mm.madvise_dontneed(BASE, PAGE)
        await self.mm.store(BASE, bytes([1]) * 8)
