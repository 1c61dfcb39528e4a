"""The device's side of a replayed program: workers that play operations on the program's pages.

The program offers an operation now and then; a worker plays it and settles it against the golden contents. What the program
changes meanwhile makes an operation racy: then it is checked for safety by the oracle, not for its bytes. Which device, and what
its operations are, is a subclass's matter (replay_gru.py, replay_hca.py).

Promises: every operation offered is played and settled before `finish` returns. The draws come from the random source given.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hwif.gen.gru import PAGE_SHIFT
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError
from sw_stack.mm.workload_access import allows, peek
from sw_stack.sched import Scheduler, Task, WaitQueue
from sw_stack.workloads.findings import Findings
from sw_stack.workloads.golden import Golden

__all__ = ["DeviceSide", "Ground"]

PAGE = 1 << PAGE_SHIFT
DRAWS = 8  # tries to find a page with the right wanted

Op = TypeVar("Op")


@dataclass(frozen=True)
class Ground:
    """What a side works on. `recent`: pages the program has just used, which it goes on adding to."""

    sched: Scheduler
    machine: Machine
    mm: Mm
    golden: Golden
    findings: Findings
    recent: Sequence[int]
    rng: random.Random


class DeviceSide(ABC, Generic[Op]):
    """`workers` tasks on processor `cpu`."""

    def __init__(self, ground: Ground, workers: int, name: str, cpu: int) -> None:
        self.ground = ground
        self._count = workers
        self._name = name
        self._cpu = cpu
        self._queue: deque[Op] = deque()
        self._work = WaitQueue(ground.sched, "device work")
        self._room = WaitQueue(ground.sched, "room in the device queue")
        self._workers: list[Task] = []
        self._stop = False
        self.operations = self.verified = self.racy = self.faulted = 0

    # ---- what a device adds ------------------------------------------------------------------------------------------

    @abstractmethod
    async def open(self) -> None:
        """Open the device for the program's address space. Called in the program's task."""

    @abstractmethod
    async def close(self) -> None:
        """Give the device back, while the address space still lives."""

    @abstractmethod
    def draw(self) -> Op | None:
        """An operation over recently touched pages, None when there are none to work on."""

    @abstractmethod
    async def perform(self, index: int, operation: Op) -> None:
        """Play one as worker `index`, and settle it."""

    # ---- what the program does with it -------------------------------------------------------------------------------

    def start(self) -> None:
        """Spawn the workers."""
        for index in range(self._count):
            self._workers.append(self.ground.sched.spawn(self._worker(index), f"{self._name} {index}", self._cpu))

    async def offer(self) -> None:
        """Draw an operation and hand it to a worker; waits for room."""
        if not self._count:
            return
        operation = self.draw()
        if operation is None:
            return
        await self._room.wait_event(lambda: len(self._queue) < 2 * self._count)
        self._queue.append(operation)
        self._work.wake_all()

    async def finish(self) -> None:
        """Wait until every operation is settled and the workers are gone."""
        self._stop = True
        self._work.wake_all()
        for task in self._workers:
            await self.ground.sched.join(task)

    async def _worker(self, index: int) -> None:
        while True:
            await self._work.wait_event(lambda: bool(self._queue) or self._stop, patient=True)
            if not self._queue:
                return
            operation = self._queue.popleft()
            self._room.wake_all()
            await self.perform(index, operation)

    # ---- pages ---------------------------------------------------------------------------------------------------------

    def readable(self, rng: random.Random) -> int | None:
        """A recent page the mapping lets be read."""
        return self._pick(rng, False)

    def writable(self, rng: random.Random) -> int | None:
        """The same for writing."""
        return self._pick(rng, True)

    def _pick(self, rng: random.Random, write: bool) -> int | None:
        recent = self.ground.recent
        for _ in range(DRAWS):
            if not recent:
                return None
            vpn = recent[rng.randrange(len(recent))]
            if allows(self.ground.mm, vpn << PAGE_SHIFT, write):
                return vpn
        return None

    def still_allowed(self, reads: Iterable[int], writes: Iterable[int]) -> bool:
        """Whether the mapping still lets these pages be read and written."""
        mm = self.ground.mm
        return all(allows(mm, vpn << PAGE_SHIFT, False) for vpn in reads) and all(
            allows(mm, vpn << PAGE_SHIFT, True) for vpn in writes
        )

    # ---- settling ------------------------------------------------------------------------------------------------------

    def check_written(self, name: str, address: int, data: bytes) -> None:
        """Compare what the device wrote, when the page is in memory; a page in swap is compared when it comes back."""
        done = 0
        while done < len(data):
            step = min(len(data) - done, PAGE - (address & (PAGE - 1)))
            found = peek(self.ground.mm, address, step)
            if found is not None:
                self.ground.findings.compare(f"{name} target", address, data[done : done + step], found)
            address, done = address + step, done + step

    async def adopt(self, writes: Iterable[int]) -> None:
        """Nothing is known of the targets' bytes: take what memory holds as the contents from here on."""
        for vpn in sorted(writes):
            try:
                data = await self.ground.mm.load(vpn << PAGE_SHIFT, PAGE)
            except MmError:
                continue
            self.ground.golden.write(vpn << PAGE_SHIFT, data)
