"""XPMEM on one machine: one instance of Linux among those a fabric joins.

A partition plays both parts. Where the memory is, it offers segments, serves faults and takes pages back; where memory is attached,
it sends the faults and gives the pages up. Both parts of a local attachment are in one partition, and a call takes the place of
each message.

Promises: what happens to a page is the same from here and from another partition, but for the time. A message is handled when it
arrives, in order: fills enter the table, invalidations leave it, before the next message is looked at; only serving a request takes
a task of its own (fabric.py says why). Needs: `open` of every process that takes part.

Locks, outermost first: mmap_lock of the source, page lock, n_recall_PFNs (gate.py). No lock of the attaching process is held
while anything is waited for, except by the VM round the callbacks of its notifiers.

Source: XPMEM as SGI described it to linux-mm in February 2008 (reverse maps of its own, exported pages, remote instances of Linux
that must acknowledge before a page goes), and the module of today, hpc/xpmem 2.6.5.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hwif.gen import timing
from sw_stack.drivers.xpmem.attachment import Attachment
from sw_stack.drivers.xpmem.fabric import Fabric
from sw_stack.drivers.xpmem.faults import serve_fault
from sw_stack.drivers.xpmem.home import Export, Holder, Holders
from sw_stack.drivers.xpmem.ids import XpmemId
from sw_stack.drivers.xpmem.messages import (
    Age,
    Answer,
    Call,
    FaultRequest,
    Fill,
    Invalidate,
    Message,
    Request,
    Used,
)
from sw_stack.drivers.xpmem.notifiers import RmapClient
from sw_stack.drivers.xpmem.policy import XpmemPolicy
from sw_stack.drivers.xpmem.serving import export_of, serve
from sw_stack.drivers.xpmem.stats import XpmemStats
from sw_stack.drivers.xpmem.thread_group import ThreadGroup
from sw_stack.mm.machine import Machine
from sw_stack.mm.mm import Mm
from sw_stack.mm.types import MmError
from sw_stack.sched import Task, WaitQueue

__all__ = ["Partition"]


@dataclass(eq=False)
class _Pending:
    """A request that has been sent."""

    serial: int
    answer: Answer | Fill | None = None


class Partition:
    """`partid` among those of `fabric`. `cpu`: the processor its own tasks run on."""

    def __init__(self, machine: Machine, fabric: Fabric, partid: int, *, policy: XpmemPolicy | None = None, cpu: int = 8) -> None:
        self.machine = machine
        self.sched = machine.sched
        self.fabric = fabric
        self.partid = partid
        self.policy = policy if policy is not None else XpmemPolicy()
        self.cpu = cpu
        self.stats = XpmemStats()
        self.holders = Holders(machine, self.stats, forget_dirty=self.policy.mutant == "forget_dirty")
        self.groups: dict[int, ThreadGroup] = {}
        """By tgid."""
        self.exports: dict[int, Export] = {}
        """Attachments of memory that is here, by number."""
        self.attachments: dict[tuple[int, int], Attachment] = {}
        """Attachments that are here, by the partition of their memory and their number there."""
        self._uniq = 0
        self._serial = 0
        self._pending: dict[int, _Pending] = {}
        self._answered = WaitQueue(self.sched, f"answers to partition {partid}")
        self._rmap = RmapClient(self)
        if self.policy.style == "v6":
            machine.rmap_notifiers.register(self._rmap)
        fabric.join(self)

    def __repr__(self) -> str:
        return f"<Partition {self.partid}>"

    async def open(self, mm: Mm, *, uid: int = 1000, gid: int = 1000, belongs: Callable[[Task], bool] | None = None) -> ThreadGroup:
        """Let a process take part (open of /dev/xpmem). `belongs`: whether a task is one of its threads, for style "today"; by
        default those that have called XPMEM in its name. MmError EBUSY if it does already."""
        await self.sched.charge(timing.SW_SYSCALL)
        if mm.id in self.groups:
            raise MmError(errno.EBUSY, f"{mm.name} has XPMEM open already")
        tg = self.groups[mm.id] = ThreadGroup(self, mm, uid=uid, gid=gid, belongs=belongs)
        try:
            async with mm.mmap_lock.writing():
                if not mm.alive:
                    raise MmError(errno.ESRCH, f"{mm.name} has exited")
                mm.notifiers.register(tg.notifier)
        except BaseException:
            del self.groups[mm.id]
            raise
        return tg

    async def close(self) -> None:
        """Leave the rmap notifiers. Every process must have closed or exited."""
        if self.groups:
            raise RuntimeError(f"{self!r} is in use by {', '.join(tg.mm.name for tg in self.groups.values())}")
        if self.policy.style == "v6":
            await self.machine.rmap_notifiers.unregister(self._rmap)

    def new_id(self, tgid: int) -> XpmemId:
        """A segid or apid that has never been one."""
        return XpmemId(tgid, self.new_number(), self.partid)

    def new_number(self) -> int:
        """One that has named nothing before."""
        self._uniq += 1
        return self._uniq

    # ---- requests --------------------------------------------------------------------------------------------------

    async def ask(self, partid: int, request: Request) -> Any:
        """Have a request served, here or elsewhere; its value. May sleep. MmError as the server says; ENOENT if there is no such
        partition."""
        if partid == self.partid:
            return await serve(self, request, self.partid)
        if not self.fabric.reaches(partid):
            raise MmError(errno.ENOENT, f"no partition {partid}")
        call = self.start_call(partid, lambda serial: Call(serial, request))
        await self.wait_answers([call])
        return _value(call)

    async def fault(self, attachment: Attachment, page: int, *, write: bool) -> None:
        """Have the page entered in the attachment's table; it may have left it again when this returns. May sleep. MmError EFAULT,
        ENOMEM."""
        self.stats.faults += 1
        await self.sched.charge(timing.SW_MINOR_FAULT)
        if attachment.is_local:
            export = export_of(self, attachment.number)
            await serve_fault(self, export, page, write, lambda holder: attachment.fill(_fill(0, holder)))
            return
        self.stats.faults_remote += 1
        call = self.start_call(attachment.home, lambda serial: Call(serial, FaultRequest(attachment.number, page, write)))
        await self.wait_answers([call])
        answer = call.answer
        if isinstance(answer, Fill):
            if self.policy.mutant == "late_fill":
                await self.sched.charge(timing.SW_PTE_OP)
                attachment.fill(answer)
            return
        _value(call)

    def start_call(self, partid: int, make: Callable[[int], Message]) -> _Pending:
        """Send a request; `make` gets its serial number. Waits for nothing."""
        self._serial += 1
        call = self._pending[self._serial] = _Pending(self._serial)
        self.fabric.send(self.partid, partid, make(self._serial))
        return call

    async def wait_answers(self, calls: list[_Pending], *, spin: bool = False) -> None:
        """Until all of them have been answered."""
        await self._answered.wait_event(lambda: all(call.answer is not None for call in calls), spin=spin)

    # ---- messages --------------------------------------------------------------------------------------------------

    async def receive(self, source: int, message: Message) -> None:
        """The fabric's. Waits for accesses under way at most."""
        match message:
            case Call():
                work = self._answer_call(source, message)
                if self.policy.mutant == "fault_in_receiver":
                    await work
                else:
                    self.sched.spawn(work, f"xpmem_serve{self.partid}.{message.serial}", self.cpu + 1, daemon=True)
            case Fill():
                attachment = self.attachments.get((source, message.export))
                if attachment is not None and self.policy.mutant != "late_fill":
                    attachment.fill(message)
                self._answer(message)
            case Answer():
                self._answer(message)
            case Invalidate():
                self.stats.invalidates_taken += 1
                attachment = self.attachments.get((source, message.export))
                if attachment is not None:
                    await attachment.drop(message.pages)
                self.fabric.send(self.partid, source, Answer(message.serial))
            case Age():
                attachment = self.attachments.get((source, message.export))
                if attachment is not None and attachment.test_and_clear_used(message.page):
                    self.fabric.send(self.partid, source, Used(message.export, message.page, message.question))
            case Used():
                export = self.exports.get(message.export)
                holder = export.holders.get(message.page) if export is not None else None
                if holder is not None and holder.questions == message.question:
                    holder.young = True

    def _answer(self, message: Answer | Fill) -> None:
        call = self._pending.pop(message.serial, None)
        if call is not None:
            call.answer = message
            self._answered.wake_all()

    async def _answer_call(self, source: int, call: Call) -> None:
        """A task's work: serve one request of another partition."""
        request = call.request
        try:
            if isinstance(request, FaultRequest):
                export = export_of(self, request.export)

                def tell(holder: Holder) -> None:
                    self.fabric.send(self.partid, source, _fill(call.serial, holder))

                await serve_fault(self, export, request.page, request.write, tell)
                return
            answer = Answer(call.serial, await serve(self, request, source))
        except MmError as error:
            answer = Answer(call.serial, error=error)
        self.fabric.send(self.partid, source, answer)


def _fill(serial: int, holder: Holder) -> Fill:
    return Fill(serial, holder.export.number, holder.page, holder.pfn, holder.writable)


def _value(call: _Pending) -> Any:
    answer = call.answer
    assert isinstance(answer, Answer)
    if answer.error is not None:
        raise MmError(answer.error.errno, answer.error.text)
    return answer.value
