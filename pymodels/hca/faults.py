"""Faults: tokens, the queue in host memory, resumes.

Promises: docs/hca.md section 5, FQ-1 to FQ-7: at most one fault outstanding a queue pair and direction, every one of them recorded
  once, in order, in memory before the producer index moves; a resume counts only with the outstanding fault's own token.
Needs: `room` is called when FQ_CONS or the queue's size changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import ENTRY_BYTES, INDEX_WIDTH, QPN_WIDTH, Counter, Fault, FaultCause, FaultDir, StatusReg, XltResult
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


class Faults:
    """The fault unit of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._generation: dict[tuple[int, int], int] = {}
        self._outstanding: dict[tuple[int, int], int] = {}
        self._waiting: deque[tuple[FaultReport, int]] = deque()
        self._held = 0
        """Of those waiting, the first so many have been counted as held."""
        self._written = 0
        """Records given to memory."""
        self.producer = 0
        self.since: deque[int] = deque()
        """When each record came that software is not done with."""

    def outstanding(self, qpn: int, direction: int) -> bool:
        """A fault of this queue pair and direction waits for its resume."""
        return (qpn, direction) in self._outstanding

    def report(self, fault: FaultReport) -> None:
        """A fault happened: record it, unless one of its queue pair and direction is outstanding."""
        who = (fault.qpn, int(fault.direction))
        if who in self._outstanding:
            self._node.count[Counter.FAULTS_MERGED] += 1
            return
        generation = self._generation.get(who, 0) + 1
        self._generation[who] = generation
        token = (generation << QPN_WIDTH | fault.qpn) & TOKEN_MASK
        self._outstanding[who] = token
        self._node.emit(TraceEvent.HDEV_FAULT, fault.qpn, fault.direction, fault.key, fault.va, fault.cause, token)
        self._waiting.append((fault, token))
        self.room()

    def room(self) -> None:
        """Write what waits, as far as the queue has room."""
        registers = self._node.registers
        size = registers.queue_size(registers.fq_size)
        while self._waiting and size and (self._written - registers.fq_consumer) & INDEX_MASK < size:
            fault, token = self._waiting.popleft()
            self._held = max(0, self._held - 1)
            place = registers.fq_base + (self._written & INDEX_MASK) % size * ENTRY_BYTES
            self._node.memory.store(place, self._record(fault, token), self._recorded(fault, token))
            self._written += 1
        fresh = len(self._waiting) - self._held
        if fresh > 0:
            self._node.count[Counter.FAULT_HELD] += fresh
            self._held = len(self._waiting)
            registers.set_status(StatusReg.fault_overflow)

    def _record(self, fault: FaultReport, token: int) -> bytes:
        return build(
            (Fault.direction, fault.direction),
            (Fault.write, fault.write),
            (Fault.rdma, fault.rdma),
            (Fault.cause, fault.cause),
            (Fault.qpn, fault.qpn),
            (Fault.token, token),
            (Fault.key, fault.key),
            (Fault.va, fault.va),
            (Fault.length, fault.length),
            (Fault.packet_length, fault.packet_length),
            (Fault.wqe_index, fault.wqe_index),
            (Fault.seqno, self._written & TOKEN_MASK),
        )

    def _recorded(self, fault: FaultReport, token: int) -> Callable[[bool], None]:
        def recorded(_ok: bool) -> None:
            self.producer = (self.producer + 1) & INDEX_MASK
            self._node.count[Counter.FAULTS] += 1
            self.since.append(self._node.now)
            self._node.emit(TraceEvent.HDEV_RECORD, fault.qpn, fault.direction, token, self.producer)
            self._node.registers.lines()

        return recorded

    def consumed(self) -> None:
        """FQ_CONS moved."""
        waiting = (self.producer - self._node.registers.fq_consumer) & INDEX_MASK
        while len(self.since) > waiting:
            self.since.popleft()
        self.room()

    def resume(self, qpn: int, direction: int, token: int, *, error: bool) -> bool:
        """RESUME: False when the token is not that of an outstanding fault."""
        good = self._outstanding.get((qpn, direction)) == token
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
