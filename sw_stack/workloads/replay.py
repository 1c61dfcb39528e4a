"""Replay of a recorded program: its memory life on the VM, and the GRU at work on the same pages.

The program is one task on processor 0. It touches pages and makes memory calls in the recorded order; every few runs it hands a
device operation to one of the workers on processor 1, each with a control block and a slice of the data segment. Program and
device overlap freely: what must hold then is exactly what the notifiers promise.

Contents are synthetic (a trace has addresses, not data): each recorded write stores a stamp. File mappings read as zero.

Promises: a violation of data is recorded in `failures`, never raised; the run ends with every operation answered, every page
compared and the address space torn down under the device.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hwif.gen import timing
from hwif.gen.gru import PAGE_SHIFT, CbEcause, CbIstatus
from sw_stack.drivers.gru.driver import GruDriver
from sw_stack.drivers.gru.user import CbResult, GruUser
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_READ, PROT_WRITE, MmError
from sw_stack.mm.workload_access import allows, peek, store_fast
from sw_stack.sched import Scheduler, Task, WaitQueue
from sw_stack.workloads import trace as records
from sw_stack.workloads.device_ops import SLICE_BYTES, DeviceOp, draw_operation
from sw_stack.workloads.golden import Golden, Operation

__all__ = ["DataFailure", "Replay", "ReplayOptions"]

PAGE = 1 << PAGE_SHIFT
PROGRAM_CPU = 0
DEVICE_CPU = 1
CHARGE_EVERY = 32  # runs between two charges of processor time: one scheduler round trip for many accesses
RECENT = 128  # pages the device picks from
CHILD_TOUCHES = 24


@dataclass(frozen=True)
class ReplayOptions:
    """`op_every`: program runs per device operation. `migrate_every`: runs per migration of a recent page. `limit`: VM events."""

    seed: int
    workers: int = 6
    op_every: int = 120
    migrate_every: int = 1500
    limit: int | None = None


@dataclass(frozen=True)
class DataFailure:
    """Bytes that differ from what a coherent memory would hold, or an exception without a cause: `rule` DATA. A race that a
    scenario is about and did not meet: NOT_MET, which says nothing about the device."""

    cycle: int
    what: str
    address: int
    detail: str
    rule: str = "DATA"

    def __str__(self) -> str:
        if self.rule == "NOT_MET":
            return f"{self.what}: {self.detail}"
        return f"cycle {self.cycle}: {self.what} at {self.address:#x}: {self.detail}"


@dataclass
class Progress:
    """Counters a display reads while the run goes on."""

    runs: int = 0
    operations: int = 0
    verified_operations: int = 0
    racy_operations: int = 0
    faulted_operations: int = 0
    data_bytes: int = 0
    program_faults: int = 0
    done: bool = False
    failures: list[DataFailure] = field(default_factory=list)


def _prot(recorded: int) -> int:
    """The VM's protection of a recorded one: what may be executed may be read."""
    readable = recorded & (records.PROT_READ | records.PROT_EXEC)
    return (PROT_READ if readable else 0) | (PROT_WRITE if recorded & records.PROT_WRITE else 0)


class Replay:
    """One program, one address space, one GRU context. `start()` spawns the tasks."""

    def __init__(
        self,
        sched: Scheduler,
        machine: Machine,
        driver: GruDriver,
        program: records.Trace,
        options: ReplayOptions,
    ) -> None:
        self.sched = sched
        self.machine = machine
        self.driver = driver
        self.program = program
        self.options = options
        self.progress = Progress()
        self.golden = Golden()
        self.mm: Mm = machine.new_mm("program")
        # The workload's own draws come from the seed alone: a replayed schedule meets the same operations.
        self._random = random.Random(options.seed ^ 0x5D0D)
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._queue: deque[DeviceOp] = deque()
        self._work = WaitQueue(sched, "device work")
        self._room = WaitQueue(sched, "room in the device queue")
        self._workers: list[Task] = []
        self._children: list[Task] = []
        self._user: GruUser | None = None
        self._stop = False
        self.on_failure: Callable[[], None] | None = None
        """Called once for each failure recorded."""

    def start(self) -> Task:
        """Spawn the program. The run is over when the scheduler has finished."""
        return self.sched.spawn(self._program(), "program", PROGRAM_CPU)

    # ---- what a session asks ---------------------------------------------------------------------------------------

    @property
    def failures(self) -> list[DataFailure]:
        """Differences of data so far."""
        return self.progress.failures

    def position(self) -> tuple[int, int]:
        """Runs of the program done, and in all."""
        return self.progress.runs, self.program.runs

    def counters(self) -> dict[str, int]:
        """What was played, by name."""
        progress = self.progress
        return {
            "program_runs": progress.runs,
            "operations": progress.operations,
            "operations_verified": progress.verified_operations,
            "operations_racy": progress.racy_operations,
            "operations_faulted": progress.faulted_operations,
            "data_bytes_compared": progress.data_bytes,
            "program_faults": progress.program_faults,
        }

    def notifier_statistics(self) -> dict[str, int]:
        """Calls of the program's notifier chain."""
        return self.mm.notifiers.statistics()

    # ---- the program -----------------------------------------------------------------------------------------------

    async def _program(self) -> None:
        options = self.options
        gts = await self.driver.open(self.mm, cbrs=max(2, options.workers), dsr_bytes=max(1, options.workers) * SLICE_BYTES)
        self._user = GruUser(self.driver, gts)
        for index in range(options.workers):
            self._workers.append(self.sched.spawn(self._worker(index), f"gru user {index}", DEVICE_CPU))
        await self._records()
        self._stop = True
        self._work.wake_all()
        for task in [*self._workers, *self._children]:
            await self.sched.join(task)
        await self._compare(self.mm, self.golden, self.golden.pages())
        await self.driver.close(gts)
        await self.mm.exit()
        self.progress.done = True

    async def _records(self) -> None:
        """What was recorded, in order. Nearly every record is an access that needs no fault: those cost a few calls each."""
        progress, options, recent = self.progress, self.options, self._recent
        op_every = options.op_every if options.workers else 0
        limit = options.limit
        for record in self.program.records():
            if isinstance(record, records.Run):
                vpn, write, offset, _accesses = record
                progress.runs = runs = progress.runs + 1
                if self._access(vpn, write, offset) or await self._fault(vpn, write, offset):
                    recent.append(vpn)
                    if runs % CHARGE_EVERY == 0:
                        await self.sched.charge(CHARGE_EVERY * timing.SW_CPU_ACCESS)
                    if op_every and runs % op_every == 0:
                        await self._offer()
                    if options.migrate_every and runs % options.migrate_every == 0:
                        await self._migrate()
            else:
                await self._call(record)
            if limit is not None and self.machine.events >= limit:
                break

    def _allocations_failed(self) -> int:
        return self.machine.statistic("alloc_failed")

    def _access(self, vpn: int, write: bool, offset: int) -> bool:
        """An access of the program, as far as it goes without a fault. A store leaves eight bytes the golden contents know."""
        if not write:
            return self.mm.touch_fast(vpn, False)
        address = (vpn << PAGE_SHIFT) + (offset & ~7 & (PAGE - 1))
        data = (self.progress.runs * 0x9E3779B97F4A7C15 & ((1 << 64) - 1)).to_bytes(8, "little")
        if not store_fast(self.mm, address, data):
            return False
        self.golden.write(address, data)
        return True

    async def _fault(self, vpn: int, write: bool, offset: int) -> bool:
        """The same with its fault; False if the program may not."""
        try:
            await self.mm.touch(vpn << PAGE_SHIFT, write)
        except MmError:
            self.progress.program_faults += 1  # e.g. the vdso, or a guard page the program probed
            return False
        if write:
            # The touch charged time before it returned, so reclaim may have been quicker: then the store never happened.
            self._access(vpn, write, offset)
        return True

    async def _call(self, record: records.Record) -> None:
        """A memory call. Failures of the recorded program's calls are its own; they change nothing here."""
        mm, golden = self.mm, self.golden
        await self.sched.charge(timing.SW_SYSCALL)
        try:
            if isinstance(record, records.Mmap):
                with golden.changing(record.addr, record.addr + record.length):
                    await mm.mmap(record.addr, record.length, _prot(record.prot), fixed=True)
                    golden.drop(record.addr, record.addr + record.length)
            elif isinstance(record, records.Munmap):
                with golden.changing(record.addr, record.addr + record.length):
                    await mm.munmap(record.addr, record.length)
                    golden.drop(record.addr, record.addr + record.length)
            elif isinstance(record, records.Mprotect):
                with golden.changing(record.addr, record.addr + record.length):
                    await mm.mprotect(record.addr, record.length, _prot(record.prot))
            elif isinstance(record, records.Madvise):
                if record.advice == records.MADV_DONTNEED:
                    with golden.changing(record.addr, record.addr + record.length):
                        await mm.madvise_dontneed(record.addr, record.length)
                        golden.drop(record.addr, record.addr + record.length)
            elif isinstance(record, records.Mremap):
                await self._mremap(record)
            elif isinstance(record, records.Brk):
                low, high = sorted((record.old, record.new))
                if mm.heap_end != record.old:  # the loader's choice, or grown before the recording began
                    mm.set_heap(low, record.old)
                with golden.changing(low, high):
                    await mm.brk(record.new)
                    if record.new < record.old:
                        golden.drop((record.new + PAGE - 1) & ~(PAGE - 1), high)
            elif isinstance(record, records.Fork):
                await self._fork()
        except MmError:
            self.progress.program_faults += 1

    async def _mremap(self, record: records.Mremap) -> None:
        golden = self.golden
        kept = min(record.old_len, record.new_len)
        with (
            golden.changing(record.old, record.old + record.old_len),
            golden.changing(record.new, record.new + record.new_len),
        ):
            new = None if record.new == record.old else record.new
            await self.mm.mremap(record.old, record.old_len, record.new_len, may_move=new is not None, new=new)
            if record.new != record.old:
                golden.move(record.old, record.new, kept)
            if record.new_len < record.old_len:
                golden.drop(record.old + record.new_len, record.old + record.old_len)

    async def _migrate(self) -> None:
        """Compaction moves a page the device works on. Contents stay: no operation becomes racy."""
        vpn = self._recent[self._random.randrange(len(self._recent))]
        await self.machine.migrate_page(self.mm, vpn << PAGE_SHIFT)

    # ---- children --------------------------------------------------------------------------------------------------

    async def _fork(self) -> None:
        with self.golden.watching() as written:
            child = await self.mm.fork("child")
        golden = self.golden.fork(written)
        pages = list(dict.fromkeys(self._recent))
        task = self.sched.spawn(self._child(child, golden, pages[:CHILD_TOUCHES]), f"child {child.id}", DEVICE_CPU)
        self._children.append(task)

    async def _child(self, child: Mm, golden: Golden, pages: list[int]) -> None:
        """Store to pages shared with the parent, compare, exit: copy-on-write on both sides."""
        for index, vpn in enumerate(pages):
            address = (vpn << PAGE_SHIFT) + 8 * (index % (PAGE // 8))
            data = (index ^ 0xC0FFEE).to_bytes(8, "little")
            try:
                await child.store(address, data)
            except MmError:
                continue  # read-only in the parent too
            if golden.known(vpn):
                golden.write(address, data)
        await self._compare(child, golden, pages)
        await child.exit()

    async def _compare(self, mm: Mm, golden: Golden, pages: list[int]) -> None:
        for vpn in pages:
            if not golden.known(vpn):
                continue
            try:
                found = await mm.load(vpn << PAGE_SHIFT, PAGE)
            except MmError:
                continue  # made inaccessible by the program
            self._check("page contents", vpn << PAGE_SHIFT, golden.read(vpn << PAGE_SHIFT, PAGE), found)

    # ---- the device's side -----------------------------------------------------------------------------------------

    def readable(self, rng: random.Random) -> int | None:
        return self._pick(rng, False)

    def writable(self, rng: random.Random) -> int | None:
        return self._pick(rng, True)

    def _pick(self, rng: random.Random, write: bool) -> int | None:
        for _ in range(8):
            if not self._recent:
                return None
            vpn = self._recent[rng.randrange(len(self._recent))]
            if allows(self.mm, vpn << PAGE_SHIFT, write):
                return vpn
        return None

    async def _offer(self) -> None:
        operation = draw_operation(self._random, self)
        if operation is None:
            return
        await self._room.wait_event(lambda: len(self._queue) < 2 * self.options.workers)
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
        assert user is not None
        base = index * SLICE_BYTES
        for offset, data in operation.dsr:
            await user.write_dsr(base + offset, data)
        flight = self.golden.begin(operation.reads, operation.writes)
        # The mapping may have changed since the operation was drawn; then an exception is a legal end.
        if not self._still_allowed(operation):
            flight.unmapped = flight.racy = True
        before = operation.expect(self.golden)
        failed = self._allocations_failed()
        await user.issue(index, operation.instruction(base))
        result = await user.wait(index)
        if self._allocations_failed() != failed:  # no memory for the page the device asked for: an exception is a legal end too
            flight.unmapped = flight.racy = True
        loaded = b""
        if operation.result is not None and result.istatus == CbIstatus.IDLE:
            loaded = await user.read_dsr(base + operation.result[0], operation.result[1])
        self.progress.operations += 1
        try:
            await self._settle(operation, flight, result, before, loaded)
        finally:
            self.golden.end(flight)

    def _still_allowed(self, operation: DeviceOp) -> bool:
        mm = self.mm
        return all(allows(mm, vpn << PAGE_SHIFT, False) for vpn in operation.reads) and all(
            allows(mm, vpn << PAGE_SHIFT, True) for vpn in operation.writes
        )

    async def _settle(self, operation: DeviceOp, flight: Operation, result: CbResult, before: bytes, loaded: bytes) -> None:
        address = min(operation.reads | operation.writes) << PAGE_SHIFT
        if result.istatus != CbIstatus.IDLE:
            self.progress.faulted_operations += 1
            if not flight.unmapped or result.ecause != 1 << CbEcause.OS_FATAL_TLB_FAULT:
                self._fail(operation.name, address, f"exception, ecause {result.ecause:#x}, with the mapping unchanged")
        if flight.racy or result.istatus != CbIstatus.IDLE:
            self.progress.racy_operations += 1
            await self._adopt(operation)
            return
        self.progress.verified_operations += 1
        if operation.result is not None:
            self._check(f"{operation.name} result", address, before, loaded)
        elif operation.name == "add":
            self._check("atomic's old value", address, before, result.avalue.to_bytes(8, "little"))
        for target, data in operation.apply(self.golden, before):
            self.golden.write(target, data, flight)
            self._check_written(operation.name, target, data)

    def _check_written(self, name: str, address: int, data: bytes) -> None:
        """Compare what the device wrote, when the page is in memory; a page in swap is compared when it comes back."""
        done = 0
        while done < len(data):
            step = min(len(data) - done, PAGE - (address & (PAGE - 1)))
            found = peek(self.mm, address, step)
            if found is not None:
                self._check(f"{name} target", address, data[done : done + step], found)
            address, done = address + step, done + step

    async def _adopt(self, operation: DeviceOp) -> None:
        """Nothing is known of the target's bytes: take what memory holds as the contents from here on."""
        for vpn in sorted(operation.writes):
            try:
                data = await self.mm.load(vpn << PAGE_SHIFT, PAGE)
            except MmError:
                continue
            self.golden.write(vpn << PAGE_SHIFT, data)

    def _check(self, what: str, address: int, expected: bytes, found: bytes) -> None:
        self.progress.data_bytes += len(expected)
        if expected == found:
            return
        index = next(i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b)
        self._fail(what, address + index, f"expected {expected[index : index + 8].hex()}, found {found[index : index + 8].hex()}")

    def _fail(self, what: str, address: int, detail: str) -> None:
        self.progress.failures.append(DataFailure(self.sched.now, what, address, detail))
        if self.on_failure is not None:
            self.on_failure()
