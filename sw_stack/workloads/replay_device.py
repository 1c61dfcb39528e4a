"""The GRU at work on a replayed program's pages: workers with a control block and a slice of the data segment each.

The program offers an operation now and then; a worker plays it and settles it against the golden contents. What the program
changes meanwhile makes an operation racy: then it is checked for safety by the oracle, not for its bytes.

Promises: every operation offered is played and settled before `finish` returns. The draws come from the random source given.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from hwif.gen.gru import PAGE_SHIFT, CbEcause, CbIstatus
from sw_stack.drivers.gru.user import CbResult, GruUser
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError
from sw_stack.mm.workload_access import allows, peek
from sw_stack.sched import Scheduler, Task, WaitQueue
from sw_stack.workloads.device_ops import SLICE_BYTES, DeviceOp, draw_operation
from sw_stack.workloads.findings import Findings
from sw_stack.workloads.golden import Golden, Operation

__all__ = ["DeviceSide"]

PAGE = 1 << PAGE_SHIFT
DEVICE_CPU = 1


class DeviceSide:
    """`recent`: pages the program has just used, which it goes on adding to; operations are drawn from them."""

    def __init__(
        self,
        sched: Scheduler,
        machine: Machine,
        mm: Mm,
        golden: Golden,
        findings: Findings,
        recent: Sequence[int],
        rng: random.Random,
    ) -> None:
        self._sched = sched
        self._machine = machine
        self._mm = mm
        self._golden = golden
        self._findings = findings
        self._recent = recent
        self._rng = rng
        self._queue: deque[DeviceOp] = deque()
        self._work = WaitQueue(sched, "device work")
        self._room = WaitQueue(sched, "room in the device queue")
        self._workers: list[Task] = []
        self._stop = False
        self.operations = self.verified = self.racy = self.faulted = 0

    def start(self, user: GruUser, workers: int) -> None:
        """Spawn the workers."""
        self._user = user
        for index in range(workers):
            self._workers.append(self._sched.spawn(self._worker(index), f"gru user {index}", DEVICE_CPU))

    async def finish(self) -> None:
        """Wait until every operation is settled and the workers are gone."""
        self._stop = True
        self._work.wake_all()
        for task in self._workers:
            await self._sched.join(task)

    def _failed_allocations(self) -> int:
        return self._machine.statistic("alloc_failed")

    def readable(self, rng: random.Random) -> int | None:
        """A recent page the mapping lets be read, for device_ops."""
        return self._pick(rng, False)

    def writable(self, rng: random.Random) -> int | None:
        """The same for writing."""
        return self._pick(rng, True)

    def _pick(self, rng: random.Random, write: bool) -> int | None:
        for _ in range(8):
            if not self._recent:
                return None
            vpn = self._recent[rng.randrange(len(self._recent))]
            if allows(self._mm, vpn << PAGE_SHIFT, write):
                return vpn
        return None

    async def offer(self) -> None:
        """Draw an operation and hand it to a worker; waits for room."""
        operation = draw_operation(self._rng, self)
        if operation is None:
            return
        await self._room.wait_event(lambda: len(self._queue) < 2 * len(self._workers))
        self._queue.append(operation)
        self._work.wake_all()

    async def _worker(self, index: int) -> None:
        while True:
            await self._work.wait_event(lambda: bool(self._queue) or self._stop, patient=True)
            if not self._queue:
                return
            operation = self._queue.popleft()
            self._room.wake_all()
            await self._perform(index, operation)

    async def _perform(self, index: int, operation: DeviceOp) -> None:
        user = self._user
        base = index * SLICE_BYTES
        for offset, data in operation.dsr:
            await user.write_dsr(base + offset, data)
        flight = self._golden.begin(operation.reads, operation.writes)
        # The mapping may have changed since the operation was drawn; then an exception is a legal end.
        if not self._still_allowed(operation):
            flight.unmapped = flight.racy = True
        before = operation.expect(self._golden)
        failed = self._failed_allocations()
        await user.issue(index, operation.instruction(base))
        result = await user.wait(index)
        if self._failed_allocations() != failed:  # no memory for the page the device asked for: an exception is a legal end too
            flight.unmapped = flight.racy = True
        loaded = b""
        if operation.result is not None and result.istatus == CbIstatus.IDLE:
            loaded = await user.read_dsr(base + operation.result[0], operation.result[1])
        self.operations += 1
        try:
            await self._settle(operation, flight, result, before, loaded)
        finally:
            self._golden.end(flight)

    def _still_allowed(self, operation: DeviceOp) -> bool:
        mm = self._mm
        return all(allows(mm, vpn << PAGE_SHIFT, False) for vpn in operation.reads) and all(
            allows(mm, vpn << PAGE_SHIFT, True) for vpn in operation.writes
        )

    async def _settle(self, operation: DeviceOp, flight: Operation, result: CbResult, before: bytes, loaded: bytes) -> None:
        address = min(operation.reads | operation.writes) << PAGE_SHIFT
        if result.istatus != CbIstatus.IDLE:
            self.faulted += 1
            if not flight.unmapped or result.ecause != 1 << CbEcause.OS_FATAL_TLB_FAULT:
                self._findings.fail(operation.name, address, f"exception, ecause {result.ecause:#x}, with the mapping unchanged")
        if flight.racy or result.istatus != CbIstatus.IDLE:
            self.racy += 1
            await self._adopt(operation)
            return
        self.verified += 1
        if operation.result is not None:
            self._findings.compare(f"{operation.name} result", address, before, loaded)
        elif operation.name == "add":
            self._findings.compare("atomic's old value", address, before, result.avalue.to_bytes(8, "little"))
        for target, data in operation.apply(self._golden, before):
            self._golden.write(target, data, flight)
            self._check_written(operation.name, target, data)

    def _check_written(self, name: str, address: int, data: bytes) -> None:
        """Compare what the device wrote, when the page is in memory; a page in swap is compared when it comes back."""
        done = 0
        while done < len(data):
            step = min(len(data) - done, PAGE - (address & (PAGE - 1)))
            found = peek(self._mm, address, step)
            if found is not None:
                self._findings.compare(f"{name} target", address, data[done : done + step], found)
            address, done = address + step, done + step

    async def _adopt(self, operation: DeviceOp) -> None:
        """Nothing is known of the target's bytes: take what memory holds as the contents from here on."""
        for vpn in sorted(operation.writes):
            try:
                data = await self._mm.load(vpn << PAGE_SHIFT, PAGE)
            except MmError:
                continue
            self._golden.write(vpn << PAGE_SHIFT, data)
