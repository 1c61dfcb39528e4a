"""What every part of the driver works with, and who protects what.

  umem_lock     a region's table, its entries, the frames of its levels       spinlock: a notifier may come under a pte lock
  cmdq_lock     the command queue's producer index, up to its doorbell         spinlock
  irq_lock      IRQ_ENABLE                                                     spinlock
  sq_lock, rq_lock   a queue's producer index, up to its doorbell              spinlocks
  qp_mutex      the state of a queue pair                                      mutex
Order: mmap_lock, pte_lock, umem_lock. The others stand by themselves: umem_lock is dropped before a command is rung, so a
notifier that waits for its fence keeps nobody from the table (and no lock of the command path is ever taken under one that
reclaim needs). References that keep a region or a queue pair alive are counted: `Counted.using`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import NODE_IRQS, NUM_CQ, NUM_QP, AsyncType, IrqLine
from hwif.shadow import Shadow
from hwif.trace import Trace
from sw_stack.drivers.hca.commands import CommandQueue
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.keys import KeyTable
from sw_stack.drivers.hca.policy import DriverPolicy
from sw_stack.drivers.hca.registers import Registers
from sw_stack.drivers.hca.stats import HcaStats
from sw_stack.mm.machine import Machine
from sw_stack.mm.types import MmError
from sw_stack.notifier import IntervalSubscriptions
from sw_stack.sched import Scheduler, WaitQueue

if TYPE_CHECKING:
    from sw_stack.drivers.hca.queues import Cq, Qp
    from sw_stack.mm.mm import Mm

__all__ = ["CPUS", "AsyncEvent", "Counted", "DriverCore", "HcaError", "Space"]

FIRST_QPN = 2
"""0 and 1 are the management queue pairs of every InfiniBand port."""
CPUS = 16
"""Processors of a node: node n's are 16 n upwards."""


@dataclass(frozen=True, slots=True)
class AsyncEvent:
    """`subject` is a queue pair or completion queue, as `kind` says."""

    kind: AsyncType
    subject: int


class Counted:
    """Something that must outlive its users."""

    def __init__(self, sched: Scheduler, name: str) -> None:
        self.users = 0
        self._sched = sched
        self._idle = WaitQueue(sched, f"last user of {name}")

    def hold(self) -> None:
        """One user more."""
        self._sched.touch(self._idle)
        self.users += 1

    def release(self) -> None:
        """One user less."""
        self._sched.touch(self._idle)
        self.users -= 1
        if not self.users:
            self._idle.wake_all()

    @contextmanager
    def using(self) -> Iterator[None]:
        """It stays until the end of the block."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    async def unused(self) -> None:
        """Wait until nobody uses it. The caller has seen to it that nobody begins to."""
        await self._idle.wait_event(lambda: self.users == 0)


class Numbers:
    """Numbers `first` to `end` (exclusive); the one given back last is taken first."""

    def __init__(self, what: str, first: int, end: int) -> None:
        self._what = what
        self._free = list(range(end - 1, first - 1, -1))

    def take(self) -> int:
        """A number nobody has. MmError ENOMEM."""
        if not self._free:
            raise MmError(errno.ENOMEM, f"all {self._what} are in use")
        return self._free.pop()

    def give(self, number: int) -> None:
        """The device has forgotten it."""
        self._free.append(number)


class Space:
    """What the driver knows of an address space."""

    def __init__(self, sched: Scheduler, mm: Mm, policy: DriverPolicy) -> None:
        self.mm = mm
        self.subs = IntervalSubscriptions(sched, mm, remove_early=policy.mutant == "remove_early")


class DriverCore:
    """One adapter: its registers, its command queue, and what lives on it."""

    def __init__(self, sched: Scheduler, trace: Trace, machine: Machine, shadow: Shadow, node: int, policy: DriverPolicy) -> None:
        self.sched = sched
        self.trace = trace
        self.machine = machine
        self.shadow = shadow
        self.node = node
        self.policy = policy
        self.stats = HcaStats()
        self.regs = Registers(sched, node)
        self.commands = CommandQueue(sched, trace, machine, self.regs, self.stats, policy.commands)
        self.keys = KeyTable(machine.memory, machine.alloc_kernel_frames, policy.keys, stale=policy.mutant == "stale_key")
        self.qpns = Numbers("queue pairs", FIRST_QPN, NUM_QP)
        self.cqns = Numbers("completion queues", 0, NUM_CQ)
        self.qps: dict[int, Qp] = {}
        self.cqs: dict[int, Cq] = {}
        self._spaces: dict[Mm, Space] = {}

    def space(self, mm: Mm) -> Space:
        """What is known of an address space, from the first question on."""
        found = self._spaces.get(mm)
        if found is None:
            found = self._spaces[mm] = Space(self.sched, mm, self.policy)
            if self.policy.memlock is not None:
                mm.rlimit_memlock = self.policy.memlock
        return found

    def forget(self, mm: Mm) -> None:
        """An address space that has exited, and of which nothing is left here."""
        self._spaces.pop(mm, None)

    def cpu(self, number: int) -> int:
        """Processor `number` of this node, counted round."""
        return CPUS * self.node + number % CPUS

    def line(self, line: IrqLine) -> int:
        """Interrupt line of this node at the port."""
        return NODE_IRQS * self.node + line

    def emit(self, event: TraceEvent, *args: int) -> None:
        """A trace event of this cycle."""
        self.trace.emit(self.sched.now, event, *args)

    async def take_tables(self, count: int) -> list[int]:
        """Zeroed frames for `count` tables. May reclaim, so nothing a notifier takes may be held. MmError ENOMEM."""
        frames: list[int] = []
        try:
            for _ in range(count):
                frames.append(await self.machine.alloc_kernel_page())
                self.stats.tables_alloc += 1
        except MmError:
            self.free_tables(frames)
            raise
        return frames

    def free_tables(self, frames: list[int]) -> None:
        """Give frames of tables back: the device has none of them in hand."""
        for pfn in frames:
            self.machine.free_kernel_frames(range(pfn, pfn + 1))
        self.stats.tables_free += len(frames)
