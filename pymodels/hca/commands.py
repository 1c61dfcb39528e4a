"""The command queue: fetched ahead, executed in order; retire.py writes the results.

Promises: docs/hca.md section 3. A bad command is a NOP with its status; no command waits for a fence. What stops the queue drops
  what was fetched and not begun; writing CMDQ_SIZE starts it anew when the commands begun before have ended.
Costs: two events a command, one more for a context.
"""

from __future__ import annotations

from collections import deque
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
    Cqc,
    FaultPolicy,
    Qpc,
    QpState,
    StatusReg,
)
from hwif.gen.timing import HCA_COMMAND, HCA_CONTEXT
from pymodels.hca.lines import parse
from pymodels.hca.retire import FENCE_BYTES, Retire, Retiring
from pymodels.hca.translation import index_of

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Commands"]

SLOTS = 16
"""Commands fetched and not retired (rtl/hca/hca_int_pkg.sv CmdSlots)."""
INDEX_MASK = (1 << INDEX_WIDTH) - 1
LAST_BYTE = (1 << 64) - 1
MEMORY_END = 1 << 52
"""Addresses from here on have no memory."""
_STATES = frozenset(int(state) for state in QpState)
_POLICIES = frozenset(int(policy) for policy in FaultPolicy)
_QP_COMMANDS = frozenset((int(CmdOp.MODIFY_QP), int(CmdOp.QUERY_QP)))
_OPCODES = frozenset(int(opcode) for opcode in CmdOp)


def _bad_base(base: int) -> bool:
    return base % ENTRY_BYTES != 0 or base >= MEMORY_END


class Commands:
    """The command unit of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._retire = Retire(node, self._stop, self._fetch)
        self._stopped = False
        self._restarting = False
        self._fetched = 0
        self._ready: deque[bytes | None] = deque()
        self._fetching = 0
        self._busy = False
        self._taken = 0

    @property
    def consumer(self) -> int:
        """CMDQ_CONS."""
        return self._retire.consumer

    # ---- the queue -----------------------------------------------------------------------------------------------------

    def rung(self) -> None:
        """CMDQ_PROD was written."""
        self._fetch()

    def _fetch(self) -> None:
        """Fetch what was rung, as far as there is room to retire it."""
        registers, retire = self._node.registers, self._retire
        if self._restarting:
            self._restart()
            return
        if self._stopped or self._fetched == registers.cmdq_producer:
            return
        if self._fetched == retire.consumer:
            retire.base, retire.size = registers.cmdq_base, registers.queue_size(registers.cmdq_size)
        if not retire.size or retire.base % ENTRY_BYTES:
            self._stop()
            return
        while self._fetched != registers.cmdq_producer and (self._fetched - retire.consumer) & INDEX_MASK < SLOTS:
            self._fetching += 1
            self._node.memory.fetch(retire.base + self._fetched % retire.size * ENTRY_BYTES, ENTRY_BYTES, self._came)
            self._fetched = (self._fetched + 1) & INDEX_MASK

    def restarted(self) -> None:
        """CMDQ_SIZE was written: the queue starts anew when the commands begun have ended."""
        self._restarting = True
        self._ready.clear()
        self._restart()

    def _restart(self) -> None:
        if self._busy or self._fetching or not self._retire.idle:
            return
        self._restarting = self._stopped = False
        self._fetched = self._taken = 0
        self._retire.restart()
        self._fetch()

    def _stop(self) -> None:
        self._stopped = True
        self._ready.clear()
        self._node.registers.set_status(StatusReg.command_stopped)
        self._node.registers.asynchronous(AsyncType.COMMAND_QUEUE, 0)

    def _came(self, data: bytes | None) -> None:
        self._fetching -= 1
        if self._stopped or self._restarting:
            self._fetch()
            return
        self._ready.append(data)
        self._next()

    def _next(self) -> None:
        if self._busy or not self._ready:
            return
        data = self._ready.popleft()
        if data is None:
            self._stop()
            return
        self._busy = True
        index, self._taken = self._taken, (self._taken + 1) & INDEX_MASK
        self._node.at(self._node.now + HCA_COMMAND, self._execute, index, parse(data))

    def _done(self, status: CmdStatus, address: int = 0, data: bytes = b"", fence: int | None = None) -> None:
        """The command was executed; the next one starts."""
        self._busy = False
        self._retire.push(Retiring(status, address, data, fence))
        self._next()
        if self._restarting:
            self._restart()

    def drained(self) -> None:
        """An access that an invalidation covered is over."""
        self._retire.drained()

    # ---- what they do --------------------------------------------------------------------------------------------------

    def _execute(self, index: int, line: Line) -> None:
        opcode = Command.opcode.get(line)
        bad = self._check(opcode, line)
        if bad != CmdStatus.OK or opcode == CmdOp.NOP:
            self._done(bad)
        elif opcode in (CmdOp.INVALIDATE_RANGE, CmdOp.INVALIDATE_KEY):
            self._invalidate(index, line, whole=opcode == CmdOp.INVALIDATE_KEY)
            self._done(CmdStatus.OK)
        elif opcode == CmdOp.FENCE:
            value = Command.length.get(line)
            self._done(CmdStatus.OK, Command.addr.get(line), value.to_bytes(FENCE_BYTES, "little"), value)
        elif opcode == CmdOp.RESUME:
            error = bool(Command.error.get(line))
            qpn, direction, token = Command.qpn.get(line), Command.direction.get(line), Command.token.get(line)
            good = self._node.faults.resume(qpn, direction, token, error=error)
            self._done(CmdStatus.OK if good else CmdStatus.BAD_TOKEN)
        elif opcode == CmdOp.QUERY_QP:
            self._node.at(self._node.now + HCA_CONTEXT, self._query, line)
        else:
            self._modify(line, cq=opcode == CmdOp.MODIFY_CQ)

    def _query(self, line: Line) -> None:
        self._done(CmdStatus.OK, Command.addr.get(line), self._node.report_qp(Command.qpn.get(line)))

    @staticmethod
    def _check(opcode: int, line: Line) -> CmdStatus:
        """What is wrong with a command before anything is asked of memory."""
        if opcode not in _OPCODES:
            return CmdStatus.BAD_OPCODE
        number, address = Command.qpn.get(line), Command.addr.get(line)
        aligned = 0
        if opcode in _QP_COMMANDS or opcode == CmdOp.MODIFY_CQ:
            if number >= (NUM_CQ if opcode == CmdOp.MODIFY_CQ else NUM_QP):
                return CmdStatus.BAD_NUMBER
            aligned = ENTRY_BYTES
        elif opcode in (CmdOp.INVALIDATE_RANGE, CmdOp.INVALIDATE_KEY):
            return CmdStatus.BAD_NUMBER if index_of(Command.key.get(line)) >> KEY_IDX_WIDTH else CmdStatus.OK
        elif opcode == CmdOp.RESUME:
            return CmdStatus.BAD_NUMBER if number >= NUM_QP else CmdStatus.OK
        elif opcode == CmdOp.FENCE:
            aligned = FENCE_BYTES
        if aligned and address % aligned:
            return CmdStatus.BAD_CONTEXT
        return CmdStatus.BAD_ADDRESS if aligned and address >= MEMORY_END else CmdStatus.OK

    def _invalidate(self, index: int, line: Line, *, whole: bool) -> None:
        key, address, length = Command.key.get(line), Command.addr.get(line), Command.length.get(line)
        if not whole and not length:
            return
        first, last = (0, LAST_BYTE) if whole else (address, min(address + length - 1, LAST_BYTE))
        self._node.emit(TraceEvent.HDEV_INVALIDATE, index, key, address, length, whole)
        translation = self._node.translation
        self._retire.cover(translation.invalidate(index_of(key), first >> PAGE_SHIFT, last >> PAGE_SHIFT, whole=whole))

    def _modify(self, line: Line, *, cq: bool) -> None:
        number = Command.qpn.get(line)

        def came(data: bytes | None) -> None:
            if data is None:
                self._done(CmdStatus.BAD_ADDRESS)
            elif cq:
                self._modify_cq(number, parse(data))
            else:
                self._node.at(self._node.now + HCA_CONTEXT, self._modify_qp, number, line, parse(data))

        self._node.memory.fetch(Command.addr.get(line), ENTRY_BYTES, came)

    def _modify_cq(self, number: int, cqc: Line) -> None:
        base, valid = Cqc.base.get(cqc), bool(Cqc.valid.get(cqc))
        if valid and _bad_base(base):
            self._done(CmdStatus.BAD_CONTEXT)
        else:
            self._node.completion.modify(number, valid, Cqc.log.get(cqc), base, lambda: self._done(CmdStatus.OK))

    def _modify_qp(self, number: int, line: Line, qpc: Line) -> None:
        load_sq, load_rq = bool(Command.load_sq.get(line)), bool(Command.load_rq.get(line))
        impossible = (
            Qpc.state.get(qpc) not in _STATES
            or Qpc.policy.get(qpc) not in _POLICIES
            or not MTU_SHIFT_MIN <= Qpc.mtu_shift.get(qpc) <= MTU_SHIFT_MAX
            or (load_sq and _bad_base(Qpc.sq_base.get(qpc)))
            or (load_rq and _bad_base(Qpc.rq_base.get(qpc)))
        )
        if impossible:
            self._done(CmdStatus.BAD_CONTEXT)
        else:
            self._node.modify_qp(number, qpc, load_sq=load_sq, load_rq=load_rq, done=lambda: self._done(CmdStatus.OK))
