"""Replay of a recorded program: its memory life on the VM, and a device at work on the same pages.

The program is one task on processor 0. It touches pages and makes memory calls in the recorded order; every few runs it hands a
device operation to one of the workers of the device's side (device_side.py). Program and device overlap freely: what must hold
then is exactly what the notifiers promise.

Contents are synthetic (a trace has addresses, not data): each recorded write stores a stamp. File mappings read as zero.

Promises: a violation of data is recorded in `failures`, never raised; the run ends with every operation answered, every page
compared and the address space torn down under the device.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hwif.gen import timing
from hwif.gen.gru import PAGE_SHIFT
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import PROT_READ, PROT_WRITE, MmError
from sw_stack.mm.workload_access import store_fast
from sw_stack.sched import Scheduler, Task
from sw_stack.workloads import trace as records
from sw_stack.workloads.device_side import DeviceSide, Ground
from sw_stack.workloads.findings import DataFailure, Findings
from sw_stack.workloads.golden import Golden

__all__ = ["Replay", "ReplayOptions"]

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
    op_every: int = 120
    migrate_every: int = 1500
    limit: int | None = None


def _prot(recorded: int) -> int:
    """The VM's protection of a recorded one: what may be executed may be read."""
    readable = recorded & (records.PROT_READ | records.PROT_EXEC)
    return (PROT_READ if readable else 0) | (PROT_WRITE if recorded & records.PROT_WRITE else 0)


class Replay:
    """One program, one address space, one device. `side` makes the device's side of it. `start()` spawns the tasks."""

    def __init__(
        self,
        sched: Scheduler,
        machine: Machine,
        side: Callable[[Ground], DeviceSide[Any]],
        program: records.Trace,
        options: ReplayOptions,
    ) -> None:
        self.sched = sched
        self.machine = machine
        self.program = program
        self.options = options
        self.findings = Findings(sched)
        self.golden = Golden()
        self.mm: Mm = machine.new_mm("program")
        self.runs = 0
        """Runs of the program played."""
        self.program_faults = 0
        """Accesses and calls of the program that the VM refused."""
        # The workload's own draws come from the seed alone: a replayed schedule meets the same operations.
        self._random = random.Random(options.seed ^ 0x5D0D)
        self._recent: deque[int] = deque(maxlen=RECENT)
        self.device = side(Ground(sched, machine, self.mm, self.golden, self.findings, self._recent, self._random))
        self._children: list[Task] = []

    def start(self) -> Task:
        """Spawn the program. The run is over when the scheduler has finished."""
        return self.sched.spawn(self._program(), "program", PROGRAM_CPU)

    # ---- what a session asks ---------------------------------------------------------------------------------------

    @property
    def on_failure(self) -> Callable[[], None] | None:
        """Called once for each failure recorded."""
        return self.findings.on_failure

    @on_failure.setter
    def on_failure(self, call: Callable[[], None] | None) -> None:
        self.findings.on_failure = call

    @property
    def failures(self) -> list[DataFailure]:
        """Differences of data so far."""
        return self.findings.failures

    def position(self) -> tuple[int, int]:
        """Runs of the program done, and in all."""
        return self.runs, self.program.runs

    def counters(self) -> dict[str, int]:
        """What was played, by name."""
        device = self.device
        return {
            "program_runs": self.runs,
            "operations": device.operations,
            "operations_verified": device.verified,
            "operations_racy": device.racy,
            "operations_faulted": device.faulted,
            "data_bytes_compared": self.findings.data_bytes,
            "program_faults": self.program_faults,
        }

    def notifier_statistics(self) -> dict[str, int]:
        """Calls of the program's notifier chain."""
        return self.mm.notifiers.statistics()

    # ---- the program -----------------------------------------------------------------------------------------------

    async def _program(self) -> None:
        await self.device.open()
        self.device.start()
        await self._records()
        await self.device.finish()
        for task in self._children:
            await self.sched.join(task)
        await self._compare(self.mm, self.golden, self.golden.pages())
        await self.device.close()
        await self.mm.exit()

    async def _records(self) -> None:
        """What was recorded, in order. Nearly every record is an access that needs no fault: those cost a few calls each."""
        options, recent = self.options, self._recent
        op_every = options.op_every
        limit = options.limit
        for record in self.program.records():
            if isinstance(record, records.Run):
                vpn, write, offset, _accesses = record
                self.runs = runs = self.runs + 1
                if self._access(vpn, write, offset) or await self._fault(vpn, write, offset):
                    recent.append(vpn)
                    if runs % CHARGE_EVERY == 0:
                        await self.sched.charge(CHARGE_EVERY * timing.SW_CPU_ACCESS)
                    if op_every and runs % op_every == 0:
                        await self.device.offer()
                    if options.migrate_every and runs % options.migrate_every == 0:
                        await self._migrate()
            else:
                await self._call(record)
            if limit is not None and self.machine.events >= limit:
                break

    def _access(self, vpn: int, write: bool, offset: int) -> bool:
        """An access of the program, as far as it goes without a fault. A store leaves eight bytes the golden contents know."""
        if not write:
            return self.mm.touch_fast(vpn, False)
        address = (vpn << PAGE_SHIFT) + (offset & ~7 & (PAGE - 1))
        data = (self.runs * 0x9E3779B97F4A7C15 & ((1 << 64) - 1)).to_bytes(8, "little")
        if not store_fast(self.mm, address, data):
            return False
        self.golden.write(address, data)
        return True

    async def _fault(self, vpn: int, write: bool, offset: int) -> bool:
        """The same with its fault; False if the program may not."""
        try:
            await self.mm.touch(vpn << PAGE_SHIFT, write)
        except MmError:
            self.program_faults += 1  # e.g. the vdso, or a guard page the program probed
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
            self.program_faults += 1

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
            self.findings.compare("page contents", vpn << PAGE_SHIFT, golden.read(vpn << PAGE_SHIFT, PAGE), found)
