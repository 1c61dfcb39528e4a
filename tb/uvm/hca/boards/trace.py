"""The trace of the device against the untimed oracle, pymodels/oracle/hca.py: SD-3, SD-4, FQ-1, FQ-3, FQ-4, and order."""

from __future__ import annotations

from pymodels.oracle import LegalHca
from tb.uvm.hca.boards.base import Board
from tb.uvm.hca.observed import Record
from tb.uvm.inlet import Inlet

__all__ = ["TraceBoard"]


class TraceBoard(Board):
    """All records."""

    def build_phase(self) -> None:
        super().build_phase()
        self.records = Inlet("records", self, self._judge)
        self.oracle = LegalHca()

    def forget(self) -> None:
        """A new device."""
        self.oracle = LegalHca()

    def _judge(self, records: list[Record]) -> None:
        for record in records:
            self.judge.note("trace", *record[1:])
        for objection in self.oracle.feed(records):
            self.judge.object(objection.rule, objection.text)

    def check_phase(self) -> None:
        """Nothing may be left open, unless the run was cut short or the queue is full."""
        if not self.judge.enough.is_set() and self.mirror.fault_room:
            for objection in self.oracle.end():
                self.judge.object(objection.rule, objection.text)
