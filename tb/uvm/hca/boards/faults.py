"""Fault records in memory: FQ-1 none lost or doubled, FQ-2 in memory before the producer index tells of them, FQ-7 every entry used
and none overwritten; each says what the trace says of the fault (FQ-4)."""

from __future__ import annotations

from collections import deque

from hwif.gen import hca as h
from hwif.gen.events import TraceEvent
from tb.hil.hca_lines import entry_of
from tb.uvm.agents.axi.config import MemoryAccess, Resp
from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.mirror import INDEX
from tb.uvm.hca.observed import Record
from tb.uvm.inlet import Inlet

__all__ = ["FaultBoard"]

LINE = h.ENTRY_BYTES
PATIENCE = 3000
"""Cycles in which a record follows when there is room, the slowest memory of the tests included."""


class FaultBoard(Board):
    """Between the trace's faults and memory."""

    def build_phase(self) -> None:
        super().build_phase()
        self.accesses = Inlet("accesses", self, self._access)
        self.records = Inlet("records", self, self._records)
        self.registers = Inlet("registers", self, self._register)
        self.forget()

    def forget(self) -> None:
        """A new device."""
        self.waiting: deque[Record] = deque()
        """Faults without a record."""
        self._written = 0
        self._held = False
        self._room_since = self.cycle

    def _records(self, records: list[Record]) -> None:
        for record in records:
            match record[1]:
                case TraceEvent.HDEV_FAULT:
                    if not self.waiting:
                        self._room_since = record[0]
                    self.waiting.append(record)
                    self._held = self._held or not self.mirror.fault_room
                case TraceEvent.HDEV_RECORD:
                    self._announced(record)

    def _access(self, access: MemoryAccess) -> None:
        base, size = self.mirror.value(h.FqBaseReg, "addr"), self.mirror.value(h.FqSizeReg, "entries")
        if not access.write or access.issued < self.since or not size or not base <= access.addr < base + LINE * size:
            return
        place = base + LINE * (self._written % size)
        if access.addr != place:
            self.judge.object("FQ-1", f"a record at {access.addr:#x}, not {place:#x}")
        if (self._written - self.mirror.value(h.FqConsReg, "index")) & INDEX >= size:
            self.judge.object("FQ-7", f"record {self._written} overwrites one that software has not taken")
        if access.resp != Resp.OKAY:
            return
        found = entry_of(h.Fault, access.data)
        self.judge.note("record", self._written, found["token"])
        if found["seqno"] != self._written:
            self.judge.object("FQ-1", f"record {found['seqno']} where {self._written} is due")
        self._written += 1
        waiting = [fault for fault in self.waiting if fault[7] == found["token"]]
        if not waiting:
            self.judge.object("FQ-1", f"a record of {found['token']:#x}, which waits for none")
            return
        while self.waiting and self.waiting[0] is not waiting[0]:
            lost = self.waiting.popleft()
            if not self._forgotten(lost):
                self.judge.object("FQ-1", f"the record of {lost[7]:#x} is missing")
        self.waiting.popleft()
        self._room_since = self.cycle
        said = (found["qpn"], found["direction"], found["key"], found["va"], found["cause"])
        if said != waiting[0][2:7]:
            self.judge.object("FQ-4", f"the record of {found['token']:#x} says {said}, not {waiting[0][2:7]}")
        if not found["packet_length"]:
            self.judge.object("FQ-1", f"the record of {found['token']:#x} names no bytes")

    def _forgotten(self, fault: Record) -> bool:
        """Its queue pair was loaded anew since."""
        return fault[2] in self.mirror.reloaded

    def _announced(self, record: Record) -> None:
        self.mirror.fault_produced = record[5]
        if record[5] != self._written & INDEX:
            self.judge.object("FQ-2", f"the producer index is {record[5]} and {self._written} records are in memory")

    def _register(self, access: RegisterAccess) -> None:
        if not access.okay:
            return
        if access.write:
            if access.addr in (h.FqConsReg.offset, h.FqSizeReg.offset, h.FqBaseReg.offset):
                self._room_since = self.cycle
        elif access.addr == h.FqProdReg.offset and self.mirror.enabled:
            ahead = (access.data - self._written) & INDEX
            if 0 < ahead < 1 << h.INDEX_WIDTH - 1:
                self.judge.object("FQ-2", f"FQ_PROD reads {access.data} and {self._written} records are in memory")
        elif access.addr == h.StatusReg.offset and self._held and not h.StatusReg.fault_overflow.of(access.data):
            cleared = self.mirror.overflow_cleared
            if not cleared:
                self.judge.object("FQ-1", "a fault had to wait for room and STATUS.fault_overflow does not say so")

    def check_phase(self) -> None:
        """With room in the queue no fault waits."""
        late = [fault for fault in self.waiting if not self._forgotten(fault)]
        room = self.mirror.fault_room and not self.judge.enough.is_set() and self.mirror.enabled
        if late and room and self.cycle - self._room_since > PATIENCE:
            self.judge.object("FQ-1", f"faults without a record: {[hex(fault[7]) for fault in late]}")
