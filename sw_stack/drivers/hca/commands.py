"""The command queue: many commands in flight, each waited for by its own probe.

An entry belongs to whoever rang it until its status was read, or until it was left to itself (`abandon`): then it is free once the
device has written its status, and a status other than OK is an error of the driver, raised at whoever uses the entry next. Each
entry has a mailbox of 64 bytes: the context a command reads, the report it writes, or the value of a fence.

Promises: commands of one `ring` stand side by side, in order, behind one doorbell. Everything here may run in atomic context; waits
spin. Needs: nothing. Costs SW_HCA_COMMAND a command, and one doorbell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwif.fields import Line, new_line
from hwif.gen import hca as h
from hwif.gen import timing
from hwif.gen.events import TraceEvent
from hwif.memory import FRAME_BYTES
from hwif.port import LineKind
from hwif.trace import Trace
from sw_stack.drivers.hca.errors import HcaError
from sw_stack.drivers.hca.lines import read_line, read_word, write_line
from sw_stack.drivers.hca.registers import Registers
from sw_stack.drivers.hca.stats import HcaStats
from sw_stack.mm.machine import Machine
from sw_stack.sched import Scheduler, SpinLock, WaitQueue

__all__ = ["CommandQueue", "Order", "Ticket"]

DONE_DW = h.Command.done.dw
MASK = (1 << h.INDEX_WIDTH) - 1
OWN_MAILBOX = (h.CmdOp.MODIFY_QP, h.CmdOp.MODIFY_CQ, h.CmdOp.QUERY_QP, h.CmdOp.FENCE)


@dataclass(frozen=True, slots=True)
class Order:
    """One command, before it has an entry. `context` goes to the entry's mailbox."""

    opcode: h.CmdOp
    qpn: int = 0
    token: int = 0
    key: int = 0
    direction: int = 0
    error: bool = False
    load_sq: bool = False
    load_rq: bool = False
    addr: int = 0
    length: int = 0
    context: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A command that was rung. `value`: what a fence will write."""

    index: int
    opcode: h.CmdOp
    value: int


class CommandQueue:
    """One adapter's."""

    def __init__(self, sched: Scheduler, trace: Trace, machine: Machine, regs: Registers, stats: HcaStats, entries: int) -> None:
        self._sched = sched
        self._trace = trace
        self._memory = machine.memory
        self._regs = regs
        self._stats = stats
        self.entries = entries
        frames = -(-entries * h.ENTRY_BYTES // FRAME_BYTES)
        self._frames = (machine.alloc_kernel_frames(frames), machine.alloc_kernel_frames(frames))
        self.base, self._boxes = (part[0] * FRAME_BYTES for part in self._frames)
        self._prod = 0
        self._fences = 0
        self._lock = SpinLock(sched, f"hca_cmdq_lock[{regs.node}]")
        self._owned = [False] * entries
        self._used = [False] * entries
        self._freed = WaitQueue(sched, f"entry of the command queue of node {regs.node}")

    def frames(self) -> tuple[range, ...]:
        """Where entries and mailboxes lie."""
        return self._frames

    # ---- ringing ---------------------------------------------------------------------------------------------------

    async def ring(self, *orders: Order) -> list[Ticket]:
        """Queue these, in order, and tell the device."""
        if not 0 < len(orders) <= self.entries:
            raise HcaError(f"{len(orders)} commands for a queue of {self.entries}")
        await self._sched.charge(timing.SW_HCA_COMMAND * len(orders))
        while True:
            async with self._lock:
                busy = self._first_busy(len(orders))
                if busy is None:
                    tickets = [self._place(order) for order in orders]
                    # Under the lock: a later doorbell must not be overtaken by an earlier one.
                    await self._regs.write(h.CmdqProdReg.offset, self._prod)
                    return tickets
            self._stats.command_slot_waits += 1
            await self._slot_free(busy)

    def _first_busy(self, count: int) -> int | None:
        self._sched.touch(self._freed)
        for offset in range(count):
            slot = (self._prod + offset) % self.entries
            if self._owned[slot] or not self._reap(slot):
                return slot
        return None

    def _reap(self, slot: int) -> bool:
        """True if the entry, which nobody waits for, is free."""
        if not self._used[slot]:
            return True
        status = self._status(slot)
        if status is None:
            return False
        self._used[slot] = False
        if status is not h.CmdStatus.OK:
            raise HcaError(f"node {self._regs.node}: {self._describe(slot)} ended in {status.name}")
        return True

    async def _slot_free(self, slot: int) -> None:
        if self._owned[slot]:
            await self._freed.wait_event(lambda: not self._owned[slot], spin=True)
            return
        await self._done(slot)

    def _place(self, order: Order) -> Ticket:
        slot = self._prod % self.entries
        line = new_line()
        fields = h.Command
        addr, length, value = order.addr, order.length, 0
        if order.opcode in OWN_MAILBOX:
            addr = self._box(slot)
            write_line(self._memory, addr, list(order.context or ()) + [0] * (8 - len(order.context or ())))
        if order.opcode is h.CmdOp.FENCE:
            self._fences += 1
            self._stats.fences += 1
            value = length = self._fences
        for field, number in (
            (fields.opcode, order.opcode),
            (fields.qpn, order.qpn),
            (fields.token, order.token),
            (fields.key, order.key),
            (fields.direction, order.direction),
            (fields.error, int(order.error)),
            (fields.load_sq, int(order.load_sq)),
            (fields.load_rq, int(order.load_rq)),
            (fields.addr, addr),
            (fields.length, length),
        ):
            field.put(line, number)
        write_line(self._memory, self._entry(slot), line)
        self._owned[slot] = self._used[slot] = True
        ticket = Ticket(self._prod, order.opcode, value)
        self._emit(TraceEvent.HCA_COMMAND, slot, order.opcode, order.key, addr, length)
        if value:
            self._emit(TraceEvent.HCA_FENCE, value)
        self._prod = (self._prod + 1) & MASK
        self._stats.commands += 1
        return ticket

    # ---- waiting ---------------------------------------------------------------------------------------------------

    async def wait(self, ticket: Ticket) -> h.CmdStatus:
        """Spin until the command has its status."""
        status, _ = await self.report(ticket)
        return status

    async def report(self, ticket: Ticket) -> tuple[h.CmdStatus, Line]:
        """The same, and the command's mailbox."""
        slot = ticket.index % self.entries
        status = await self._done(slot)
        box = read_line(self._memory, self._box(slot))
        self._used[slot] = False
        self._disown(slot)
        self._emit(TraceEvent.HCA_COMMAND_DONE, slot, status)
        return status, box

    async def wait_fence(self, ticket: Ticket) -> None:
        """Spin until the fence's value is written. Its status follows; nobody waits for that."""
        slot, node = ticket.index % self.entries, self._regs.node
        while True:
            seen = self._sched.line_seq(LineKind.FENCE, 0, node)
            if read_word(self._memory, self._box(slot)) == ticket.value:
                break
            await self._sched.wait_line(LineKind.FENCE, 0, seen, node=node)
        self._emit(TraceEvent.HCA_FENCE_DONE, ticket.value)
        self._disown(slot)

    def abandon(self, ticket: Ticket) -> None:
        """Nobody waits for this command; it must succeed."""
        self._disown(ticket.index % self.entries)

    async def command(self, order: Order) -> h.CmdStatus:
        """One command and its status."""
        (ticket,) = await self.ring(order)
        return await self.wait(ticket)

    async def must(self, order: Order) -> None:
        """One command that only a broken driver or device could see refused."""
        (ticket,) = await self.ring(order)
        what = self._describe(ticket.index % self.entries)
        status = await self.wait(ticket)
        if status is not h.CmdStatus.OK:
            raise HcaError(f"node {self._regs.node}: {what} ended in {status.name}")

    async def fenced(self, orders: Sequence[Order]) -> None:
        """These commands and a fence behind them: on return what they invalidated is dead, and no access that used it in flight."""
        *tickets, fence = await self.ring(*orders, Order(h.CmdOp.FENCE))
        for ticket in tickets:
            self.abandon(ticket)
        await self.wait_fence(fence)

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _done(self, slot: int) -> h.CmdStatus:
        node = self._regs.node
        while True:
            seen = self._sched.line_seq(LineKind.COMMAND, slot, node)
            status = self._status(slot)
            if status is not None:
                return status
            await self._sched.wait_line(LineKind.COMMAND, slot, seen, node=node)

    def _status(self, slot: int) -> h.CmdStatus | None:
        word = read_word(self._memory, self._entry(slot) + 8 * DONE_DW)
        return h.CmdStatus(h.Command.status.of(word)) if h.Command.done.of(word) else None

    def _disown(self, slot: int) -> None:
        self._owned[slot] = False
        self._freed.wake_all()

    def _entry(self, slot: int) -> int:
        return self.base + h.ENTRY_BYTES * slot

    def _box(self, slot: int) -> int:
        return self._boxes + h.ENTRY_BYTES * slot

    def _describe(self, slot: int) -> str:
        line = read_line(self._memory, self._entry(slot))
        name = h.CmdOp(h.Command.opcode.get(line)).name
        return f"command {name} (entry {slot}, number {h.Command.qpn.get(line)}, key {h.Command.key.get(line):#x})"

    def _emit(self, event: TraceEvent, *args: int) -> None:
        self._trace.emit(self._sched.now, event, *args)
