"""Faults: tokens, the queue in host memory, resumes.

Promises: docs/hca.md section 5, FQ-1 to FQ-7: at most one fault outstanding a queue pair and direction, every one of them recorded
  once, in order, in memory before the producer index moves; a resume counts only with the outstanding fault's own token, and not
  before memory has the record.
Needs: `consumed` is called when FQ_BASE, FQ_SIZE or FQ_CONS is written.
Costs: two events a record; records are written one at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import ENTRY_BYTES, INDEX_WIDTH, QPN_WIDTH, Counter, Fault, FaultCause, FaultDir, StatusReg, XltResult
from hwif.gen.timing import HCA_FAULT
from pymodels.hca.lines import build

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["CAUSE", "FaultReport", "Faults"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1
TOKEN_MASK = (1 << 32) - 1
CAUSE = {
    int(XltResult.FAULT_NOT_PRESENT): FaultCause.NOT_PRESENT,
    int(XltResult.FAULT_READ_ONLY): FaultCause.READ_ONLY,
}


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What the record says, but for its token and number."""

    qpn: int
    direction: FaultDir
    write: bool
    rdma: bool
    cause: FaultCause
    key: int
    va: int
    length: int
    packet_length: int
    wqe_index: int


class _State(IntEnum):
    WAITING = 0
    WRITING = 1
    WRITTEN = 2  # software can resume it
    FORGOTTEN = 3  # its side started anew


class _Outstanding:
    """A fault from its report to its resume."""

    __slots__ = ("fault", "state", "token")

    def __init__(self, fault: FaultReport, token: int) -> None:
        self.fault = fault
        self.token = token
        self.state = _State.WAITING


class Faults:
    """The fault unit of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._generation: dict[tuple[int, int], int] = {}
        self._outstanding: dict[tuple[int, int], _Outstanding] = {}
        self._line: deque[_Outstanding] = deque()
        self._writing = False
        self._refused = False
        """Memory refused the oldest record: it waits for software."""
        self._number = 0
        self.producer = 0

    def report(self, fault: FaultReport) -> None:
        """A fault happened: record it, unless one of its queue pair and direction is outstanding."""
        who = (fault.qpn, int(fault.direction))
        count, registers = self._node.count, self._node.registers
        if who in self._outstanding:
            count[Counter.FAULTS_MERGED] += 1
            return
        generation = self._generation.get(who, 0) + 1
        self._generation[who] = generation
        token = (generation << QPN_WIDTH | fault.qpn) & TOKEN_MASK
        self._node.emit(TraceEvent.HDEV_FAULT, fault.qpn, fault.direction, fault.key, fault.va, fault.cause, token)
        size = registers.queue_size(registers.fq_size)
        before = ((self.producer - registers.fq_consumer) & INDEX_MASK) + len(self._line) + self._writing
        if before >= size:
            count[Counter.FAULT_HELD] += 1
            registers.set_status(StatusReg.fault_overflow)
        entry = self._outstanding[who] = _Outstanding(fault, token)
        self._line.append(entry)
        self._node.at(self._node.now + HCA_FAULT, self._write)

    def forget(self, qpn: int, direction: FaultDir) -> None:
        """A side starts anew: a record not yet on its way is not written."""
        entry = self._outstanding.pop((qpn, int(direction)), None)
        if entry is not None:
            if entry.state == _State.WAITING:
                self._line.remove(entry)
            entry.state = _State.FORGOTTEN

    def _write(self) -> None:
        """Write the oldest record, if the queue has room."""
        registers = self._node.registers
        size = registers.queue_size(registers.fq_size)
        if self._writing or self._refused or not self._line or (self.producer - registers.fq_consumer) & INDEX_MASK >= size:
            return
        self._writing = True
        entry = self._line.popleft()
        entry.state = _State.WRITING
        place = registers.fq_base + self.producer % size * ENTRY_BYTES
        self._node.memory.store(place, self._record(entry), lambda ok: self._written(entry, ok=ok))

    def _record(self, entry: _Outstanding) -> bytes:
        fault = entry.fault
        return build(
            (Fault.direction, fault.direction),
            (Fault.write, fault.write),
            (Fault.rdma, fault.rdma),
            (Fault.cause, fault.cause),
            (Fault.qpn, fault.qpn),
            (Fault.token, entry.token),
            (Fault.key, fault.key),
            (Fault.va, fault.va),
            (Fault.length, fault.length),
            (Fault.packet_length, fault.packet_length),
            (Fault.wqe_index, fault.wqe_index),
            (Fault.seqno, self._number & TOKEN_MASK),
        )

    def _written(self, entry: _Outstanding, *, ok: bool) -> None:
        node = self._node
        self._writing = False
        if not ok:
            self._refused = True
            self._line.appendleft(entry)
            node.registers.set_status(StatusReg.fault_overflow)
            return
        self.producer = (self.producer + 1) & INDEX_MASK
        self._number += 1
        if entry.state == _State.WRITING:
            entry.state = _State.WRITTEN
        node.count[Counter.FAULTS] += 1
        node.emit(TraceEvent.HDEV_RECORD, entry.fault.qpn, entry.fault.direction, entry.token, self.producer)
        node.registers.lines()
        node.at(node.now + HCA_FAULT, self._write)

    def consumed(self) -> None:
        """Software wrote a register of the queue."""
        self._refused = False
        self._write()

    def resume(self, qpn: int, direction: int, token: int, *, error: bool) -> bool:
        """RESUME: False when the token is not that of an outstanding fault whose record is written."""
        entry = self._outstanding.get((qpn, direction))
        good = entry is not None and entry.token == token and entry.state == _State.WRITTEN
        self._node.emit(TraceEvent.HDEV_RESUME, qpn, direction, token, error, good)
        if not good:
            self._node.count[Counter.BAD_TOKENS] += 1
            return False
        del self._outstanding[(qpn, direction)]
        self._node.count[Counter.RESUMES] += 1
        if direction == FaultDir.REQUESTER:
            self._node.requester.resumed(qpn, error=error)
        else:
            self._node.responder.resumed(qpn, error=error)
        return True
