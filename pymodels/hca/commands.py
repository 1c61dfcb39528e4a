"""The command queue.

Promises: docs/hca.md section 3: commands are taken in order; each ends with double-word 7 written, CMDQ_CONS moved and a probe.
  A fence is written when no access is left that an earlier invalidation covered. Entries are fetched ahead of their turn.
Costs: three events a command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.fields import Line
from hwif.gen.events import TraceEvent
from hwif.gen.gru import PAGE_SHIFT
from hwif.gen.hca import (
    ENTRY_BYTES,
    INDEX_WIDTH,
    KEY_IDX_WIDTH,
    MTU_SHIFT_MAX,
    MTU_SHIFT_MIN,
    NUM_CQ,
    NUM_QP,
    AsyncType,
    CmdOp,
    CmdStatus,
    Command,
    Counter,
    Cqc,
    FaultPolicy,
    Qpc,
    QpState,
    StatusReg,
)
from hwif.gen.port import LineKind
from hwif.gen.timing import HCA_COMMAND
from pymodels.hca.lines import build, parse
from pymodels.hca.translation import Invalidation, index_of

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Commands"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
LAST_BYTE = (1 << 64) - 1
STATUS_BYTE = 56
"""Double-word 7 of an entry."""
FENCE_BYTES = 8
_STATUS = slice(STATUS_BYTE, STATUS_BYTE + FENCE_BYTES)
_STATES = frozenset(int(state) for state in QpState)
_POLICIES = frozenset(int(policy) for policy in FaultPolicy)


class Commands:
    """The command unit of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.stopped = False
        self.consumer = 0
        self._fetched = 0
        self._producer = 0
        self._taken = 0
        self._ready: deque[Line | None] = deque()
        self._busy = False
        self._covered: list[Invalidation] = []
        self._fence: Callable[[], None] | None = None
        self._round = 0

    # ---- the queue -----------------------------------------------------------------------------------------------------

    def rung(self, producer: int) -> None:
        """CMDQ_PROD was written."""
        if self.stopped:
            return
        self._producer = producer
        size = self._node.registers.queue_size(self._node.registers.cmdq_size)
        if not size:
            self._stop()
            return
        round_ = self._round
        while self._fetched != producer:
            place = self._node.registers.cmdq_base + self._fetched % size * ENTRY_BYTES
            self._node.memory.fetch(place, ENTRY_BYTES, lambda data: self._came(round_, data))
            self._fetched = (self._fetched + 1) & INDEX_MASK

    def restarted(self) -> None:
        """CMDQ_SIZE was written: the queue starts anew."""
        self.stopped = False
        self.consumer = self._fetched = self._producer = self._taken = 0
        self._ready.clear()
        self._round += 1

    def _stop(self) -> None:
        self.stopped = True
        self._node.registers.set_status(StatusReg.command_stopped)
        self._node.registers.asynchronous(AsyncType.COMMAND_QUEUE, 0)

    def _came(self, round_: int, data: bytes | None) -> None:
        if round_ != self._round:
            return
        self._ready.append(None if data is None else parse(data))
        self._next()

    def _next(self) -> None:
        if self._busy or not self._ready or self.stopped:
            return
        line = self._ready.popleft()
        if line is None:
            self._stop()
            return
        self._busy = True
        index, self._taken = self._taken, (self._taken + 1) & INDEX_MASK
        self._node.at(self._node.now + HCA_COMMAND, self._execute, index, line)

    def _done(self, index: int, status: CmdStatus) -> None:
        """Write the status; the next command starts meanwhile."""
        count = self._node.count
        count[Counter.COMMANDS] += 1
        if status != CmdStatus.OK:
            count[Counter.BAD_COMMANDS] += 1
        registers = self._node.registers
        entry = index % (registers.queue_size(registers.cmdq_size) or 1)
        round_ = self._round
        word = build((Command.status, status), (Command.done, 1))[_STATUS]

        def written(_ok: bool) -> None:
            if round_ == self._round:
                self.consumer = (index + 1) & INDEX_MASK
            self._node.snoop(LineKind.COMMAND, entry)

        self._node.memory.store(registers.cmdq_base + entry * ENTRY_BYTES + STATUS_BYTE, word, written)
        self._busy = False
        self._next()

    # ---- what they do --------------------------------------------------------------------------------------------------

    def _execute(self, index: int, line: Line) -> None:
        opcode = Command.opcode.get(line)
        if opcode == CmdOp.NOP:
            self._done(index, CmdStatus.OK)
        elif opcode in (CmdOp.INVALIDATE_RANGE, CmdOp.INVALIDATE_KEY):
            self._done(index, self._invalidate(index, line, whole=opcode == CmdOp.INVALIDATE_KEY))
        elif opcode == CmdOp.FENCE:
            self._wait_fence(index, line)
        elif opcode == CmdOp.RESUME:
            self._done(index, self._resume(line))
        elif opcode in (CmdOp.MODIFY_QP, CmdOp.MODIFY_CQ):
            self._modify(index, line, cq=opcode == CmdOp.MODIFY_CQ)
        elif opcode == CmdOp.QUERY_QP:
            self._query(index, line)
        else:
            self._done(index, CmdStatus.BAD_OPCODE)

    def _invalidate(self, index: int, line: Line, *, whole: bool) -> CmdStatus:
        key = Command.key.get(line)
        if index_of(key) >> KEY_IDX_WIDTH:
            return CmdStatus.BAD_NUMBER
        addr, length = Command.addr.get(line), Command.length.get(line)
        first, last = (0, LAST_BYTE) if whole else (addr, min(addr + length - 1, LAST_BYTE))
        self._node.emit(TraceEvent.HDEV_INVALIDATE, index, key, addr, length, whole)
        if not whole and not length:  # covers nothing
            last_page, first_page = -1, 0
        else:
            first_page, last_page = first >> PAGE_SHIFT, last >> PAGE_SHIFT
        invalidation = self._node.translation.invalidate(index_of(key), first_page, last_page, whole=whole)
        if invalidation.flying:
            self._covered.append(invalidation)
        return CmdStatus.OK

    def _wait_fence(self, index: int, line: Line) -> None:
        addr, value = Command.addr.get(line), Command.length.get(line)
        if addr % FENCE_BYTES:
            self._done(index, CmdStatus.BAD_CONTEXT)
            return

        def written(ok: bool) -> None:
            self._node.count[Counter.FENCES] += ok
            if ok:
                self._node.emit(TraceEvent.HDEV_FENCE, index, value)
                self._node.snoop(LineKind.FENCE, 0)
            self._done(index, CmdStatus.OK if ok else CmdStatus.BAD_ADDRESS)

        def write() -> None:
            self._node.memory.store(addr, value.to_bytes(FENCE_BYTES, "little"), written)

        self._fence = write
        self.drained()

    def drained(self) -> None:
        """An access that an invalidation covered is over."""
        self._covered = [invalidation for invalidation in self._covered if invalidation.flying]
        if self._fence is not None and not self._covered:
            write, self._fence = self._fence, None
            write()

    def _resume(self, line: Line) -> CmdStatus:
        qpn = Command.qpn.get(line)
        if qpn >= NUM_QP:
            return CmdStatus.BAD_NUMBER
        error = bool(Command.error.get(line))
        good = self._node.faults.resume(qpn, Command.direction.get(line), Command.token.get(line), error=error)
        return CmdStatus.OK if good else CmdStatus.BAD_TOKEN

    def _modify(self, index: int, line: Line, *, cq: bool) -> None:
        number, addr = Command.qpn.get(line), Command.addr.get(line)
        if number >= (NUM_CQ if cq else NUM_QP):
            self._done(index, CmdStatus.BAD_NUMBER)
            return
        if addr % ENTRY_BYTES:
            self._done(index, CmdStatus.BAD_CONTEXT)
            return

        def came(data: bytes | None) -> None:
            if data is None:
                self._done(index, CmdStatus.BAD_ADDRESS)
            elif cq:
                self._done(index, self._modify_cq(number, parse(data)))
            else:
                self._done(index, self._modify_qp(number, line, parse(data)))

        self._node.memory.fetch(addr, ENTRY_BYTES, came)

    def _modify_cq(self, number: int, cqc: Line) -> CmdStatus:
        base = Cqc.base.get(cqc)
        if Cqc.valid.get(cqc) and base % ENTRY_BYTES:
            return CmdStatus.BAD_CONTEXT
        self._node.completion.modify(number, bool(Cqc.valid.get(cqc)), Cqc.log.get(cqc), base)
        return CmdStatus.OK

    def _modify_qp(self, number: int, line: Line, qpc: Line) -> CmdStatus:
        load_sq, load_rq = bool(Command.load_sq.get(line)), bool(Command.load_rq.get(line))
        impossible = (
            Qpc.state.get(qpc) not in _STATES
            or Qpc.policy.get(qpc) not in _POLICIES
            or not MTU_SHIFT_MIN <= Qpc.mtu_shift.get(qpc) <= MTU_SHIFT_MAX
            or (load_sq and Qpc.sq_base.get(qpc) % ENTRY_BYTES)
            or (load_rq and Qpc.rq_base.get(qpc) % ENTRY_BYTES)
        )
        if impossible:
            return CmdStatus.BAD_CONTEXT
        self._node.modify_qp(number, qpc, load_sq=load_sq, load_rq=load_rq)
        return CmdStatus.OK

    def _query(self, index: int, line: Line) -> None:
        number, addr = Command.qpn.get(line), Command.addr.get(line)
        if number >= NUM_QP:
            self._done(index, CmdStatus.BAD_NUMBER)
        elif addr % ENTRY_BYTES:
            self._done(index, CmdStatus.BAD_CONTEXT)
        else:
            self._node.memory.store(
                addr,
                self._node.report_qp(number),
                lambda ok: self._done(index, CmdStatus.OK if ok else CmdStatus.BAD_ADDRESS),
            )
