"""Completion queues.

Promises: docs/hca.md section 6: an entry, then its probe; a full queue loses the entry and says so; an armed queue fires once.
Costs: two events an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hwif.gen.events import TraceEvent
from hwif.gen.hca import ENTRY_BYTES, INDEX_WIDTH, AsyncType, Counter, Cqe, StatusReg
from hwif.gen.port import LineKind
from hwif.gen.timing import HCA_CQE
from pymodels.hca.lines import build

if TYPE_CHECKING:
    from pymodels.hca.node import Node

__all__ = ["Completion", "CompletionUnit"]

INDEX_MASK = (1 << INDEX_WIDTH) - 1


class Queue:
    """A completion queue."""

    __slots__ = ("armed", "base", "consumer", "gone", "log", "producer", "written")

    def __init__(self, log: int, base: int) -> None:
        self.log = log
        self.base = base
        self.producer = 0
        """Entries given to memory."""
        self.written = 0
        """Entries memory has answered for."""
        self.consumer = 0
        self.armed = False
        self.gone: Callable[[], None] | None = None
        """Told when the last entry of a queue that was taken away is in memory."""


class Completion:
    """What an entry says, but for its owner bit."""

    __slots__ = ("byte_len", "opcode", "qpn", "recv", "status", "syndrome", "wqe_index")

    def __init__(self, qpn: int, status: int, opcode: int, wqe_index: int, byte_len: int, syndrome: int, *, recv: bool) -> None:
        self.qpn = qpn
        self.status = status
        self.opcode = opcode
        self.wqe_index = wqe_index
        self.byte_len = byte_len
        self.syndrome = syndrome
        self.recv = recv


class CompletionUnit:
    """The completion unit of an adapter."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._queues: dict[int, Queue] = {}

    def modify(self, cqn: int, valid: bool, log: int, base: int, done: Callable[[], None]) -> None:
        """MODIFY_CQ: a fresh queue, or none; `done` when the one before is not touched any more."""
        old = self._queues.pop(cqn, None)
        if valid:
            self._queues[cqn] = Queue(log, base)
        if old is None or old.producer == old.written:
            done()
        else:
            old.gone = done

    def rung(self, cqn: int, consumer: int, *, arm: bool) -> None:
        """CQ_DOORBELL was written."""
        queue = self._queues.get(cqn)
        if queue is None:
            return
        queue.consumer = consumer
        if arm:
            queue.armed = True
            self._fire(cqn, queue)

    def _fire(self, cqn: int, queue: Queue) -> None:
        if queue.armed and (queue.written - queue.consumer) & INDEX_MASK:
            queue.armed = False
            self._node.registers.fire(cqn)

    def add(self, cqn: int, entry: Completion) -> None:
        """Write an entry."""
        queue = self._queues.get(cqn)
        if queue is None or (queue.producer - queue.consumer) & INDEX_MASK >= 1 << queue.log:
            self._node.registers.set_status(StatusReg.cq_overflow)
            self._node.registers.asynchronous(AsyncType.CQ_ERR, cqn)
            return
        line = build(
            (Cqe.owner, ~(queue.producer >> queue.log) & 1),
            (Cqe.status, entry.status),
            (Cqe.opcode, entry.opcode),
            (Cqe.recv, entry.recv),
            (Cqe.qpn, entry.qpn),
            (Cqe.byte_len, entry.byte_len),
            (Cqe.wqe_index, entry.wqe_index),
            (Cqe.syndrome, entry.syndrome),
        )
        place = queue.base + (queue.producer & ((1 << queue.log) - 1)) * ENTRY_BYTES
        queue.producer = (queue.producer + 1) & INDEX_MASK

        def written(_ok: bool) -> None:
            queue.written = (queue.written + 1) & INDEX_MASK
            self._node.count[Counter.CQES] += 1
            self._node.emit(TraceEvent.HDEV_CQE, cqn, entry.qpn, entry.status, entry.opcode, entry.wqe_index)
            self._node.snoop(LineKind.CQ, cqn)
            if self._queues.get(cqn) is queue:
                self._fire(cqn, queue)
            elif queue.gone is not None and queue.producer == queue.written:
                queue.gone()

        self._node.at(self._node.now + HCA_CQE, self._node.memory.store, place, line, written)
