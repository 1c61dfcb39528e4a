"""The driver of a GPU that pins memory for an operation and no longer.

Asked for in the thread by the graphics side: large pieces of memory for as long as the GPU works on them, swappable again
afterwards.

    submit    room in the aperture, in order of arrival      nothing is held while this waits
              pin every operand, in order of address         reclaim and migration fail on these pages from here
              doorbell, the work, completion
              unpin; what may have been stored to is dirty   and succeed again from here

Promises: between operations no page is held, and an operation that fails, at whatever step, holds none either; the error is the
submitter's. Room is taken for all operands at once, before the first is pinned: two submissions never wait for each other's pages.
A request larger than the aperture can never run and is refused at once. The client registers with no notifier: what the VM does to
the mapping meanwhile does not touch the operation, which goes on with the frames it has. So it is coherent with the process only as
far as the process keeps the mapping: after a munmap, or after fork and a store of the parent's that copies the page, the GPU's
stores go to a page the process no longer sees. That is the price of a pin.

Needs: `submit` without locks; may sleep. Costs SW_SYSCALL, what pin_user_pages costs, SW_MMIO_WRITE for the doorbell,
SW_IRQ_LATENCY for the completion, SW_PIN_PAGE a page given back.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hwif.gen import timing
from sw_stack.drivers.gpu.operation import Aperture, Operation
from sw_stack.drivers.gpu.policy import GpuPolicy
from sw_stack.drivers.gpu.stats import GpuStats
from sw_stack.mm import Machine, Mm
from sw_stack.mm.mapping import check_range
from sw_stack.mm.pinning import Pinned, pin_user_pages, unpin_user_pages
from sw_stack.mm.types import PAGE_MASK, PAGE_SHIFT, MmError
from sw_stack.sched import WaitQueue

__all__ = ["Gpu", "Operand"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Operand:
    """Bytes [addr, addr + length) of the submitting process. `write`: the operation stores to them."""

    addr: int
    length: int
    write: bool

    def pages(self) -> int:
        """Entries of the aperture it takes. MmError EINVAL for no length or a range past the end."""
        start = self.addr & ~PAGE_MASK
        return check_range(start, self.addr + self.length - start if self.length > 0 else 0) - start >> PAGE_SHIFT


class Gpu:
    """One GPU of a machine."""

    def __init__(self, machine: Machine, policy: GpuPolicy | None = None) -> None:
        self.machine = machine
        self.policy = policy if policy is not None else GpuPolicy()
        self.stats = GpuStats()
        self._arrivals: deque[object] = deque()
        self._room = WaitQueue(machine.sched, "room in the GPU's aperture")

    async def submit(self, mm: Mm, operands: Sequence[Operand], work: Callable[[Operation], Awaitable[T]]) -> T:
        """Run `work` on the operands; its result. MmError EINVAL for an operand that is no range, ENOMEM for more pages than the
        aperture has or than there is memory for, EFAULT where the process has no such page; and whatever `work` raises."""
        self.stats.submitted += 1
        await self.machine.sched.charge(timing.SW_SYSCALL)
        try:
            result = await self._run(mm, operands, work)
        except BaseException:
            self.stats.failed += 1
            raise
        self.stats.completed += 1
        return result

    async def _run(self, mm: Mm, operands: Sequence[Operand], work: Callable[[Operation], Awaitable[T]]) -> T:
        pages = sum(operand.pages() for operand in operands)
        limit = self.policy.aperture_pages
        if pages > limit:
            self.stats.too_large += 1
            raise MmError(errno.ENOMEM, f"{mm.name}: an operation on {pages} pages does not fit an aperture of {limit}")
        await self._take_room(pages)
        pinned: dict[int, Pinned] = {}
        clean_up = True
        try:
            try:
                # In order of address, whatever order they were named in: the same operands make the same run.
                for place in sorted(range(len(operands)), key=lambda place: (operands[place].addr, place)):
                    pinned[place] = await self._pin(mm, operands[place])
            except BaseException:
                clean_up = self.policy.mutant != "leak_on_error"
                raise
            entries = (Aperture.of(operand.addr, operand.length, pinned[place]) for place, operand in enumerate(operands))
            operation = Operation(self.machine, mm.name, tuple(entries), self.stats)
            await self.machine.sched.charge(timing.SW_MMIO_WRITE)
            if self.policy.mutant == "unpin_early":
                self._unpin(pinned)
            result = await work(operation)
            await self.machine.sched.charge(timing.SW_IRQ_LATENCY)
            await self.machine.sched.charge(timing.SW_PIN_PAGE * pages)
            return result
        finally:
            if clean_up:
                self._unpin(pinned)
            self._give_room(pages)

    async def _pin(self, mm: Mm, operand: Operand) -> Pinned:
        pinned = await pin_user_pages(mm, operand.addr, operand.length, write=operand.write, account=False)
        self.stats.pages_pinned += len(pinned.pfns)
        return pinned

    def _unpin(self, pinned: dict[int, Pinned]) -> None:
        for one in pinned.values():
            self.stats.pages_unpinned += len(one.pfns)
            unpin_user_pages(one)

    # ---- the aperture ------------------------------------------------------------------------------------------------

    async def _take_room(self, pages: int) -> None:
        """Sleep until everybody who came before has had its room, and there is enough left."""
        ticket = object()
        self._arrivals.append(ticket)
        try:
            if not self._my_turn(ticket, pages):
                self.stats.waited += 1
                await self._room.wait_event(lambda: self._my_turn(ticket, pages))
            self.stats.pages += pages
            self.stats.pages_peak = max(self.stats.pages_peak, self.stats.pages)
        finally:
            self._arrivals.remove(ticket)
            self._room.wake_all()  # the next in line may fit as well

    def _my_turn(self, ticket: object, pages: int) -> bool:
        first = self._arrivals[0] is ticket or self.policy.mutant == "overtake"
        return first and self.stats.pages + pages <= self.policy.aperture_pages

    def _give_room(self, pages: int) -> None:
        self.stats.pages -= pages
        self._room.wake_all()
