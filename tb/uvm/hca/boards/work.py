"""Completions: each in its queue's next place, with the right owner bit, for the oldest work request of its side that owes one,
and saying what that work request was. In order; after one that fails the side completes no more.

Promises: objects at the end to a queue pair that works and has not completed what it owes, unless the plan says `left_open`.
"""

from __future__ import annotations

from pyuvm import ConfigDB

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_lines import Entry, entry_of
from tb.uvm.agents.axi.config import MemoryAccess
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.coverage import Coverage
from tb.uvm.hca.mirror import Cq, QueuePair, Work
from tb.uvm.hca.observed import Record
from tb.uvm.hca.plan import Plan
from tb.uvm.inlet import Inlet

__all__ = ["OPCODES", "WorkBoard"]

LINE = h.ENTRY_BYTES
OPCODES = {
    h.WrOpcode.RDMA_WRITE: h.WcOpcode.RDMA_WRITE,
    h.WrOpcode.SEND: h.WcOpcode.SEND,
    h.WrOpcode.RDMA_READ: h.WcOpcode.RDMA_READ,
    h.WrOpcode.ATOMIC_CMP_AND_SWP: h.WcOpcode.COMP_SWAP,
    h.WrOpcode.ATOMIC_FETCH_AND_ADD: h.WcOpcode.FETCH_ADD,
}


class WorkBoard(Board):
    """Completion queues in memory."""

    cover: Coverage

    def build_phase(self) -> None:
        super().build_phase()
        self.accesses = Inlet("accesses", self, self._access)
        self.records = Inlet("records", self, self._records)
        plan: Plan = ConfigDB().get(self, "", "PLAN")
        self._left_open = plan.left_open
        self.forget()

    def forget(self) -> None:
        """A new device."""
        self._states: dict[int, int] = {}

    def _records(self, records: list[Record]) -> None:
        for record in records:
            if record[1] == TraceEvent.HDEV_QP:
                self._states[record[2]] = record[3]

    def _access(self, access: MemoryAccess) -> None:
        if not access.write or access.issued < self.since:
            return
        for cqn, cq in self.mirror.cqs.items():
            if cq.base <= access.addr < cq.base + (LINE << cq.log):
                self._completion(cqn, cq, access)
                return

    def _completion(self, cqn: int, cq: Cq, access: MemoryAccess) -> None:
        place = cq.base + LINE * (cq.written % (1 << cq.log))
        owner = 1 ^ cq.written >> cq.log & 1
        self.cover.completion(cqn, cq.written, cq.log)
        cq.written += 1
        cqe = entry_of(h.Cqe, access.data)  # also of one that memory refuses: the device does not write it again
        self.judge.note("cqe", cqn, cqe["qpn"], cqe["recv"], cqe["wqe_index"], cqe["status"])
        if access.addr != place or cqe["owner"] != owner:
            self.judge.object("order", f"completion {cq.written - 1} of queue {cqn} at {access.addr:#x}, owner {cqe['owner']}")
        qp = self.mirror.qps.get(cqe["qpn"])
        if qp is None:
            self.judge.object("completion", f"{cqe} for a queue pair that does not exist")
            return
        if qp.context["recv_cqn" if cqe["recv"] else "send_cqn"] != cqn:
            self.judge.object("completion", f"{cqe} in queue {cqn}")
        work = self._owed(qp, cqe)
        if work is not None:
            self._says(qp, work, cqe)

    def _owed(self, qp: QueuePair, cqe: Entry) -> Work | None:
        """The work request that it completes; those before it that owe none are done too."""
        if cqe["recv"] in qp.failed:
            self.judge.object("order", f"queue pair {qp.qpn}: {cqe} after a completion that failed")
            return None
        queue = qp.receives if cqe["recv"] else qp.sends
        good = cqe["status"] == h.WcStatus.SUCCESS
        while queue:
            work = queue.pop(0)
            if work.index == cqe["wqe_index"]:
                if good and not cqe["recv"] and not work.wqe["signaled"]:
                    self.judge.object("completion", f"work request {work.index} of queue pair {qp.qpn} owes no completion: {cqe}")
                return work
            if cqe["recv"] or work.wqe["signaled"]:
                self.judge.object("order", f"queue pair {qp.qpn}: {cqe} before the completion of work request {work.index}")
        self.judge.object("completion", f"queue pair {qp.qpn}: {cqe} and no such work request")
        return None

    def _says(self, qp: QueuePair, work: Work, cqe: Entry) -> None:
        if cqe["status"] not in list(h.WcStatus):
            self.judge.object("completion", f"{cqe}: no such status")
            return
        self.cover.ended(qp, work, cqe)
        if cqe["status"] != h.WcStatus.SUCCESS:
            qp.failed.add(cqe["recv"])
            return
        if cqe["recv"]:
            if cqe["opcode"] != h.WcOpcode.RECV or cqe["byte_len"] > work.length:
                self.judge.object("completion", f"{cqe} for a receive of {work.length} bytes")
            return
        opcode = work.wqe["opcode"]
        if opcode not in list(h.WrOpcode) or cqe["opcode"] != OPCODES[h.WrOpcode(opcode)]:
            self.judge.object("completion", f"{cqe} for a work request with opcode {opcode}")
        elif opcode not in (h.WrOpcode.SEND, h.WrOpcode.RDMA_WRITE) and cqe["byte_len"] != work.length:
            self.judge.object("completion", f"{cqe} for a work request of {work.length} bytes")

    def check_phase(self) -> None:
        """What never came, unless the run was cut short."""
        if self._left_open or self.judge.enough.is_set():
            return
        for qp in self.mirror.qps.values():
            owed = [work.index for work in qp.sends if work.wqe["signaled"]]
            if owed and self._states.get(qp.qpn) == h.QpState.RTS:
                self.judge.object("liveness", f"queue pair {qp.qpn}: work requests without a completion: {owed}")
